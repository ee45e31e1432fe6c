"""The live terminal, on a real pseudo-terminal."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from fcntl import ioctl
from typing import TextIO

import pytest

from coinbase_insights.show.terminal import Terminal
from views import view

ENTER, LEAVE, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


class Pty:
    """Both ends of a terminal: a program writes to `file`, and we read what a person would have seen."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        self.file: TextIO = os.fdopen(theirs, "w", encoding="utf-8")
        self.resize(80, 24)
        os.set_blocking(self.ours, False)

    def resize(self, width: int, height: int) -> None:
        ioctl(self.file.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def hang_up(self) -> None:
        if self.ours >= 0:
            os.close(self.ours)
        self.ours = -1

    def seen(self) -> str:
        chunks = []
        try:
            while chunk := os.read(self.ours, 65536):
                chunks.append(chunk)
        except BlockingIOError:
            pass
        return b"".join(chunks).decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pty]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Pty()
    yield made
    with suppress(OSError):
        made.file.close()
    made.hang_up()


def test_a_view_is_drawn_on_the_other_screen_and_the_figures_stay(terminal: Pty) -> None:
    with Terminal(terminal.file) as drawn_on:
        drawn_on.draw(view("LIVE"))
        assert "● LIVE" in terminal.seen().partition(ENTER)[2]
    left = terminal.seen().partition(LEAVE)
    assert SHOW_CURSOR in left[0] + left[2]
    assert "Highest bid" in left[2]
    assert "15 min ago" not in left[2]


def test_the_screen_follows_the_size(terminal: Pty) -> None:
    with Terminal(terminal.file) as drawn_on:
        for width, height in ((80, 24), (120, 34), (60, 16)):
            terminal.resize(width, height)
            drawn_on.draw(view("LIVE"))
            rows = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", terminal.seen()).split("\n")
            assert [len(row) for row in rows] == [width] * height


def test_a_terminal_that_is_too_small_gets_each_quote_once_as_a_line(terminal: Pty) -> None:
    terminal.resize(59, 16)
    with Terminal(terminal.file) as drawn_on:
        seen = view("LIVE")
        drawn_on.draw(seen)
        drawn_on.draw(seen)
        lines = terminal.seen().splitlines()
    assert lines[0] == "# plain lines: the screen needs 60 x 16, this terminal has 59 x 16"
    assert lines[1] == "# 13:05:38Z LIVE last quote 2 s ago"
    assert [line[:28] for line in lines[2:]] == ["2026-11-22T13:05:36Z ETH-USD"]


def test_a_terminal_made_smaller_goes_over_to_lines_and_back(terminal: Pty) -> None:
    with Terminal(terminal.file) as drawn_on:
        drawn_on.draw(view("LIVE"))
        terminal.resize(50, 10)
        drawn_on.draw(view("LIVE"))
        assert "# plain lines" in terminal.seen().partition(LEAVE)[2]
        terminal.resize(80, 24)
        drawn_on.draw(view("LIVE"))
        assert ENTER in terminal.seen()


def test_a_dumb_terminal_gets_no_escape(terminal: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with Terminal(terminal.file) as drawn_on:
        drawn_on.draw(view("STALE"))
    assert "\x1b" not in (seen := terminal.seen())
    assert "STALE" in seen


def test_no_color_leaves_no_colour(terminal: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal(terminal.file) as drawn_on:
        drawn_on.draw(view("STALE"))
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", terminal.seen()))
    assert codes <= {"0", "1", "2"}


def test_the_terminal_is_given_back_when_something_breaks(terminal: Pty) -> None:
    def draw_and_break() -> None:
        with Terminal(terminal.file) as drawn_on:
            drawn_on.draw(view("LIVE"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        draw_and_break()
    assert LEAVE in (seen := terminal.seen())
    assert SHOW_CURSOR in seen


def test_a_terminal_that_is_gone_is_an_oserror(terminal: Pty) -> None:
    def draw_and_hang_up() -> None:
        with Terminal(terminal.file) as drawn_on:
            drawn_on.draw(view("LIVE"))
            terminal.hang_up()
            drawn_on.draw(view("LIVE"))

    with pytest.raises(OSError, match=r"Input/output error|Broken pipe|Inappropriate ioctl"):
        draw_and_hang_up()


def test_a_pipe_that_nobody_reads_is_an_oserror() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    file = os.fdopen(theirs, "w")
    with pytest.raises(BrokenPipeError), Terminal(file) as drawn_on:
        drawn_on.draw(view("LIVE"))
    with pytest.raises(BrokenPipeError):
        file.close()


def test_the_live_display_is_only_imported_when_it_is_used() -> None:
    code = (
        "import sys, coinbase_insights.show.terminal, coinbase_insights.show.lines; print('rich.live' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_a_terminal_that_cannot_write_the_symbols_gets_plain_lines(terminal: Pty) -> None:
    latin = open(os.dup(terminal.file.fileno()), "w", encoding="latin-1")  # noqa: SIM115 - closed below
    with Terminal(latin) as drawn:
        drawn.draw(view("LIVE"))
    latin.close()
    seen = terminal.seen()
    assert "plain lines" in seen
    assert ENTER not in seen
