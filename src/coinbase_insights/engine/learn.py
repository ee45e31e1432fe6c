"""Learning, on the marks: each 5 seconds of exchange time, with the quote that stood then.

On a fixed grid, what is learned does not depend on how often the feed speaks. A mark is passed when a later quote
comes. Only what has come true is learned from: a forecast of one mark is judged twelve marks later.
"""

from math import exp, log, sqrt

from .forecast import band, forecast, usual_tilt
from .state import (
    ASK,
    BAND_FACTOR,
    BAND_STEP,
    BETA,
    BID,
    DECAY_SECONDS,
    FAST_SECONDS,
    FAST_SQUARES,
    FIRST_BAND_FACTOR,
    HAS_SIZES,
    IMBALANCE,
    IMBALANCE_SQUARES,
    IMBALANCE_WEIGHT,
    LEARNED,
    LEARNED_UNTIL,
    MARK,
    MARK_DECAY,
    MARK_MID2,
    MARKS_AHEAD,
    MID,
    MID2,
    NEXT_MARK,
    PAIR_PRODUCTS,
    PAIR_SQUARES,
    PAIR_WEIGHT,
    RETURNS,
    RIDGE,
    SIGMA,
    SLOW_SECONDS,
    SLOW_SQUARES,
    USUAL_IMBALANCE,
    State,
)  # fmt: skip

NOT_A_NUMBER = float("nan")
MARK_SECONDS = 5.0
HORIZON_SECONDS = 60.0
FAST_DECAY = exp(-5 / 300)
SLOW_DECAY = exp(-5 / 3600)
LARGEST_MOVE = 0.2
"""A log return beyond this within 60 seconds is an outlier: shown and averaged, but nothing is learned from it."""
WARM = 12
"""Marks with a return before there is a band: one minute."""
BAND_MISS = 0.1
"""The share of misses that a 90 % band should have."""
SMALLEST_BAND_FACTOR = 0.05


def start_marks(state: State, time: int) -> None:
    """Begin, or go on after a gap: the next mark is the first at or after this time."""
    state.whole[NEXT_MARK] = -(-time // MARK)
    state.whole[MARK_MID2] = 0


def age(state: State, seconds: float) -> None:
    """Let what was learned before a gap weigh as little after it as the time that has passed demands."""
    real = state.real
    day, fast, slow = exp(-seconds / real[DECAY_SECONDS]), exp(-seconds / 300), exp(-seconds / 3600)
    real[IMBALANCE_SQUARES] *= day
    real[IMBALANCE_WEIGHT] *= day
    real[PAIR_WEIGHT] *= day
    real[PAIR_SQUARES] *= day
    real[PAIR_PRODUCTS] *= day
    real[FAST_SQUARES] *= fast
    real[FAST_SECONDS] *= fast
    real[SLOW_SQUARES] *= slow
    real[SLOW_SECONDS] *= slow


def start_learned(state: State, time: int) -> None:
    """Begin with what another one has learned, aged; with nothing where that is not of the past."""
    if time > state.whole[LEARNED_UNTIL]:
        age(state, (time - state.whole[LEARNED_UNTIL]) / 1e6)
        return
    state.whole[RETURNS] = 0
    for place in LEARNED:
        state.real[place] = 0.0
    state.real[SIGMA] = NOT_A_NUMBER
    state.real[BAND_FACTOR] = FIRST_BAND_FACTOR


def learn_until(state: State, time: int) -> None:
    """Learn at each mark before `time`, with the quote that stands now."""
    whole = state.whole
    while whole[NEXT_MARK] * MARK < time:
        learn_at(state, whole[NEXT_MARK])
        whole[NEXT_MARK] += 1


def learn_at(state: State, mark: int) -> None:
    """What came true, how much the price moves, how tilted the book usually is; then the forecast of this mark."""
    place = mark % MARKS_AHEAD
    if state.mark_numbers[place] == mark - MARKS_AHEAD:
        learn_outcome(state, place)
    learn_return(state)
    if state.whole[HAS_SIZES] == 1:
        learn_imbalance(state.real)
        state.mark_tilts[place] = usual_tilt(state.real)
    else:
        state.mark_tilts[place] = NOT_A_NUMBER
    spread = state.whole[ASK] - state.whole[BID]
    state.mark_numbers[place] = mark
    state.mark_mids[place] = state.whole[MID2]
    state.mark_forecasts[place] = forecast(state, mark * MARK, spread)
    state.mark_bands[place] = band(state, spread)


def learn_outcome(state: State, place: int) -> None:
    """Judge an earlier mark, whose 60 seconds have passed: did its band hold, and did the price follow the tilt.

    beta = sum(w z d) / (sum(w z^2) + ridge (sum(w) + 720)), d the move in basis points: a ridge regression, held
    back by an hour of marks.
    """
    real = state.real
    half = state.mark_bands[place]
    if half >= 0.0:
        miss = 1.0 if abs(real[MID] - state.mark_forecasts[place]) > half else 0.0
        real[BAND_FACTOR] = max(SMALLEST_BAND_FACTOR, real[BAND_FACTOR] * (1.0 + real[BAND_STEP] * (miss - BAND_MISS)))
    z = state.mark_tilts[place]
    move = log(state.whole[MID2] / state.mark_mids[place])
    if z == z and abs(move) <= LARGEST_MOVE:
        real[PAIR_WEIGHT] = real[PAIR_WEIGHT] * real[MARK_DECAY] + 1.0
        real[PAIR_SQUARES] = real[PAIR_SQUARES] * real[MARK_DECAY] + z * z
        real[PAIR_PRODUCTS] = real[PAIR_PRODUCTS] * real[MARK_DECAY] + z * (1e4 * move)
        real[BETA] = real[PAIR_PRODUCTS] / (real[PAIR_SQUARES] + real[RIDGE] * (real[PAIR_WEIGHT] + 720.0))


def learn_return(state: State) -> None:
    """The move since the last mark, into two variances per second: of about 5 minutes and of about an hour."""
    whole, real = state.whole, state.real
    before = whole[MARK_MID2]
    whole[MARK_MID2] = whole[MID2]
    if before == 0:
        return
    move = log(whole[MID2] / before)
    if abs(move) > LARGEST_MOVE:
        return
    square = move * move
    real[FAST_SQUARES] = real[FAST_SQUARES] * FAST_DECAY + square
    real[FAST_SECONDS] = real[FAST_SECONDS] * FAST_DECAY + MARK_SECONDS
    real[SLOW_SQUARES] = real[SLOW_SQUARES] * SLOW_DECAY + square
    real[SLOW_SECONDS] = real[SLOW_SECONDS] * SLOW_DECAY + MARK_SECONDS
    whole[RETURNS] += 1
    if whole[RETURNS] >= WARM:
        variance = 0.5 * (real[FAST_SQUARES] / real[FAST_SECONDS] + real[SLOW_SQUARES] / real[SLOW_SECONDS])
        real[SIGMA] = sqrt(variance * HORIZON_SECONDS)


def learn_imbalance(real: list[float]) -> None:
    """The usual size of the imbalance: its root mean square forgotten by half in `half_life_h`."""
    real[IMBALANCE_SQUARES] = real[IMBALANCE_SQUARES] * real[MARK_DECAY] + real[IMBALANCE] * real[IMBALANCE]
    real[IMBALANCE_WEIGHT] = real[IMBALANCE_WEIGHT] * real[MARK_DECAY] + 1.0
    real[USUAL_IMBALANCE] = sqrt(real[IMBALANCE_SQUARES] / real[IMBALANCE_WEIGHT])
