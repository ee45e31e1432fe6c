"""What stands in each column of the table of several products.

A value that may not be shown as current leaves a dash as wide as itself, so that no column moves when the line goes.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..engine.insight import Insight
from .numbers import NOTHING, figure, price
from .row import PLAIN, VALUE
from .safe import safe
from .view import SYMBOLS, ProductView, View

QUIET_AFTER = 15.0
"""Seconds without a quote after which a product is called quiet."""


class Cell(NamedTuple):
    """A column of the table: two words above each other as its head, and what stands in it."""

    heads: tuple[str, str]
    text: Callable[[View, ProductView], str]
    goes: int = 0
    """Where there is no room, the highest goes first; 0 stays."""
    style: str = PLAIN
    is_word: bool = False


def product_id(_: View, product: ProductView) -> str:
    """Write the product."""
    return safe(product.product_id)


def is_quiet(view: View, product: ProductView) -> bool:
    """Tell whether a product has no quotes of its own while the line is fine."""
    return view.state == "LIVE" and (product.insight is None or (product.quote_age or 0.0) >= QUIET_AFTER)


def state(view: View, product: ProductView) -> str:
    """Write the state of one product; of a replay or a simulation, the header says it."""
    if product.insight is None:
        return "○ WAIT "
    if view.state not in ("LIVE", "QUIET", "STALE", "ENDED"):
        return SYMBOLS[view.state]
    word = "QUIET" if is_quiet(view, product) else view.state
    return f"{SYMBOLS[view.state]} {word:<5}"


def best_bid(view: View, product: ProductView) -> str:
    """Write the highest bid."""
    return _now(view, product, lambda insight: price(insight.best_bid, product.decimals))


def best_ask(view: View, product: ProductView) -> str:
    """Write the lowest ask."""
    return _now(view, product, lambda insight: price(insight.best_ask, product.decimals))


def spread(view: View, product: ProductView) -> str:
    """Write the difference, as wide as the biggest one."""
    text = _now(view, product, lambda insight: figure(insight.spread, product.decimals))
    return text.rjust(len(max_spread(view, product)))


def max_spread(_: View, product: ProductView) -> str:
    """Write the biggest difference since the start."""
    return figure(product.insight.max_spread.value, product.decimals) if product.insight else NOTHING


def forecast(view: View, product: ProductView) -> str:
    """Write the mid-price expected in 60 seconds."""
    return _now(view, product, lambda insight: figure(insight.forecast.value, product.decimals + 1))


def mean_1m(_: View, product: ProductView) -> str:
    """Write the mean mid-price of 1 minute."""
    return _mean(product, 0)


def mean_5m(_: View, product: ProductView) -> str:
    """Write the mean mid-price of 5 minutes."""
    return _mean(product, 1)


def mean_15m(_: View, product: ProductView) -> str:
    """Write the mean mid-price of 15 minutes."""
    return _mean(product, 2)


def error_15m(_: View, product: ProductView) -> str:
    """Write the mean forecast error of 15 minutes."""
    insight = product.insight
    return _error(product, insight.forecast_error_mean.fifteen.value if insight else None)


def baseline_15m(_: View, product: ProductView) -> str:
    """Write the same for "nothing changes"."""
    insight = product.insight
    return _error(product, insight.baseline_error_mean.fifteen.value if insight else None)


def _now(view: View, product: ProductView, write: Callable[[Insight], str]) -> str:
    text = write(product.insight) if product.insight else NOTHING
    return text if view.is_live else NOTHING.rjust(len(text))


def _mean(product: ProductView, which: int) -> str:
    if product.insight is None:
        return NOTHING
    means = product.insight.mid_price_mean
    mean = (means.one, means.five, means.fifteen)[which]
    return figure(mean.value, product.decimals + 1, mean.full)


def _error(product: ProductView, value: float | None) -> str:
    """Write an error in as many cells as one with two digits before the point takes."""
    full = product.insight is not None and product.insight.mid_price_mean.fifteen.full
    return figure(value, product.decimals + 1, full).rjust(product.decimals + 4)


CELLS = (
    Cell(("", "Product"), product_id, style="bold", is_word=True),
    Cell(("", "State"), state, 5, is_word=True),
    Cell(("Highest", "bid"), best_bid, style=VALUE),
    Cell(("Lowest", "ask"), best_ask, style=VALUE),
    Cell(("Differ-", "ence"), spread, 1),
    Cell(("Biggest", "so far"), max_spread, 4),
    Cell(("Mean", "1 min"), mean_1m, 9),
    Cell(("Mean", "5 min"), mean_5m, 8),
    Cell(("Mean", "15 min"), mean_15m, 3),
    Cell(("Forecast", "60 s"), forecast, style=VALUE),
    Cell(("Error", "15 min"), error_15m, 2),
    Cell(("nothing", "changes"), baseline_15m, 6),
)
NARROW = 7
"""Once the means of 1 and 5 minutes are gone, the gaps between columns are narrowed before more goes."""
