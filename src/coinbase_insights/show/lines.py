"""Lines for scripts: plain text, and JSON (one object a line).

A plain line and a JSON line say the same of one quote; lines about the state of the line are for the other stream.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET

from ..engine.insight import ErrorMean, Insight, Mean, Reason, rfc3339
from ..quote import Quote
from .numbers import clock, padded
from .safe import safe
from .view import LineState


class LastKnown(msgspec.Struct, frozen=True):
    """The newest prices of a product and the exchange's time of them."""

    best_bid: str
    best_ask: str
    time: str


class Status(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="status"):
    """The state of the line when it has changed, and everything counted since the start."""

    v: Literal[1]
    time: str
    state: LineState
    detail: str
    product_ids: tuple[str, ...]
    last_known: dict[str, LastKnown | None]
    """By product."""
    received: int
    """Messages."""
    bad: dict[str, int]
    """Messages that could not be used, by reason."""
    duplicates: int
    other: dict[str, int]
    """Messages that say nothing about the best prices, by kind."""
    missed: int
    reconnects: int
    gaps: int
    """How often the line was down."""
    last_known_reason: Reason = UNSET


def line(insight: Insight, decimals: int) -> str:
    """Write all figures of one quote in a line of words and numbers, each pair separated by a space.

    The time is that of the exchange, cut to the second, UTC. Then the product, and by name:
    bid, ask           best prices and x the sizes at them, as the exchange sent them, prices with all their decimals
    diff, max          the difference, and the biggest since the start, with the decimals of the product
    mid                the mid-price, with one decimal more, as all that follow
    avg1, avg5, avg15  its mean over 1, 5 and 15 minutes
    fc60               the mid-price expected 60 seconds later
    err                how wrong the forecast for now was; err1, err5, err15 its means
    base15             the mean of 15 minutes for "nothing changes"

    `-` stands for a figure that is not there, `~` before one whose window is not full. Thousands are not separated.
    """
    more, means, errors = decimals + 1, insight.mid_price_mean, insight.forecast_error_mean
    return (
        f"{insight.time[:19]}Z {safe(insight.product_id)}"
        f" bid {padded(insight.best_bid, decimals)} x {insight.best_bid_size or '-'}"
        f" ask {padded(insight.best_ask, decimals)} x {insight.best_ask_size or '-'}"
        f" diff {insight.spread:.{decimals}f} max {insight.max_spread.value:.{decimals}f}"
        f" mid {insight.mid_price:.{more}f}"
        f" avg1 {_mean(means.one, more)} avg5 {_mean(means.five, more)} avg15 {_mean(means.fifteen, more)}"
        f" fc60 {insight.forecast.value:.{more}f} err {_number(insight.forecast_error, more)}"
        f" err1 {_error(errors.one, means.one, more)} err5 {_error(errors.five, means.five, more)}"
        f" err15 {_error(errors.fifteen, means.fifteen, more)}"
        f" base15 {_error(insight.baseline_error_mean.fifteen, means.fifteen, more)}"
    )


def _number(value: float | None, decimals: int, full: bool = True) -> str:
    return "-" if value is None else f"{'' if full else '~'}{value:.{decimals}f}"


def _mean(mean: Mean, decimals: int) -> str:
    return _number(mean.value, decimals, mean.full)


def _error(error: ErrorMean, window: Mean, decimals: int) -> str:
    return _number(error.value, decimals, window.full)


def status_line(time: int, state: LineState, detail: str) -> str:
    """Write a change of state, at this time in microseconds, as a line that begins with #.

    >>> status_line(1795352750000000, "STALE", "no heartbeat 10 s")
    '# 13:05:50Z STALE no heartbeat 10 s'
    """
    return f"# {clock(time)}Z {state} {safe(detail)}".rstrip()


def last_known(quote: Quote | None) -> LastKnown | None:
    """Give the prices of the newest quote for a `Status`."""
    return LastKnown(quote.best_bid, quote.best_ask, rfc3339(quote.time)) if quote else None


_ENCODER = msgspec.json.Encoder()


def to_json(insight: Insight | Status) -> bytes:
    """Write one JSON object, without a newline."""
    return _ENCODER.encode(insight)


def schema() -> dict[str, Any]:
    """Give the JSON Schema of every line: an insight or a status."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "coinbase_insights JSON lines, v1"}
    return head | msgspec.json.schema(Insight | Status)
