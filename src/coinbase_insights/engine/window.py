"""The windows of 1, 5 and 15 minutes: one ring of quotes, and three tails that move up behind the newest.

A window holds the quotes with t - length < time <= t, t being the exchange time of the newest quote: the same as
pandas `resample(length, origin="end")` at its last bin.
"""

from .state import (
    COUNT,
    TAIL,
    TOTAL,
    UNBROKEN_SINCE,
    UNIT2,
    WINDOW_1M,
    WINDOW_5M,
    WINDOW_15M,
    State,
)  # fmt: skip


def add_mid(state: State, time: int, mid2: int) -> int:
    """Take the newest quote into the ring, move the three tails up, and give the quote's slot."""
    whole, times = state.whole, state.times
    mask = len(times) - 1
    count = whole[COUNT]
    slot = count & mask
    times[slot] = time
    state.mids[slot] = mid2
    state.totals[slot] = whole[TOTAL]
    whole[TOTAL] += mid2
    whole[COUNT] = count + 1
    tail = whole[TAIL]
    while times[tail & mask] <= time - WINDOW_1M:
        tail += 1
    whole[TAIL] = tail
    tail = whole[TAIL + 1]
    while times[tail & mask] <= time - WINDOW_5M:
        tail += 1
    whole[TAIL + 1] = tail
    tail = whole[TAIL + 2]
    while times[tail & mask] <= time - WINDOW_15M:
        tail += 1
    whole[TAIL + 2] = tail
    return slot


def quotes_in(state: State, window: int) -> int:
    """How many quotes the window holds; window 0, 1, 2 for 1, 5, 15 minutes."""
    return state.whole[COUNT] - state.whole[TAIL + window]


def mid_price_mean(state: State, window: int) -> float:
    """Arithmetic mean of the mid-prices in the window, in the quote currency: one exact sum, one division."""
    tail = state.whole[TAIL + window]
    total = state.whole[TOTAL] - state.totals[tail & (len(state.times) - 1)]
    return total / ((state.whole[COUNT] - tail) * state.real[UNIT2])


def is_full(state: State, time: int, length: int) -> bool:
    """Tell whether the line has been up, without a break, since the window began."""
    return state.whole[UNBROKEN_SINCE] <= time - length
