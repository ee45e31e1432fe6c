"""The one set of rules: a quote in, all figures out.

    quote -> score what has come true -> learn at the marks passed -> windows -> forecast

Live, backtest and batch call this same function, interpreted or compiled; it uses no clock and does no I/O.
"""

from .forecast import band, forecast, learn_trend
from .learn import age, learn_until, start_learned, start_marks
from .score import drop_scores, score_until, skip_until
from .state import (
    ASK,
    BID,
    COUNT,
    DOWN,
    FIRST_MID2,
    FIRST_TIME,
    FORECASTER,
    HAS_SIZES,
    IMBALANCE,
    IS_SCORED,
    LEARNED_UNTIL,
    MAX_SPREAD,
    MAX_SPREAD_TIME,
    MID,
    MID2,
    NEVER,
    TIME,
    TREND,
    UNBROKEN_SINCE,
    UNIT2,
    State,
)  # fmt: skip
from .window import add_mid

LONGEST_QUIET = 86_400_000_000
"""Microseconds without a quote after which the line counts as having been down, whoever says that it was not."""


def update(state: State, time: int, bid: int, ask: int, bid_size: float, ask_size: float) -> None:
    """Fold one valid quote into the state; the figures right after it can then be read from it.

    `time` in microseconds, prices in the state's units, sizes in the base currency (0 where the feed sends none).
    A time before the last one counts as the last one. The state must be tidy (`state.is_tidy`).
    """
    whole = state.whole
    time = max(time, whole[TIME])
    if time - whole[TIME] > LONGEST_QUIET and whole[COUNT] > 0:
        break_line(state, whole[TIME])
    if whole[DOWN] != NEVER:
        resume(state, time)
    elif whole[COUNT] == 0:
        begin(state, time, bid + ask)
    else:
        score_until(state, time)
        learn_until(state, time)
    take(state, time, bid, ask, bid_size, ask_size)
    slot = add_mid(state, time, bid + ask)
    drop_scores(state, time)
    if whole[FORECASTER] == TREND:
        learn_trend(state, time, bid + ask)
    state.forecasts[slot] = forecast(state, time, ask - bid)
    state.bands[slot] = band(state, ask - bid)


def begin(state: State, time: int, mid2: int) -> None:
    """The first quote: all windows start here."""
    whole = state.whole
    whole[FIRST_TIME] = whole[UNBROKEN_SINCE] = whole[MAX_SPREAD_TIME] = time
    whole[FIRST_MID2] = mid2
    if whole[LEARNED_UNTIL] != NEVER:
        start_learned(state, time)
    start_marks(state, time)


def take(state: State, time: int, bid: int, ask: int, bid_size: float, ask_size: float) -> None:
    """Remember the quote as the one that stands, and the biggest spread so far."""
    whole, real = state.whole, state.real
    whole[TIME] = time
    whole[BID] = bid
    whole[ASK] = ask
    whole[MID2] = bid + ask
    real[MID] = (bid + ask) / real[UNIT2]
    sizes = bid_size + ask_size
    if sizes > 0.0:
        whole[HAS_SIZES] = 1
        real[IMBALANCE] = (bid_size - ask_size) / sizes
    else:
        whole[HAS_SIZES] = 0
        real[IMBALANCE] = 0.0
    if ask - bid > whole[MAX_SPREAD]:
        whole[MAX_SPREAD] = ask - bid
        whole[MAX_SPREAD_TIME] = time


def break_line(state: State, heard_until: int) -> None:
    """The line is down, and was last heard at `heard_until` (exchange time): until then the last quote held."""
    whole = state.whole
    if whole[COUNT] == 0 or whole[DOWN] != NEVER:
        return
    heard_until = min(heard_until, whole[TIME] + LONGEST_QUIET)
    score_until(state, heard_until)
    learn_until(state, heard_until)
    whole[DOWN] = max(heard_until, whole[TIME])


def resume(state: State, time: int) -> None:
    """The first quote after a gap: no forecast whose target time lay in it is scored, and no error is of now."""
    skip_until(state, time)
    state.whole[IS_SCORED] = 0
    age(state, (time - state.whole[DOWN]) / 1e6)
    state.whole[UNBROKEN_SINCE] = time
    state.whole[DOWN] = NEVER
    start_marks(state, time)
