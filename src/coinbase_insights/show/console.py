"""The one place that starts rich's live display, so that nobody else pays for its import."""

import errno
import os
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text


class _Console(Console):
    """A console that lets its owner know when nobody reads any more; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Raise what the write raised."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_live(file: TextIO) -> Live:
    """Go over to the alternate screen of a terminal, with its sixteen colours, or none when NO_COLOR is set."""
    console = _Console(
        file=file,
        color_system="standard",
        force_terminal=True,
        force_interactive=True,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    live = Live(
        Text(end=""), console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    )
    live.start()
    return live
