"""The last 15 minutes as a line of dots: braille characters hold two by four each, blocks eight heights.

Numbers in, characters out: nothing here knows of colours or of the screen around it.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import neg
from typing import NamedTuple

SECONDS = 900.0
_BLANK = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BLOCKS = "▁▂▃▄▅▆▇█"

Points = Sequence[tuple[float, float]]
"""(seconds before now, value), oldest first."""


class Chart(NamedTuple):
    """Rows of characters from the top down, and the values at the top and at the bottom."""

    rows: list[str]
    high: float
    low: float


class Bar(NamedTuple):
    """Between which values the line ran in one column, and where it left the column."""

    low: float
    high: float
    last: float


def bars(points: Points, columns: int, until_now: bool) -> list[Bar | None]:
    """Share the 15 minutes out to columns; a value stands until the next one comes, the last one `until_now`."""
    ages, values = zip(*points, strict=True) if points else ((), ())
    edges = [bisect_left(ages, SECONDS * (column / columns - 1), key=neg) for column in range(columns)]
    edges.append(len(points))
    result: list[Bar | None] = []
    standing: Bar | None = None
    for start, end in pairwise(edges):
        if start < end:
            inside, last = values[start:end], values[end - 1]
            standing = Bar(last, last, last)
            result.append(Bar(min(inside), max(inside), last) if end - start > 1 else standing)
            continue
        if standing is None and start > 0:
            standing = Bar(*[values[start - 1]] * 3)
        result.append(standing if until_now or start < len(values) else None)
    return result


def chart(points: Points, width: int, height: int, until_now: bool = True) -> Chart | None:
    """Draw the line in `height` rows of `width` characters; None when there is nothing to draw."""
    columns = bars(points, 2 * width, until_now)
    known = [bar for bar in columns if bar]
    if not known:
        return None
    high, low = max([bar.high for bar in known]), min([bar.low for bar in known])
    cells = [[_BLANK] * width for _ in range(height)]
    for column, top, bottom in _strokes(columns, high, low, 4 * height):
        _draw(cells, column, top, bottom)
    rows = ["".join(map(chr, row)).replace(chr(_BLANK), " ") for row in cells]
    return Chart(rows, high, low)


def _strokes(columns: list[Bar | None], high: float, low: float, dots: int) -> Iterator[tuple[int, int, int]]:
    """Give (column, top dot, bottom dot), each stroke long enough to touch the end of the one before it."""
    scale = (dots - 1) / (high - low) if high > low else 0.0
    offset = 0.5 if scale else dots / 2
    before: int | None = None
    for column, bar in enumerate(columns):
        if bar:
            top = bottom = last = int((high - bar.last) * scale + offset)
            if bar.low != bar.high:
                top, bottom = int((high - bar.high) * scale + offset), int((high - bar.low) * scale + offset)
            if before is not None:
                top, bottom = min(top, before + 1), max(bottom, before - 1)
            yield column, top, bottom
            before = last


def _draw(cells: list[list[int]], column: int, top: int, bottom: int) -> None:
    dots, place = _DOTS[column & 1], column >> 1
    for dot in range(top, bottom + 1):
        cells[dot >> 2][place] |= dots[dot & 3]


def sparkline(points: Points, width: int, until_now: bool = True) -> Chart | None:
    """Draw where the line left each column, in one row; None when there is nothing to draw."""
    columns = bars(points, width, until_now)
    known = [bar.last for bar in columns if bar]
    if not known:
        return None
    high, low = max(known), min(known)
    scale = 7 / (high - low) if high > low else 0.0
    row = "".join(_BLOCKS[round((bar.last - low) * scale) if scale else 3] if bar else " " for bar in columns)
    return Chart([row], high, low)
