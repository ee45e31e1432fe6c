"""A command of ours in a terminal of its own, 80 x 24: what it has drawn, what it has cost, how large it is."""

import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path


class Terminal:
    """Runs a command and reads what a person would see."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it."""
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.drawn = 0
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
        )
        os.close(theirs)

    def wait_for(self, text: bytes, timeout: float) -> float:
        """Seconds from the start until this has been drawn."""
        seen = b""
        while text not in seen:
            ready, _, _ = select.select([self._ours], [], [], timeout)
            assert ready, f"{text!r} was not drawn: {seen[-500:]!r}"
            seen += os.read(self._ours, 65_536)
        return time.monotonic() - self.began

    def watch(self, seconds: float) -> None:
        """Go on reading for so long, and count how often the screen is drawn."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._ours], [], [], left)[0]:
                self.drawn += os.read(self._ours, 65_536).count(b"\x1b[H")

    def cpu(self) -> float:
        """Seconds of CPU so far, to the nanosecond, of the threads that are still there."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9

    def resident(self) -> float:
        """Megabytes of memory in use now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        while self.process.poll() is None:
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    os.read(self._ours, 65_536)
                except OSError:
                    break
        self.process.wait()
        os.close(self._ours)


@contextmanager
def opened(command: Sequence[str]) -> Iterator[Terminal]:
    """Run a command in a terminal as long as the context lasts."""
    terminal = Terminal(command)
    try:
        yield terminal
    finally:
        terminal.close()
