"""How wrong the forecasts were, once the truth is known, beside "nothing changes".

A forecast made at `time` is for `time` + 60 s. Its truth is the mid-price of the last valid quote at or before that
time, known once a later quote has come. When the line was down at the target time there is no truth: the forecast is
counted as unscored and never compared with anything. Nothing is matched by counting rows.
"""

from .skill import add_to_minute
from .state import (
    BANDED,
    BASE_ERROR,
    BASE_TOTAL,
    COUNT,
    ERROR,
    ERROR_REST,
    ERROR_TAIL,
    ERROR_TOTAL,
    HITS,
    HORIZON,
    IS_SCORED,
    MATURED,
    MID,
    MID2,
    SCORED,
    UNIT2,
    UNSCORED,
    WINDOW_1M,
    WINDOW_5M,
    WINDOW_15M,
    State,
)  # fmt: skip

NOT_A_NUMBER = float("nan")


def score_until(state: State, time: int) -> None:
    """Score each forecast whose target time lies before `time`, by the mid-price that stands now."""
    whole, times = state.whole, state.times
    mask = len(times) - 1
    while whole[MATURED] < whole[COUNT] and times[whole[MATURED] & mask] + HORIZON < time:
        score_oldest(state, whole[MATURED] & mask)


def score_oldest(state: State, slot: int) -> None:
    """Compare the oldest forecast without a score with the mid-price of now."""
    whole, real = state.whole, state.real
    write_totals(state, slot)
    error = abs(real[MID] - state.forecasts[slot])
    base_error = abs(whole[MID2] - state.mids[slot])
    state.errors[slot] = error
    state.base_errors[slot] = base_error
    add_exactly(real, error)
    whole[BASE_TOTAL] += base_error
    whole[SCORED] += 1
    band = state.bands[slot]
    if band >= 0.0:
        whole[BANDED] += 1
        if error <= band:
            whole[HITS] += 1
    real[ERROR] = error
    whole[BASE_ERROR] = base_error
    whole[IS_SCORED] = 1
    whole[MATURED] += 1
    add_to_minute(state, state.times[slot] + HORIZON, error - abs(real[MID] - state.mids[slot] / real[UNIT2]))


def skip_until(state: State, time: int) -> None:
    """Leave each forecast without a score whose target time lies before `time`: the line was down then."""
    whole = state.whole
    mask = len(state.times) - 1
    while whole[MATURED] < whole[COUNT] and state.times[whole[MATURED] & mask] + HORIZON < time:
        skip_oldest(state, whole[MATURED] & mask)


def skip_oldest(state: State, slot: int) -> None:
    """Leave the oldest forecast without a score."""
    write_totals(state, slot)
    state.errors[slot] = -1.0
    state.base_errors[slot] = -1
    state.whole[UNSCORED] += 1
    state.whole[IS_SCORED] = 0
    state.whole[MATURED] += 1


def write_totals(state: State, slot: int) -> None:
    """Note beside a forecast the totals of all that were scored before it."""
    whole = state.whole
    state.error_totals[slot] = state.real[ERROR_TOTAL]
    state.error_rests[slot] = state.real[ERROR_REST]
    state.base_totals[slot] = whole[BASE_TOTAL]
    state.scored[slot] = whole[SCORED]
    state.banded[slot] = whole[BANDED]
    state.hits[slot] = whole[HITS]


def add_exactly(real: list[float], error: float) -> None:
    """Add to the total of errors and keep what the addition rounds away, so that differences of totals never drift.

    Neumaier's sum (Zeitschrift fuer Angewandte Mathematik und Mechanik 54, 1974).
    """
    total = real[ERROR_TOTAL]
    new = total + error
    if total >= error:
        real[ERROR_REST] += (total - new) + error
    else:
        real[ERROR_REST] += (error - new) + total
    real[ERROR_TOTAL] = new


def drop_scores(state: State, time: int) -> None:
    """Move the tails up to the first forecast whose target time is in (time - length, time], for each window."""
    whole, times = state.whole, state.times
    mask = len(times) - 1
    matured = whole[MATURED]
    until = time - HORIZON
    tail = whole[ERROR_TAIL]
    while tail < matured and times[tail & mask] <= until - WINDOW_1M:
        tail += 1
    whole[ERROR_TAIL] = tail
    tail = whole[ERROR_TAIL + 1]
    while tail < matured and times[tail & mask] <= until - WINDOW_5M:
        tail += 1
    whole[ERROR_TAIL + 1] = tail
    tail = whole[ERROR_TAIL + 2]
    while tail < matured and times[tail & mask] <= until - WINDOW_15M:
        tail += 1
    whole[ERROR_TAIL + 2] = tail


def scores_in(state: State, window: int) -> int:
    """How many scored forecasts have their target time in the window."""
    whole = state.whole
    tail = whole[ERROR_TAIL + window]
    if tail == whole[MATURED]:
        return 0
    return whole[SCORED] - state.scored[tail & (len(state.times) - 1)]


def forecast_error_mean(state: State, window: int) -> float:
    """Mean absolute error of the forecasts with their target time in the window, in the quote currency; NaN if none."""
    count = scores_in(state, window)
    if count == 0:
        return NOT_A_NUMBER
    slot = state.whole[ERROR_TAIL + window] & (len(state.times) - 1)
    total = state.real[ERROR_TOTAL] - state.error_totals[slot]
    return (total + (state.real[ERROR_REST] - state.error_rests[slot])) / count


def baseline_error_mean(state: State, window: int) -> float:
    """The same for "nothing changes"."""
    count = scores_in(state, window)
    if count == 0:
        return NOT_A_NUMBER
    slot = state.whole[ERROR_TAIL + window] & (len(state.times) - 1)
    return (state.whole[BASE_TOTAL] - state.base_totals[slot]) / (count * state.real[UNIT2])


def bands_in(state: State) -> int:
    """How many of the forecasts scored in the last 15 minutes had a band."""
    if scores_in(state, 2) == 0:
        return 0
    return state.whole[BANDED] - state.banded[state.whole[ERROR_TAIL + 2] & (len(state.times) - 1)]


def band_hit_rate(state: State) -> float:
    """How often the band held, of those forecasts; NaN if there were none."""
    count = bands_in(state)
    if count == 0:
        return NOT_A_NUMBER
    return (state.whole[HITS] - state.hits[state.whole[ERROR_TAIL + 2] & (len(state.times) - 1)]) / count


def skill(state: State) -> float:
    """1 - error / error of "nothing changes" over 15 minutes; NaN while nothing is scored or nothing has changed."""
    base = baseline_error_mean(state, 2)
    return 1.0 - forecast_error_mean(state, 2) / base if base > 0.0 else NOT_A_NUMBER
