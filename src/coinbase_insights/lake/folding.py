"""Rows of `quotes` through the compiled rules, and what became of the forecasts made at them. Pure.

What is built, and what a model is trained on, goes this one way.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..engine import compiled
from ..engine.fold import Columns
from ..engine.state import (
    COUNT,
    FORECASTER,
    HORIZON,
    LAST,
    MATURED,
    NEVER,
    TIME,
    UNIT2,
    State,
    decimals,
    rescale,
)  # fmt: skip
from ..quote import MOST_DECIMALS, SIZE_DECIMALS
from .scores import Outcomes

Prices = list[NDArray[Any]]


class Folded(NamedTuple):
    """What has become of the quotes of one product."""

    state: State
    columns: Columns
    times: Any
    """Of each quote as the rules have it: never before the one before it."""
    outcomes: Outcomes
    """Of the forecasts whose time has come."""


def fold(state: State, quotes: pa.Table, prices: Prices, *, with_figures: bool = False) -> Folded:
    """Fold the quotes of a product, whose `prices` are in the state's units, in their order."""
    pending = _pending(state)
    columns = compiled.columns(_history(quotes, prices), with_figures=with_figures, waiting=len(pending))
    times = times_of(state, quotes)
    matured = state.whole[MATURED]
    state = compiled.fold(state, columns)
    return Folded(state, columns, times, _outcomes(state, columns, pending, times, state.whole[MATURED] - matured))


def times_of(state: State, quotes: pa.Table) -> NDArray[Any]:
    """Give the time of each quote as the rules will have it."""
    times = quotes.column("time").cast(pa.int64()).to_numpy()
    return np.asarray(np.maximum.accumulate(np.maximum(times, state.whole[TIME])))


def same_units(state: State, quotes: pa.Table) -> tuple[int, Prices]:
    """Bring the state, and the prices to come, into units of the finest price.

    Gives how many more decimals these have, and bids and asks.
    """
    units = decimals(state)
    finest, prices = _finest(quotes, units)
    if finest > units:
        rescale(state, finest - units)
    return finest - units, prices


def whole_history(quotes: pa.Table) -> tuple[int, tuple[Any, ...]]:
    """Give the decimals of the finest price, and the columns that `compiled.columns` takes."""
    places, prices = _finest(quotes, 0)
    return places, _history(quotes, prices)


def _finest(quotes: pa.Table, least: int) -> tuple[int, Prices]:
    """Give the fewest decimals, and not fewer than `least`, in which all prices are whole; and bids and asks so."""
    prices: list[NDArray[Any] | None] = [None]
    for places in range(least, MOST_DECIMALS + 1):
        prices = [_whole(quotes.column(name), places) for name in ("best_bid", "best_ask")]
        if all(price is not None for price in prices):
            break
    return places, [price for price in prices if price is not None]


def _whole(prices: pa.ChunkedArray, places: int) -> NDArray[Any] | None:
    """Give exact decimals as whole numbers of 10^-places; None when some are finer."""
    column = _one(prices)
    words, fit = _words(column)
    if fit:
        finer = 10 ** (column.type.scale - places)
        units = words // finer
        return units if np.array_equal(units * finer, words) else None
    try:
        return _words(column.cast(pa.decimal128(38, places)))[0]
    except pa.ArrowInvalid:
        return None


def _one(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        found = pa.concat_arrays(found.chunks) if found.num_chunks else pa.array([], found.type)
    return found


def _words(decimals: pa.Array) -> tuple[NDArray[Any], bool]:
    """Give decimals in units of their last place, and whether all fit into 64 bits; anything where there is null."""
    both = np.frombuffer(decimals.buffers()[1] or b"", dtype=np.int64)
    both = both[2 * decimals.offset : 2 * (decimals.offset + len(decimals))]
    low, high = both[::2], both[1::2]
    return low, bool(np.array_equal(high, low >> 63))


def _sizes(quotes: pa.Table) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the sizes as the engine takes them; zeros where one is missing.

    n / 10^8 is the float nearest to the decimal, as `float` of its text is, while n and 10^8 are exact floats.
    """
    sides = []
    for name in ("best_bid_size", "best_ask_size"):
        column = _one(quotes.column(name).fill_null(0))
        words, fit = _words(column)
        if fit and not np.any((words < 0) | (words > 2**53)):
            sides.append(words / 10.0**SIZE_DECIMALS)
        else:
            sides.append(np.array([float(value) for value in column.to_pylist()]))
    is_known = (sides[0] > 0.0) & (sides[1] > 0.0)
    return np.where(is_known, sides[0], 0.0), np.where(is_known, sides[1], 0.0)


def _history(quotes: pa.Table, prices: list[NDArray[Any]]) -> tuple[Any, ...]:
    heard = quotes.column("heard_until").cast(pa.int64()).fill_null(NEVER)
    return (
        quotes.column("time").cast(pa.int64()).to_numpy(),
        *prices,
        *_sizes(quotes),
        heard.to_numpy(),
    )


def _pending(state: State) -> list[tuple[int, float, float]]:
    """Give the time, band and mid-price of the forecasts whose time has not come."""
    mask = len(state.times) - 1
    slots = [index & mask for index in range(state.whole[MATURED], state.whole[COUNT])]
    return [(state.times[slot], state.bands[slot], state.mids[slot] / state.real[UNIT2]) for slot in slots]


def _outcomes(
    state: State, columns: Columns, pending: list[tuple[int, float, float]], times: NDArray[Any], due: int
) -> Outcomes:
    """Give what became of the forecasts whose time has come with these quotes; `last` is "nothing changes" itself."""
    before = [np.array(values) for values in zip(*pending, strict=True)] if pending else [np.zeros(0)] * 3
    made_at = np.concatenate([before[0].astype(np.int64), times])[:due]
    bands = np.concatenate([before[1], columns.bands])[:due]
    mids = np.concatenate([before[2], (columns.bids + columns.asks) / state.real[UNIT2]])[:due]
    errors = columns.errors[:due]
    base_errors = errors if state.whole[FORECASTER] == LAST else columns.base_errors[:due]
    return Outcomes(made_at + HORIZON, errors, base_errors, bands, mids)
