"""The screen in a real terminal (tmux): sizes, colours, resize, and how it leaves the terminal behind."""

import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest

PROGRAM = f"{shlex.quote(sys.executable)} -m coinbase_insights"
LIMIT = 20.0
"""Seconds until something that is to be seen is seen."""


class Tmux:
    """One terminal of its own, with a shell in it."""

    def __init__(self) -> None:
        self._socket = f"coinbase_insights-{uuid.uuid4().hex}"

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ("tmux", "-L", self._socket, *arguments), capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout

    def start(self, columns: int, rows: int, command: str) -> None:
        self("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "sh")
        self("set-option", "-g", "history-limit", "5000")
        self.type(command)

    def type(self, text: str) -> None:
        self("send-keys", "-l", text)
        self("send-keys", "Enter")

    def shown(self, *, colours: bool = False, scrollback: bool = False) -> str:
        return self("capture-pane", "-p", *(["-e"] if colours else []), *(["-S", "-"] if scrollback else []))

    def until(self, *texts: str) -> str:
        """Wait until all texts are on the screen; give the screen."""
        ends = time.monotonic() + LIMIT
        while not all(text in (shown := self.shown()) for text in texts):
            assert time.monotonic() < ends, f"{texts} did not come; the screen is:\n{shown}"
            time.sleep(0.1)  # The terminal tells nobody when it changes.
        return shown

    def has_alternate_screen(self) -> bool:
        return self("display-message", "-p", "#{alternate_on}").strip() == "1"

    def shows_cursor(self) -> bool:
        return self("display-message", "-p", "#{cursor_flag}").strip() == "1"


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux on this machine")
    terminal = Tmux()
    yield terminal
    subprocess.run(("tmux", "-L", terminal._socket, "kill-server"), check=False, capture_output=True)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 34), (60, 16)])
def test_the_screen_fills_the_terminal(tmux: Tmux, columns: int, rows: int) -> None:
    tmux.start(columns, rows, f"{PROGRAM} demo --speed 20")

    shown = tmux.until("SIMULATED", "Highest bid", "Forecast", "quotes")

    assert tmux.has_alternate_screen()
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_a_resize_is_followed_down_to_plain_lines_and_back(tmux: Tmux) -> None:
    tmux.start(80, 24, f"{PROGRAM} demo --speed 20")
    tmux.until("Highest bid")

    tmux("resize-window", "-x", "120", "-y", "34")
    tmux.until("─" * 120)
    tmux("resize-window", "-x", "50", "-y", "12")
    tmux.until("ETH-USD bid")
    small = tmux.has_alternate_screen()
    tmux("resize-window", "-x", "80", "-y", "24")
    tmux.until("Highest bid")

    assert not small
    assert tmux.has_alternate_screen()


@pytest.mark.parametrize("end", ["C-c", "TERM", "HUP"])
def test_the_terminal_is_given_back_with_the_last_figures(tmux: Tmux, end: str) -> None:
    tmux.start(80, 24, f"{PROGRAM} demo --speed 20; echo ended with $?")
    tmux.until("Highest bid", "1,")

    if end == "C-c":
        tmux("send-keys", "C-c")
    else:
        pid = subprocess.run(
            ("pgrep", "-P", tmux("display-message", "-p", "#{pane_pid}").strip()),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[0]
        subprocess.run(("kill", f"-{end}", pid), check=True)
    tmux.until("ended with 0")

    left = tmux.shown(scrollback=True)
    assert not tmux.has_alternate_screen()
    assert tmux.shows_cursor()
    assert "ENDED" in left
    assert "Highest bid" in left


def test_no_color_leaves_no_colour(tmux: Tmux) -> None:
    tmux.start(80, 24, f"NO_COLOR=1 {PROGRAM} demo --speed 20")
    tmux.until("Highest bid", "Forecast")

    shown = tmux.shown(colours=True)

    assert not any(f"\x1b[{code}m" in shown for code in [*range(30, 38), *range(40, 48), *range(90, 108)])


def test_a_dumb_terminal_gets_plain_lines(tmux: Tmux) -> None:
    tmux.start(200, 24, f"TERM=dumb {PROGRAM} demo --for 4s; echo ended with $?")

    tmux.until("ETH-USD bid", "ended with 0")

    assert not tmux.has_alternate_screen()
