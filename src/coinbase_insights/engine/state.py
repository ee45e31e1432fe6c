"""Everything the engine remembers of one product: numbers in arrays, and the names of their places.

Whole numbers fit in 64 bits. Prices among them are in units of 10^-decimals, and mid-prices in half units (`MID2` is
bid + ask), so that sums and differences of prices are exact. Nothing here knows where a quote comes from.

The ring holds one entry a quote, back to the oldest forecast that still counts in a window: 15 minutes and the
horizon. A sum over a window is the difference of two running totals, so a quote is added once, not once a window.
The ring doubles when it is full, up to `LARGEST_RING`; beyond, the oldest go first and no window is called full.
"""

from array import array
from math import log
from typing import Any, NamedTuple, cast

SECOND = 1_000_000
HORIZON = 60 * SECOND
"""How far ahead a forecast looks, in microseconds."""
MARK = 5 * SECOND
"""All learning happens on whole multiples of this exchange time."""
MARKS_AHEAD = HORIZON // MARK
WINDOW_1M, WINDOW_5M, WINDOW_15M = 60 * SECOND, 300 * SECOND, 900 * SECOND
FORECASTERS = ("last", "trend", "tilt")
LAST, TREND, TILT = 0, 1, 2
BLOCKS = 15
"""Complete minutes of forecast errors, over which skill is tested."""
SMALLEST_RING = 256
LARGEST_RING = 2**21
"""2,300 quotes a second for 15 minutes; a window of as many of the highest prices still fits in 64 bits."""
LARGEST_MID2 = 2 * 10**12
"""No bid + ask is larger in the state's units (quote.MOST_UNITS)."""
LARGEST_TOTAL = 2**62
"""A running total beyond this is brought back before it could leave 64 bits (`tidy`)."""
FIRST_BAND_FACTOR = 1.645
"""That of a normal distribution."""
NEVER = -(2**62)
"""A time before all times."""

# The places in `State.whole`. A run of three belongs to the windows 1m, 5m, 15m.
(
    FORECASTER, COUNT, TIME, BID, ASK, MID2, HAS_SIZES, FIRST_TIME, FIRST_MID2, UNBROKEN_SINCE, DOWN,
    MAX_SPREAD, MAX_SPREAD_TIME, TAIL, _1, _2, ERROR_TAIL, _3, _4,
    TOTAL, BASE_TOTAL, SCORED, BANDED, HITS, MATURED, UNSCORED, IS_SCORED, BASE_ERROR,
    NEXT_MARK, MARK_MID2, RETURNS, BLOCK, BLOCK_COUNT, LEARNED_UNTIL,
    WHOLES,
) = range(35)  # fmt: skip

# The places in `State.real`.
(
    UNIT2, MID, IMBALANCE, ERROR, ERROR_TOTAL, ERROR_REST, BLOCK_SUM, P_VALUE, ADVANTAGE,
    TREND_TIME, TREND_MID, TREND_TIMES, TREND_BOTH,
    IMBALANCE_SQUARES, IMBALANCE_WEIGHT, USUAL_IMBALANCE, PAIR_WEIGHT, PAIR_SQUARES, PAIR_PRODUCTS, BETA,
    FAST_SQUARES, FAST_SECONDS, SLOW_SQUARES, SLOW_SECONDS, SIGMA, BAND_FACTOR,
    MARK_DECAY, DECAY_SECONDS, RIDGE, PULL, BAND_STEP,
    REALS,
) = range(32)  # fmt: skip

LEARNED = (
    IMBALANCE_SQUARES, IMBALANCE_WEIGHT, USUAL_IMBALANCE, PAIR_WEIGHT, PAIR_SQUARES, PAIR_PRODUCTS, BETA,
    FAST_SQUARES, FAST_SECONDS, SLOW_SQUARES, SLOW_SECONDS, SIGMA, BAND_FACTOR,
)  # fmt: skip
"""What `Learned` keeps of `State.real`, in its order."""
_IN_UNITS = (BID, ASK, MID2, FIRST_MID2, MAX_SPREAD, TOTAL, BASE_TOTAL, BASE_ERROR, MARK_MID2)


class Parameters(NamedTuple):
    """What may be set of `tilt` and of the band; the formula and the defaults are those of docs/design.md."""

    half_life_h: float = 24.0
    """Hours after which what was learned weighs half."""
    ridge: float = 3.0
    """How strongly beta is held back."""
    pull: float = 0.5
    """Which share of the pull of the larger size is believed."""
    band_step: float = 0.03
    """How quickly the band widens after a miss."""


DEFAULTS = Parameters()


class Learned(NamedTuple):
    """What a product's forecaster has learned: with it another one need not begin with nothing."""

    until: int
    """Exchange time in microseconds; nothing after it was looked at."""
    returns: int
    imbalance_squares: float
    imbalance_weight: float
    usual_imbalance: float
    pair_weight: float
    pair_squares: float
    pair_products: float
    beta: float
    """Basis points for one usual imbalance."""
    fast_squares: float
    fast_seconds: float
    slow_squares: float
    slow_seconds: float
    sigma: float
    """Of the log return over 60 seconds; NaN while it is not known."""
    band_factor: float


class State(NamedTuple):
    """One product's memory; its arrays are changed in place."""

    whole: list[int]
    real: list[float]
    times: "array[int]"
    """The ring: the exchange time of each quote."""
    mids: "array[int]"
    """bid + ask of each quote."""
    totals: "array[int]"
    """Sum of bid + ask over all quotes before this one."""
    forecasts: "array[float]"
    """The mid-price expected 60 seconds after each quote."""
    bands: "array[float]"
    """Half the width of the 90 % band around it; NaN while that is not known."""
    error_totals: "array[float]"
    """Sum of the errors of all forecasts before this one; with the next, what the additions rounded away."""
    error_rests: "array[float]"
    errors: "array[float]"
    """How wrong the forecast was; -1 if the line was down at its target time. Then that of "nothing changes"."""
    base_errors: "array[int]"
    base_totals: "array[int]"
    """Sum of the errors of "nothing changes" of all forecasts before this one, in half units."""
    scored: "array[int]"
    """How many forecasts before this one were scored, how many of those had a band, and how often it held."""
    banded: "array[int]"
    hits: "array[int]"
    mark_numbers: "array[int]"
    """The last twelve marks, by number modulo 12."""
    mark_mids: "array[int]"
    mark_tilts: "array[float]"
    """z, the imbalance in units of its usual size; NaN where the feed sent no sizes."""
    mark_forecasts: "array[float]"
    mark_bands: "array[float]"
    block_minutes: "array[int]"
    """The last fifteen complete minutes of target times, by number modulo 15."""
    block_counts: "array[int]"
    block_sums: "array[float]"
    """Sum of (error - error of "nothing changes") over the minute."""


_RING = (
    "times", "mids", "totals", "forecasts", "bands", "error_totals", "error_rests", "errors", "base_errors",
    "base_totals", "scored", "banded", "hits",
)  # fmt: skip
_REAL_ARRAYS = (
    "forecasts", "bands", "error_totals", "error_rests", "errors", "mark_tilts", "mark_forecasts", "mark_bands",
    "block_sums",
)  # fmt: skip


def new_state(
    forecaster: str = "tilt", decimals: int = 0, parameters: Parameters = DEFAULTS, learned: Learned | None = None
) -> State:
    """Make the memory of a product of which nothing is known yet, but perhaps what another one has learned of it."""
    whole = [0] * WHOLES
    real = [0.0] * REALS
    whole[FORECASTER] = FORECASTERS.index(forecaster)
    whole[TIME] = whole[UNBROKEN_SINCE] = whole[DOWN] = NEVER
    whole[BLOCK] = -1
    real[UNIT2] = 2.0 * 10.0**decimals
    real[P_VALUE] = float("nan")
    real[MARK_DECAY] = 0.5 ** (5 / (3600 * parameters.half_life_h))
    real[DECAY_SECONDS] = 3600 * parameters.half_life_h / log(2.0)
    real[RIDGE], real[PULL], real[BAND_STEP] = parameters.ridge, parameters.pull, parameters.band_step
    sizes = dict.fromkeys(State._fields[2:], SMALLEST_RING)
    sizes |= {name: MARKS_AHEAD for name in sizes if name.startswith("mark_")}
    sizes |= {name: BLOCKS for name in sizes if name.startswith("block_")}
    state = State(whole, real, *(_zeros(name, size) for name, size in sizes.items()))
    for numbers in (state.mark_numbers, state.block_minutes):
        numbers[:] = array("q", [-MARKS_AHEAD - 1]) * len(numbers)
    know(state, UNLEARNED if learned is None else learned)
    return state


UNLEARNED = Learned._make([NEVER, 0, *[0.0] * 11, float("nan"), FIRST_BAND_FACTOR])


def know(state: State, learned: Learned) -> None:
    """Put what was learned in the place of what the state has learned."""
    state.whole[LEARNED_UNTIL], state.whole[RETURNS] = learned.until, learned.returns
    for place, value in zip(LEARNED, learned[2:], strict=True):
        state.real[place] = value


def learned(state: State) -> Learned:
    """Give what the state has learned, up to its newest quote."""
    return Learned(state.whole[TIME], state.whole[RETURNS], *(state.real[place] for place in LEARNED))


def _zeros(name: str, size: int) -> "array[Any]":
    return array("d" if name in _REAL_ARRAYS else "q", [0]) * size


def decimals(state: State) -> int:
    """Give the number of decimals that the state's whole prices are in units of."""
    return len(str(int(state.real[UNIT2]))) - 1


def can_rescale(state: State, more_decimals: int) -> bool:
    """Tell whether every price that is remembered still fits in finer units."""
    whole = state.whole
    largest = max(whole[MID2], whole[FIRST_MID2], whole[MAX_SPREAD], *state.mids, *state.mark_mids)
    return largest * int(10**more_decimals) <= LARGEST_MID2


def rescale(state: State, more_decimals: int) -> None:
    """Go over to finer units, because a price with more decimals than any before has come. No figure changes."""
    rebase(state)
    factor = 10**more_decimals
    for place in _IN_UNITS:
        state.whole[place] *= factor
    for values in (state.mids, state.totals, state.base_totals, state.base_errors, state.mark_mids):
        for i, value in enumerate(values):
            values[i] = value * factor
    state.real[UNIT2] *= factor


def is_tidy(state: State) -> bool:
    """Tell whether the next quote can be taken in without `tidy`."""
    whole = state.whole
    return whole[COUNT] - whole[ERROR_TAIL + 2] < len(state.times) and whole[TOTAL] < LARGEST_TOTAL


def tidy(state: State) -> State:
    """Make room in the ring and in the running totals; every entry keeps its number. No figure changes.

    A ring of the largest size gives up its oldest quote instead.
    """
    if state.whole[TOTAL] >= LARGEST_TOTAL:
        rebase(state)
    if is_tidy(state):
        return state
    if len(state.times) >= LARGEST_RING:
        drop_oldest(state)
        return state
    return _grown(state)


def rebase(state: State) -> None:
    """Start the running totals of prices anew at the oldest entry, so that they stay within 64 bits."""
    whole = state.whole
    oldest = whole[ERROR_TAIL + 2]
    slot = oldest & (len(state.times) - 1)
    _start_at(state.totals, state.totals[slot] if oldest < whole[COUNT] else whole[TOTAL], whole, TOTAL)
    base_start = state.base_totals[slot] if oldest < whole[MATURED] else whole[BASE_TOTAL]
    _start_at(state.base_totals, base_start, whole, BASE_TOTAL)


def _start_at(totals: "array[int]", start: int, whole: list[int], place: int) -> None:
    whole[place] -= start
    for i, total in enumerate(totals):
        totals[i] = max(0, total - start)


def drop_oldest(state: State) -> None:
    """Forget the oldest quote; no window that held it is full then."""
    whole = state.whole
    oldest = whole[ERROR_TAIL + 2]
    slot = oldest & (len(state.times) - 1)
    if whole[MATURED] == oldest:
        whole[MATURED] += 1
        whole[UNSCORED] += 1
    for window in range(3):
        whole[TAIL + window] = max(whole[TAIL + window], oldest + 1)
        whole[ERROR_TAIL + window] = max(whole[ERROR_TAIL + window], oldest + 1)
    whole[UNBROKEN_SINCE] = max(whole[UNBROKEN_SINCE], state.times[slot])


def _grown(state: State) -> State:
    larger = {name: _spread(name, getattr(state, name), state.whole[COUNT]) for name in _RING}
    return state._replace(**cast("Any", larger))


def _spread(name: str, ring: "array[Any]", count: int) -> "array[Any]":
    """Give a ring of twice the size, in which each of the last entries stands where its number says."""
    size = len(ring)
    oldest = count % size
    entries = ring[oldest:] + ring[:oldest]
    larger = _zeros(name, 2 * size)
    start = (count - size) % (2 * size)
    at_the_end = min(size, 2 * size - start)
    larger[start : start + at_the_end] = entries[:at_the_end]
    larger[: size - at_the_end] = entries[at_the_end:]
    return larger


class Saved(NamedTuple):
    """A state as plain numbers and bytes (little-endian, as the rings lie in memory)."""

    whole: list[int]
    real: list[float]
    rings: list[bytes]


def save(state: State) -> Saved:
    """Give the state as it is now."""
    return Saved(list(state.whole), list(state.real), [ring.tobytes() for ring in state[2:]])


def load(saved: Saved) -> State:
    """Take back what `save` gave. Raises ValueError for what another version of the rules has saved."""
    if (len(saved.whole), len(saved.real), len(saved.rings)) != (WHOLES, REALS, len(_NAMES)):
        raise ValueError("the state was saved by another version of the rules")
    rings: list[array[Any]] = [
        array("d" if name in _REAL_ARRAYS else "q", data) for name, data in zip(_NAMES, saved.rings, strict=True)
    ]
    return State([int(value) for value in saved.whole], [float(value) for value in saved.real], *rings)


_NAMES = State._fields[2:]
