"""Skill: is the forecast better or worse than "nothing changes", or could chance alone do as well.

Forecasts of 60 s made each few seconds overlap, so their errors come in runs. The test therefore adds the differences
up by whole minutes of target time, and looks at the last fifteen complete ones.
"""

from math import atan, cos, pi, sin, sqrt

from .state import (
    ADVANTAGE,
    BLOCK,
    BLOCK_COUNT,
    BLOCK_SUM,
    BLOCKS,
    P_VALUE,
    TIME,
    State,
)  # fmt: skip

NOT_A_NUMBER = float("nan")
MINUTE = 60_000_000


def add_to_minute(state: State, target_time: int, difference: float) -> None:
    """Add one (error - error of "nothing changes"); when it begins a minute, the last one is complete: test."""
    minute = target_time // MINUTE
    if minute != state.whole[BLOCK]:
        if state.whole[BLOCK] >= 0:
            close_minute(state)
            test_skill(state, minute - 1)
        state.whole[BLOCK] = minute
        state.whole[BLOCK_COUNT] = 0
        state.real[BLOCK_SUM] = 0.0
    state.whole[BLOCK_COUNT] += 1
    state.real[BLOCK_SUM] += difference


def close_minute(state: State) -> None:
    """Keep the minute that is complete."""
    place = state.whole[BLOCK] % BLOCKS
    state.block_minutes[place] = state.whole[BLOCK]
    state.block_counts[place] = state.whole[BLOCK_COUNT]
    state.block_sums[place] = state.real[BLOCK_SUM]


def test_skill(state: State, newest: int) -> None:
    """Set `P_VALUE` and `ADVANTAGE` (errors saved, in the quote currency) from the fifteen minutes up to `newest`."""
    total = 0.0
    count = 0
    minutes = 0
    for place in range(BLOCKS):
        if state.block_minutes[place] > newest - BLOCKS:
            total += state.block_sums[place]
            count += state.block_counts[place]
            minutes += 1
    state.real[ADVANTAGE] = -total
    mean = total / count if count > 0 else 0.0
    variance = 0.0
    before = 0.0
    for minute in range(newest - BLOCKS + 1, newest + 1):
        place = minute % BLOCKS
        here = 0.0
        if state.block_minutes[place] == minute:
            here = state.block_sums[place] - mean * state.block_counts[place]
        variance += here * here + here * before
        before = here
    state.real[P_VALUE] = two_sided_p(total, variance, minutes)


def p_value(state: State) -> float:
    """How sure the skill is; NaN while too little is known, or when nothing of the last fifteen minutes is."""
    is_old = state.whole[TIME] // MINUTE - state.whole[BLOCK] >= BLOCKS
    return NOT_A_NUMBER if is_old else state.real[P_VALUE]


def two_sided_p(total: float, variance: float, minutes: int) -> float:
    """How often chance alone gives a total as far from zero; 1 when nothing differs, NaN when too little is known.

    Diebold and Mariano (1995), with neighbouring minutes at half weight in the variance (Newey and West 1987) and
    Student's t with (minutes - 1) degrees of freedom, as Harvey, Leybourne and Newbold (1997) advise.
    """
    if minutes < 2:
        return NOT_A_NUMBER
    if variance <= 0.0:
        return 1.0 if total == 0.0 else NOT_A_NUMBER
    within = student(abs(total) / sqrt(variance * minutes / (minutes - 1.0)), minutes - 1)
    return 1.0 - within if within < 1.0 else 0.0


def student(t: float, freedom: int) -> float:
    """Probability that Student's t lies within -t and t (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = atan(t / sqrt(float(freedom)))
    square = cos(angle) * cos(angle)
    odd = freedom % 2
    term = cos(angle) if odd == 1 else 1.0
    series = 0.0
    for k in range(odd, freedom - 1, 2):
        series += term
        term *= square * (k + 1.0) / (k + 2.0)
    if odd == 1:
        return 2.0 / pi * (angle + sin(angle) * series)
    return sin(angle) * series
