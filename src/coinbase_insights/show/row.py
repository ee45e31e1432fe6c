"""One row of the screen: pieces of text, each with a style, put at columns; and rows made into one text.

Widths are counted in terminal cells, so that wide characters do not push anything out of line.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Span, Text

LABEL = "dim"
VALUE = "bold"
PLAIN = ""


class Row:
    """A row under construction, from left to right."""

    __slots__ = ("pieces", "width")

    def __init__(self, text: str = "", style: str = PLAIN) -> None:
        self.pieces: list[tuple[str, str]] = []
        self.width = 0
        if text:
            self.add(text, style)

    def add(self, text: str, style: str = PLAIN) -> "Row":
        """Put text at the end."""
        self.pieces.append((text, style))
        self.width += cell_len(text)
        return self

    def at(self, column: int, text: str, style: str = PLAIN) -> "Row":
        """Put text so that it begins at a column, or at the end when the row is longer already."""
        return self._space(column - self.width).add(text, style)

    def up_to(self, column: int, text: str, style: str = PLAIN) -> "Row":
        """Put text so that it ends right before a column, or at the end when there is no room."""
        return self._space(column - self.width - cell_len(text)).add(text, style)

    def _space(self, cells: int) -> "Row":
        return self.add(" " * cells) if cells > 0 else self


def text_of(rows: Iterable[Row], width: int) -> Text:
    """Join rows, none wider than `width` cells, into one text that no terminal wraps."""
    plain: list[str] = []
    spans: list[Span] = []
    end = 0
    for row in rows:
        for text, style in row.pieces if row.width <= width else _cut(row, width):
            plain.append(text)
            start, end = end, end + len(text)
            if style:
                spans.append(Span(start, end, style))
        plain.append("\n")
        end += 1
    return Text("".join(plain[:-1]), spans=spans, no_wrap=True, overflow="ignore", end="")


def _cut(row: Row, width: int) -> list[tuple[str, str]]:
    """Keep what fits, with … where the rest would be."""
    pieces, left = [], width - 1
    for text, style in row.pieces:
        pieces.append((set_cell_size(text, min(left, cell_len(text))), style))
        left -= min(left, cell_len(text))
    return [*pieces, ("…", PLAIN)] if width > 0 else []


def first_that_fits(texts: Sequence[str], cells: int) -> str:
    """Choose the first text that is not wider than that; nothing when none is."""
    return next((text for text in texts if cell_len(text) <= cells), "")


def shortened(text: str, cells: int) -> str:
    """Leave out words at the end until the text fits, with … where they were; nothing when no word does."""
    if cell_len(text) <= cells:
        return text
    words = text.split(" ")
    return first_that_fits([" ".join(words[:n]).rstrip(" ,;:(") + " …" for n in range(len(words) - 1, 0, -1)], cells)


def joined(parts: Sequence[tuple[int, str]], separator: str, cells: int) -> str:
    """Join parts, each (rank, text), in their order; while they are too wide, the one of the highest rank goes."""
    kept = list(parts)
    while kept:
        text = separator.join(text for _, text in kept)
        if cell_len(text) <= cells:
            return text
        kept.remove(max(kept, key=lambda part: part[0]))
    return ""
