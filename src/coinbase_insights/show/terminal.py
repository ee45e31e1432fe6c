"""The live terminal: draws each view in place, follows a resize, and leaves the terminal as it was.

Where the terminal is dumb or too small, each new quote is a plain line instead. Nothing here knows the time.
"""

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from .lines import line, status_line
from .screen import FEWEST_COLUMNS, FEWEST_ROWS, fits, screen, summary
from .view import View

if TYPE_CHECKING:
    from rich.live import Live


SYMBOLS = "●○■⣿─±—"
"""What the screen is drawn with, beside letters and digits."""


def _can_write(text: str, file: TextIO) -> bool:
    try:
        text.encode(file.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Terminal:
    """A terminal to draw views on, as long as the context lasts; then the last figures stay in the scrollback.

    When the terminal is gone, whatever writes raises OSError (BrokenPipeError is one).
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stdout
        self._is_dumb = not self._file.isatty() or os.environ.get("TERM", "") in ("", "dumb", "unknown")
        self._is_dumb = self._is_dumb or not _can_write(SYMBOLS, self._file)
        self._live: Live | None = None
        self._size = (80, 24)
        self._view: View | None = None
        self._state = ""
        self._written: dict[str, object] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the terminal back, whatever has happened, and leave the last figures on it unless it is gone."""
        had_screen = self._close_screen()
        if had_screen and self._view and not isinstance(error, OSError):
            had_screen.console.print(summary(self._view, self._size[0]))

    def draw(self, view: View) -> None:
        """Show a view at the size that the terminal has now."""
        self._view, size = view, self._size_now()
        if self._is_dumb or not fits(*size):
            self._write_lines(view, size)
            return
        live = self._open_screen()
        if size != live.console.size:
            live.console.size = size
        self._size = size
        live.update(screen(view, *size), refresh=True)

    def _size_now(self) -> tuple[int, int]:
        """Columns and rows; 80 x 24 where the terminal does not say."""
        if self._is_dumb:
            return 80, 24
        columns, rows = os.get_terminal_size(self._file.fileno())
        return columns or 80, rows or 24

    def _open_screen(self) -> "Live":
        if self._live is None:
            from .console import open_live

            self._live = open_live(self._file)
            self._state = ""
        return self._live

    def _close_screen(self) -> "Live | None":
        live, self._live = self._live, None
        if live:
            live.stop()
        return live

    def _write_lines(self, view: View, size: tuple[int, int]) -> None:
        """Write what is new since the last view; first of all, why there is no screen."""
        self._close_screen()
        lines = []
        if not self._state:
            lines.append(self._why_lines(size))
        if view.state != self._state:
            self._state = view.state
            lines.append(status_line(view.now, view.state, view.detail))
        for product in view.products:
            newest = product.insight and (product.insight.time, product.insight.sequence, product.insight.received_at)
            if product.insight and newest != self._written.get(product.product_id):
                self._written[product.product_id] = newest
                lines.append(line(product.insight, product.decimals))
        if lines:
            self._file.write("".join(f"{text}\n" for text in lines))
            self._file.flush()

    def _why_lines(self, size: tuple[int, int]) -> str:
        if self._is_dumb:
            return "# plain lines: this terminal cannot draw"
        needs, has = f"{FEWEST_COLUMNS} x {FEWEST_ROWS}", f"{size[0]} x {size[1]}"
        return f"# plain lines: the screen needs {needs}, this terminal has {has}"
