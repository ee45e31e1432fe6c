"""The screen as one text: a pure function of what there is to see and of the size of the terminal.

The figures take 15 rows, the footer among them; the chart takes what is left. Times are UTC. The state is always a
word and a symbol; colours, all of the sixteen of the terminal, only repeat what the words say.
"""

from rich.text import Text

from .chart import chart, sparkline
from .figures import figures
from .numbers import clock, counted, figure
from .row import LABEL, PLAIN, Row, joined, shortened, text_of
from .safe import safe
from .table import table
from .view import SYMBOLS, ProductView, View

FEWEST_COLUMNS = 60
FEWEST_ROWS = 16
STYLES = {
    "CONNECTING": "bold yellow",
    "LIVE": "bold green",
    "QUIET": "bold yellow",
    "STALE": "bold red",
    "REPLAY": "bold cyan",
    "SIMULATED": "bold magenta",
    "ENDED": "bold",
}
_CHART = "cyan"
_ALL = 1_000_000


def fits(width: int, height: int) -> bool:
    """Tell whether a terminal of so many columns and rows is large enough for the screen."""
    return width >= FEWEST_COLUMNS and height >= FEWEST_ROWS


def screen(view: View, width: int, height: int) -> Text:
    """Draw everything there is to see in at most `height` rows, none wider than `width` cells."""
    rows = _top(view, width, height - 1)
    if len(view.products) == 1:
        rows += _history(view, view.products[0], width, height - len(rows) - 1)
    rows += [Row()] * (height - len(rows) - 1)
    end = "" if view.state == "ENDED" else "Ctrl-C ends"
    return text_of([*rows, _footer(view, width, end)][:height], width)


def summary(view: View, width: int) -> Text:
    """The same without the chart: what stays in the scrollback when the screen is gone."""
    return text_of([*_top(view, width, _ALL), _footer(view, width, "")], width)


def _top(view: View, width: int, height: int) -> list[Row]:
    rows = [_header(view, width), Row("─" * width, LABEL)]
    if len(view.products) == 1:
        return rows + figures(view, view.products[0], width)
    return [*rows, *table(view, width, height - len(rows))]


def _header(view: View, width: int) -> Row:
    names = [safe(product.product_id) for product in view.products]
    name = shortened(names[0], 20) if len(names) == 1 else counted(len(names), "product")
    state = view.state if view.state != "REPLAY" else f"REPLAY {safe(view.speed)}".rstrip()
    row = Row(f" {name}", "bold").add("   ")
    row.add(f"{SYMBOLS[view.state]} {state:<5}", STYLES[view.state]).add("   ")
    time = f"{clock(view.now)} UTC"
    row.add(shortened(safe(view.detail), width - len(time) - 2 - row.width))
    return row.up_to(width - 1, time, PLAIN)


def _footer(view: View, width: int, end: str) -> Row:
    """Since when, and every count; what says least goes first where there is no room."""
    wide = width >= 100
    parts = [
        (4, f"{'started' if wide else 'since'} {clock(view.since)}"),
        (3, counted(view.quotes, "quote")),
        (1, f"{view.missed:,} missed"),
        (2, counted(view.reconnects, "reconnect")),
        (0, f"{view.bad:,} bad" if view.bad else ""),
        (5, counted(view.duplicates, "duplicate") if view.duplicates else ""),
        (7, ("~ window still filling" if wide else "~ filling") if _is_filling(view) else ""),
    ]
    if not wide:
        return Row(" ").add(joined([part for part in (*parts, (6, end)) if part[1]], " · ", width - 2), LABEL)
    left = joined([part for part in parts if part[1]], " · ", width - 5 - len(end))
    return Row(f" {left}", LABEL).up_to(width - 1, end, LABEL)


def _is_filling(view: View) -> bool:
    means = [product.insight.mid_price_mean for product in view.products if product.insight]
    return any(not mean.full for three in means for mean in (three.one, three.five, three.fifteen))


def _history(view: View, product: ProductView, width: int, height: int) -> list[Row]:
    """Fill what is left with the chart and its axis, or with a row of blocks where there is little left."""
    if height < 7:
        return _low_history(view, product, width, height)
    widest = max((len(figure(mid, product.decimals)) for mid in _extremes(product)), default=0)
    cells = width - 2 - max(11, widest + 1)
    drawn = chart(product.history, cells, height - 3, view.is_live)
    if drawn is None:
        return []
    rows = [Row(" ").add(row.rstrip(), _CHART) for row in drawn.rows]
    rows[0].up_to(width - 1, figure(drawn.high, product.decimals), LABEL)
    if drawn.low < drawn.high:
        rows[-1].up_to(width - 1, figure(drawn.low, product.decimals), LABEL)
    return [Row(), *rows, Row(" 15 min ago", LABEL).up_to(1 + cells, "now", LABEL)]


def _low_history(view: View, product: ProductView, width: int, height: int) -> list[Row]:
    """One row: the blocks, and between which prices they stand."""
    between = " to ".join(figure(mid, product.decimals) for mid in _extremes(product))
    cells = width - len(between) - 13
    drawn = sparkline(product.history, cells, view.is_live) if cells > 0 else None
    if drawn is None:
        return []
    row = Row(" 15 min ", LABEL).add(drawn.rows[0], _CHART).up_to(width - 1, between, LABEL)
    return [row] if height < 2 else [Row(), row]


def _extremes(product: ProductView) -> list[float]:
    mids = [mid for _, mid in product.history]
    return [min(mids), max(mids)] if mids else []
