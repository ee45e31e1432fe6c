"""One product's figures: twelve rows that never move, whatever the state of the line.

    best bid, best ask, spread / blank / heads and five rows of windows / notes / forecast

A figure that is not there is a dash, with the reason in words wherever there is room for it.
"""

from ..engine.insight import Insight
from .forecast_row import forecast_row
from .numbers import NOTHING, clock, clock_of, figure, price
from .row import LABEL, PLAIN, VALUE, Row, first_that_fits, joined, shortened
from .safe import safe
from .view import ProductView, View
from .windows import Cells, Columns, cells_of, columns_for, window_rows


def figures(view: View, product: ProductView, width: int) -> list[Row]:
    """Write all figures of a product."""
    insight = product.insight if view.is_live else None
    cells = cells_of(product.insight, product.decimals + 1, view.is_live)
    columns = columns_for(cells, width)
    return [
        _side(product, insight, "bid", columns, width),
        _side(product, insight, "ask", columns, width),
        _spread(product, insight, columns, width),
        Row(),
        *window_rows(cells, columns, _why_no_error(view, product)),
        _notes(view, insight, cells, width),
        forecast_row(insight, product.decimals + 1, columns, width),
    ]


def _side(product: ProductView, insight: Insight | None, side: str, columns: Columns, width: int) -> Row:
    """Highest bid, or lowest ask: the price, and how much at that price."""
    row = Row(" Highest bid" if side == "bid" else " Lowest ask", LABEL)
    if insight is None:
        row.up_to(columns.now, NOTHING, LABEL).add("   ")
        return row.add(first_that_fits(_last_known(product, side), width - row.width), LABEL)
    is_bid = side == "bid"
    row.up_to(columns.now, price(insight.best_bid if is_bid else insight.best_ask, product.decimals), VALUE)
    size = insight.best_bid_size if is_bid else insight.best_ask_size
    if size is None:
        return _aside(row, str(insight.best_bid_size_reason or "no size known"), LABEL, width)
    return _aside(row, f"{price(size, 0)} {safe(product.product_id.partition('-')[0])}", PLAIN, width)


def _last_known(product: ProductView, side: str) -> tuple[str, ...]:
    """The newest price there was, folded or not, and when: in three ways, each shorter than the one before."""
    known = product.last_known or product.insight
    if known is None:
        return ("no quote yet",)
    time = clock_of(known.time) if isinstance(known, Insight) else clock(known.time)
    text = price(known.best_bid if side == "bid" else known.best_ask, product.decimals)
    return f"last known {text} at {time}", f"{text} at {time}", text


def _spread(product: ProductView, insight: Insight | None, columns: Columns, width: int) -> Row:
    row = Row(" Difference", LABEL)
    if insight is None:
        row.up_to(columns.now, NOTHING, LABEL)
    else:
        row.up_to(columns.now, figure(insight.spread, product.decimals), VALUE)
    if product.insight is None:
        return _aside(row, "no quote yet", LABEL, width)
    biggest = product.insight.max_spread
    value, time = figure(biggest.value, product.decimals), clock_of(biggest.time)
    ways = (f"biggest since start {value} at {time}", f"biggest {value} at {time}", f"biggest {value}")
    return row.add("   ").add(first_that_fits(ways, width - row.width - 3))


def _aside(row: Row, text: str, style: str, width: int) -> Row:
    """Put words beside a value, as far as they fit."""
    return row.add("   ").add(shortened(text, width - row.width - 3), style)


def _why_no_error(view: View, product: ProductView) -> str:
    if product.insight is None:
        return "no quote yet"
    if not view.is_live:
        return "waiting for data"
    return product.insight.forecast_error_reason or "none came due in 15 minutes"


def _notes(view: View, insight: Insight | None, cells: Cells, width: int) -> Row:
    """What a person must be told, and why there is no current error when the windows hold older ones."""
    notes = [safe(note) for note in view.notes]
    if insight and insight.forecast_error_reason and cells.any_error:
        notes.append(f"no error now: {insight.forecast_error_reason}")
    text = joined(list(enumerate(notes)), " · ", width - 4) or shortened("".join(notes[:1]), width - 4)
    return Row(" ! ", "yellow").add(text, "yellow") if text else Row()
