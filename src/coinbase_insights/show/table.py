"""Several products: one row each, with as many of the figures as the terminal is wide.

Which columns there are depends on the width and on how long the prices are, never on the state of the line. The
means of 1 and 5 minutes go first where there is no room.
"""

from collections.abc import Sequence
from typing import NamedTuple

from .cells import CELLS, NARROW, Cell, is_quiet
from .numbers import NOTHING, clock, price
from .row import LABEL, Row, shortened
from .safe import safe
from .view import ProductView, View


class Column(NamedTuple):
    """A column with its texts, from the top product down; wide enough for all of them."""

    cell: Cell
    texts: list[str]
    width: int


def table(view: View, width: int, height: int) -> list[Row]:
    """Write the table, below it the notes, and what was last known of each product that is not live."""
    columns, gap = _fitting([_column(cell, view) for cell in CELLS], width)
    rows = [_row(columns, gap, [(column.cell.heads[line], LABEL) for column in columns]) for line in (0, 1)]
    for place in range(len(view.products)):
        rows.append(_row(columns, gap, [_styled(column, place) for column in columns]))
    rows += [Row(" ! " + shortened(safe(note), width - 4), "yellow") for note in view.notes]
    remarks = [_remark(view, product) for product in view.products if not view.is_live or is_quiet(view, product)]
    rows += [Row(), *remarks] if remarks else []
    if len(rows) <= height:
        return rows
    shown = max(0, height - 1)
    return [*rows[:shown], Row(f" … and {len(rows) - shown:,} more", LABEL)][:height]


def _column(cell: Cell, view: View) -> Column:
    texts = [cell.text(view, product) for product in view.products]
    return Column(cell, texts, max(map(len, (*cell.heads, *texts))))


def _fitting(columns: list[Column], width: int) -> tuple[list[Column], int]:
    """Leave out columns until a row fits; give them with the gap between them."""
    for rank in range(9, -1, -1):
        columns = [column for column in columns if column.cell.goes <= rank]
        for gap in (2, 1) if rank <= NARROW else (2,):
            if sum(column.width + gap for column in columns) - gap < width:
                return columns, gap
    return columns, 1


def _row(columns: Sequence[Column], gap: int, texts: Sequence[tuple[str, str]]) -> Row:
    row, end = Row(), 1 - gap
    for column, (text, style) in zip(columns, texts, strict=True):
        start, end = end + gap, end + gap + column.width
        if column.cell.is_word:
            row.at(start, text, style)
        else:
            row.up_to(end, text, style)
    return row


def _styled(column: Column, place: int) -> tuple[str, str]:
    text = column.texts[place]
    return text, LABEL if text.endswith(NOTHING) else column.cell.style


def _remark(view: View, product: ProductView) -> Row:
    row, quote = Row(f" {safe(product.product_id)}", LABEL), product.last_known
    if quote is None:
        return row.add("   no quote yet", LABEL)
    if view.is_live:
        return row.add(f"   last quote at {clock(quote.time)}", LABEL)
    bid, ask = price(quote.best_bid, product.decimals), price(quote.best_ask, product.decimals)
    return row.add(f"   last known {bid} and {ask} at {clock(quote.time)}", LABEL)
