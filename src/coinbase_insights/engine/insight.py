"""An insight: every figure right after one quote, as the JSON contract has it (version 1).

The fields are the contract: `docs/reference/insight.schema.json` is made from them. Prices are the exact text that
the exchange sent; computed figures are numbers at full precision; times are RFC 3339 UTC with microseconds. A figure
that is not there is null, and a field of the same name with `_reason` says why.
"""

from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from ..quote import EPOCH, Quote
from . import score, window
from .skill import p_value as p_value_of
from .state import (
    ADVANTAGE,
    ASK,
    BASE_ERROR,
    BID,
    COUNT,
    ERROR,
    FORECASTER,
    FORECASTERS,
    HORIZON,
    IS_SCORED,
    MATURED,
    MAX_SPREAD,
    MAX_SPREAD_TIME,
    MID,
    RETURNS,
    TIME,
    UNIT2,
    UNSCORED,
    WINDOW_1M,
    WINDOW_5M,
    WINDOW_15M,
    State,
)  # fmt: skip

VERSION: Literal[1] = 1
FEWEST_SCORED = 12
"""Fewer scored forecasts than this say nothing about skill."""
SIGNIFICANT = 0.05

Verdict = Literal["better", "worse", "same", "too few scored"]
Reason = str | UnsetType


class MaxSpread(msgspec.Struct, frozen=True):
    """The biggest difference of best ask and best bid since the start, and when it was first seen."""

    value: float
    time: str


class Mean(msgspec.Struct, frozen=True):
    """Arithmetic mean of the mid-prices in a window, of `count` quotes; `full` when the line never broke in it."""

    value: float
    count: int
    full: bool


class ErrorMean(msgspec.Struct, frozen=True, omit_defaults=True):
    """Mean absolute error of the `count` forecasts whose target time lies in a window."""

    value: float | None
    count: int
    value_reason: Reason = UNSET


class Means(msgspec.Struct, frozen=True):
    """The three windows."""

    one: Mean = field(name="1m")
    five: Mean = field(name="5m")
    fifteen: Mean = field(name="15m")


class ErrorMeans(msgspec.Struct, frozen=True):
    """The three windows."""

    one: ErrorMean = field(name="1m")
    five: ErrorMean = field(name="5m")
    fifteen: ErrorMean = field(name="15m")


class Forecast(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mid-price expected at `target_time`, with the 90 % band from `low` to `high`."""

    value: float
    low: float | None
    high: float | None
    target_time: str
    forecaster: str
    low_reason: Reason = UNSET
    high_reason: Reason = UNSET


class Rate(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often, between 0 and 1, of `count` times."""

    value: float | None
    count: int
    value_reason: Reason = UNSET


class Skill(msgspec.Struct, frozen=True, omit_defaults=True):
    """1 - error / error of "nothing changes" over 15 minutes, and how likely chance alone does as well."""

    value: float | None
    count: int
    p_value: float | None
    verdict: Verdict
    value_reason: Reason = UNSET
    p_value_reason: Reason = UNSET


class Insight(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="insight"):
    """Every figure of a product right after one quote."""

    v: Literal[1] = field(name="v")
    product_id: str
    time: str
    received_at: str
    sequence: int | None
    best_bid: str
    best_bid_size: str | None
    best_ask: str
    best_ask_size: str | None
    spread: float
    max_spread: MaxSpread
    mid_price: float
    mid_price_mean: Means
    forecast: Forecast
    forecast_error: float | None
    baseline_error: float | None
    forecast_error_mean: ErrorMeans
    baseline_error_mean: ErrorMeans
    band_hit_rate: Rate
    skill: Skill
    unscored: int
    missed: int
    reconnects: int
    sequence_reason: Reason = UNSET
    best_bid_size_reason: Reason = UNSET
    best_ask_size_reason: Reason = UNSET
    forecast_error_reason: Reason = UNSET
    baseline_error_reason: Reason = UNSET


def insight(state: State, quote: Quote, received_at: int, missed: int = 0, reconnects: int = 0) -> Insight:
    """Read every figure from the state, right after `update` has folded `quote`, received at this time (ns)."""
    whole, real = state.whole, state.real
    is_scored = whole[IS_SCORED] == 1
    no_error = UNSET if is_scored else _no_error(state)
    no_size = UNSET if quote.best_bid_size is not None else "this feed sends no sizes"
    return Insight(
        v=VERSION,
        product_id=quote.product_id,
        time=rfc3339(whole[TIME]),
        received_at=rfc3339(received_at // 1000),
        sequence=quote.sequence,
        best_bid=quote.best_bid,
        best_bid_size=quote.best_bid_size,
        best_ask=quote.best_ask,
        best_ask_size=quote.best_ask_size,
        spread=2 * (whole[ASK] - whole[BID]) / real[UNIT2],
        max_spread=MaxSpread(2 * whole[MAX_SPREAD] / real[UNIT2], rfc3339(whole[MAX_SPREAD_TIME])),
        mid_price=real[MID],
        mid_price_mean=Means(*(_mean(state, w, n) for w, n in enumerate((WINDOW_1M, WINDOW_5M, WINDOW_15M)))),
        forecast=_forecast(state),
        forecast_error=real[ERROR] if is_scored else None,
        baseline_error=whole[BASE_ERROR] / real[UNIT2] if is_scored else None,
        forecast_error_mean=ErrorMeans(*(_error_mean(state, w, score.forecast_error_mean(state, w)) for w in range(3))),
        baseline_error_mean=ErrorMeans(*(_error_mean(state, w, score.baseline_error_mean(state, w)) for w in range(3))),
        band_hit_rate=_band_hit_rate(state),
        skill=_skill(state),
        unscored=whole[UNSCORED],
        missed=missed,
        reconnects=reconnects,
        sequence_reason=UNSET if quote.sequence is not None else "this channel numbers no quotes",
        best_bid_size_reason=no_size,
        best_ask_size_reason=no_size,
        forecast_error_reason=no_error,
        baseline_error_reason=no_error,
    )


def rfc3339(time: int) -> str:
    """Write microseconds since 1970 as 2026-11-22T13:05:36.000000Z."""
    return (EPOCH + timedelta(microseconds=time)).isoformat(timespec="microseconds")[:26] + "Z"


def _no_error(state: State) -> str:
    if state.whole[MATURED] == 0:
        return "no forecast is 60 s old yet"
    return "the line was down at the target time"


def _mean(state: State, which: int, length: int) -> Mean:
    full = window.is_full(state, state.whole[TIME], length)
    return Mean(window.mid_price_mean(state, which), window.quotes_in(state, which), full)


def _error_mean(state: State, which: int, value: float) -> ErrorMean:
    count = score.scores_in(state, which)
    return ErrorMean(value, count) if count else ErrorMean(None, 0, "no forecast came due in this window")


def _forecast(state: State) -> Forecast:
    slot = (state.whole[COUNT] - 1) & (len(state.times) - 1)
    value, band = state.forecasts[slot], state.bands[slot]
    target_time = rfc3339(state.whole[TIME] + HORIZON)
    name = FORECASTERS[state.whole[FORECASTER]]
    if band >= 0.0:
        return Forecast(value, value - band, value + band, target_time, name)
    why = f"warming up ({state.whole[RETURNS]} of 12)"
    return Forecast(value, None, None, target_time, name, why, why)


def _band_hit_rate(state: State) -> Rate:
    count = score.bands_in(state)
    return Rate(score.band_hit_rate(state), count) if count else Rate(None, 0, "no band came due in 15 minutes")


def _skill(state: State) -> Skill:
    count, p_value, value = score.scores_in(state, 2), p_value_of(state), score.skill(state)
    known = value == value
    tested = p_value == p_value
    return Skill(
        value if known else None,
        count,
        p_value if tested else None,
        verdict(state),
        UNSET if known else ("nothing is scored yet" if count == 0 else "the price has not changed"),
        UNSET if tested else "fewer than two complete minutes are scored",
    )


def verdict(state: State) -> Verdict:
    """Say in a word whether the forecast beats "nothing changes"; "better" only where chance hardly does as well."""
    if score.scores_in(state, 2) < FEWEST_SCORED:
        return "too few scored"
    if not p_value_of(state) < SIGNIFICANT:
        return "same"
    return "better" if state.real[ADVANTAGE] > 0.0 else "worse"
