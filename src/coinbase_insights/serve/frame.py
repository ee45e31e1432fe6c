"""What a page is sent, as values: the figures as they are written on the terminal too, and points for its charts. Pure.

Everything that is read is text that was written here, by the same functions as the terminal's, so that no figure can
differ; a page puts it in its place and computes nothing.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ..engine.insight import Insight, Verdict
from ..quote import EPOCH
from ..show import cells
from ..show.forecast_row import verdict
from ..show.numbers import NOTHING, clock, clock_of, figure, price
from ..show.safe import safe
from ..show.view import SYMBOLS, LineState, ProductView, View
from ..show.windows import cells_of


class Point(NamedTuple):
    """What charts show of one moment; prices in the quote currency, None where there was none."""

    time: int
    """Exchange time, microseconds since 1970."""
    mid_price: float
    spread: float
    forecast: float
    """For 60 seconds later; so are the two ends of its band."""
    low: float | None
    high: float | None
    error: float | None
    """Of the forecast for now."""
    baseline_error: float | None
    skill: float | None
    """Over 15 minutes, as the last one."""
    band_hit_rate: float | None
    gaps: int
    """How often the line had been down until then: no line is drawn from a point to one with another number."""


class Brief(msgspec.Struct, frozen=True):
    """One product in a line, as text."""

    product_id: str
    state: str
    best_bid: str
    best_ask: str
    spread: str
    max_spread: str
    mean_15m: str
    forecast: str
    error_15m: str
    baseline_15m: str


class Figures(msgspec.Struct, frozen=True):
    """One product in full, as text; `—` where there is nothing, or nothing that still holds."""

    product_id: str
    state: str
    """Its own: QUIET where others have quotes and it has none."""
    decimals: int
    base_currency: str
    best_bid: str
    best_bid_size: str
    best_ask: str
    best_ask_size: str
    last_known: str
    """The newest prices and their time where nothing is live; else empty."""
    spread: str
    max_spread: str
    max_spread_time: str
    windows: dict[str, tuple[str, ...]]
    """Now, and over 1, 5 and 15 minutes."""
    why_no_error: str
    forecast: str
    band: str
    target_time: str
    verdict: Verdict | None
    skill: str
    """The verdict in words."""
    held: str
    """How often the band held, or why that is not known."""
    point: Point | None


class Frame(msgspec.Struct, frozen=True):
    """Everything there is to see at one moment."""

    state: LineState
    symbol: str
    speed: str
    detail: str
    now: str
    since: str
    is_live: bool
    quotes: int
    missed: int
    reconnects: int
    bad: int
    duplicates: int
    notes: tuple[str, ...]
    products: tuple[Brief, ...]
    figures: Figures | None = None
    """Of the product that was asked for; None where it is not followed, or not yet."""


def frame(view: View) -> Frame:
    """Make the frame of those who look at no product in full."""
    return Frame(
        state=view.state,
        symbol=SYMBOLS[view.state],
        speed=view.speed,
        detail=safe(view.detail),
        now=clock(view.now),
        since=clock(view.since),
        is_live=view.is_live,
        quotes=view.quotes,
        missed=view.missed,
        reconnects=view.reconnects,
        bad=view.bad,
        duplicates=view.duplicates,
        notes=tuple(map(safe, view.notes)),
        products=tuple(brief(view, product) for product in view.products),
    )


def brief(view: View, product: ProductView) -> Brief:
    """Write one product in a line."""
    values = (
        cells.state, cells.best_bid, cells.best_ask, cells.spread, cells.max_spread, cells.mean_15m, cells.forecast,
        cells.error_15m, cells.baseline_15m,
    )  # fmt: skip
    texts = [write(view, product).strip() for write in values]
    if texts[0] == SYMBOLS[view.state]:  # A terminal's header says the rest; a page is read cell by cell, too.
        texts[0] = f"{texts[0]} {view.state}"
    return Brief(safe(product.product_id), *texts)


def figures(view: View, product: ProductView) -> Figures:
    """Write one product in full."""
    insight, decimals = product.insight, product.decimals
    live = insight if view.is_live else None
    table = cells_of(insight, decimals + 1, view.is_live)
    high = None if live is None else live.forecast.high
    return Figures(
        product_id=safe(product.product_id),
        state=cells.state(view, product).strip(),
        decimals=decimals,
        base_currency=safe(product.product_id.partition("-")[0]),
        best_bid=price(live.best_bid, decimals) if live else NOTHING,
        best_bid_size=_size(live.best_bid_size) if live else NOTHING,
        best_ask=price(live.best_ask, decimals) if live else NOTHING,
        best_ask_size=_size(live.best_ask_size) if live else NOTHING,
        last_known="" if live else _last_known(product),
        spread=figure(live.spread if live else None, decimals),
        max_spread=figure(insight.max_spread.value if insight else None, decimals),
        max_spread_time=clock_of(insight.max_spread.time) if insight else "",
        windows=table._asdict(),
        why_no_error=_why_no_error(live, insight),
        forecast=figure(live.forecast.value if live else None, decimals + 1),
        band=figure(high - live.forecast.value, decimals + 1) if live and high is not None else "",
        target_time=clock_of(live.forecast.target_time) if live else "",
        verdict=live.skill.verdict if live else None,
        skill=verdict(live.skill) if live else "waiting for data",
        held=_held(live),
        point=point(insight, product.gaps) if insight else None,
    )


def point(insight: Insight, gaps: int) -> Point:
    """Take what charts show out of an insight, after so many gaps."""
    forecast = insight.forecast
    return Point(
        microseconds(insight.time), insight.mid_price, insight.spread, forecast.value, forecast.low, forecast.high,
        insight.forecast_error, insight.baseline_error, insight.skill.value, insight.band_hit_rate.value,
        gaps,
    )  # fmt: skip


def microseconds(time: str) -> int:
    """Read an RFC 3339 time as we write it: UTC, with microseconds."""
    return (datetime.fromisoformat(time) - EPOCH) // timedelta(microseconds=1)


def _size(text: str | None) -> str:
    return NOTHING if text is None else price(text, 0)


def _last_known(product: ProductView) -> str:
    known = product.last_known or product.insight
    if known is None:
        return "no quote yet"
    time = clock_of(known.time) if isinstance(known, Insight) else clock(known.time)
    bid, ask = price(known.best_bid, product.decimals), price(known.best_ask, product.decimals)
    return f"last known: bid {bid}, ask {ask}, at {time} UTC"


def _why_no_error(live: Insight | None, insight: Insight | None) -> str:
    if insight is None:
        return "no quote yet"
    if live is None:
        return "waiting for data"
    return live.forecast_error_reason or ""


def _held(live: Insight | None) -> str:
    if live is None:
        return ""
    if live.forecast.high is None:
        return f"band: {live.forecast.high_reason or 'not known'}"
    rate = live.band_hit_rate
    if rate.value is None:
        return str(rate.value_reason or "no band came due")
    return f"band held {100 * rate.value:.0f} % of {rate.count:,}"
