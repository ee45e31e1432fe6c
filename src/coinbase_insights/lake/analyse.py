"""From the quotes of one product to its insights, bars and scores: columns in, columns out. Pure.

The rules are those of the engine, compiled. What is remembered between two calls goes in and comes out as bytes, so
that a history may be cut anywhere and give the same rows, here or on a cluster.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..engine import compiled
from ..engine.fold import FIGURES, Columns
from ..engine.state import (
    COUNT,
    FORECASTER,
    FORECASTERS,
    HORIZON,
    MATURED,
    NEVER,
    TIME,
    UNIT2,
    Saved,
    State,
    decimals,
    load,
    new_state,
    rescale,
    save,
)  # fmt: skip
from ..engine.update import LONGEST_QUIET
from ..errors import StorageError, UsageError
from ..quote import MOST_DECIMALS, SIZE_DECIMALS
from .bars import Bars, BarsMemory
from .scores import Outcomes, Scores
from .tables import INSIGHTS, schema

SCHEMA = schema(INSIGHTS)
COUNTS = tuple(column.name for column in INSIGHTS.columns if column.kind == "whole")


class ProductMemory(msgspec.Struct):
    """All that is remembered of one product."""

    state: Saved
    bars: BarsMemory
    outcomes: list[bytes]


class Analysed(NamedTuple):
    """What has become of the quotes of one product."""

    insights: pa.Table
    bars: pa.Table
    scores: pa.Table
    memory: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ProductMemory).decode


def analyse(product_id: str, quotes: pa.Table, forecaster: str, memory: bytes | None) -> Analysed:
    """Fold the quotes of a product, in their order; `memory` is what the call before gave, None at the start.

    Raises UsageError when the rows before were folded with another forecaster.
    """
    known = None if memory is None else _decode(memory)
    state = new_state(forecaster) if known is None else _known(known.state)
    if FORECASTERS[state.whole[FORECASTER]] != forecaster:
        raise UsageError(
            f"The tables were built with the forecaster {FORECASTERS[state.whole[FORECASTER]]}, not {forecaster}.",
            f"Go on with --forecaster {FORECASTERS[state.whole[FORECASTER]]}.",
        )
    bars = Bars(known.bars if known else None)
    prices = _same_units(state, bars, quotes)
    pending = _pending(state)
    columns = compiled.columns(_history(quotes, prices), with_figures=True, waiting=len(pending))
    times = np.maximum.accumulate(np.maximum(columns.times, state.whole[TIME]))
    had_quote, matured, last_time = state.whole[COUNT] > 0, state.whole[MATURED], state.whole[TIME]
    state = compiled.fold(state, columns)
    scores = Scores(known.outcomes if known else None)
    scores.add(_outcomes(columns, pending, times, state.whole[MATURED] - matured))
    heard = _heard_until(columns, times, last_time)
    bars.add(times, columns.bids + columns.asks, columns.asks - columns.bids, heard, had_quote=had_quote)
    unit2 = state.real[UNIT2]
    return Analysed(
        _insights(product_id, forecaster, times, columns),
        bars.table(product_id, unit2),
        scores.table(product_id, forecaster),
        _encode(ProductMemory(save(state), bars.save(), scores.save())),
    )


def folded(memory: bytes) -> int:
    """Tell how many quotes of a product were folded."""
    return _decode(memory).state.whole[COUNT]


def _known(saved: Saved) -> State:
    try:
        return load(saved)
    except ValueError as error:
        raise StorageError(
            f"The tables were built by another version: {error}.",
            "Remove the folders insights, bars, scores and _memory of the lake, and build again.",
        ) from error


def _same_units(state: State, bars: Bars, quotes: pa.Table) -> list[NDArray[Any]]:
    """Bring what is remembered, and the prices to come, into units of the finest price; give bids and asks."""
    units = decimals(state)
    finer, prices = _finest(quotes, units)
    if finer > units:
        rescale(state, finer - units)
        bars.rescale(10 ** (finer - units))
    return prices


def whole_history(quotes: pa.Table) -> tuple[int, tuple[Any, ...]]:
    """Give the decimals of the finest price, and the columns that `compiled.columns` takes."""
    places, prices = _finest(quotes, 0)
    return places, _history(quotes, prices)


def _finest(quotes: pa.Table, least: int) -> tuple[int, list[NDArray[Any]]]:
    """Give the fewest decimals, and not fewer than `least`, in which all prices are whole; and bids and asks so."""
    prices: list[NDArray[Any] | None] = [None]
    for places in range(least, MOST_DECIMALS + 1):
        prices = [_whole(quotes.column(name), places) for name in ("best_bid", "best_ask")]
        if all(price is not None for price in prices):
            break
    return places, [price for price in prices if price is not None]


def _whole(prices: pa.ChunkedArray, places: int) -> NDArray[Any] | None:
    """Give exact decimals as whole numbers of 10^-places; None when some are finer."""
    try:
        column = prices.combine_chunks().cast(pa.decimal128(38, places))
    except pa.ArrowInvalid:
        return None
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.decimal128(38, places))
    words = np.frombuffer(column.buffers()[1] or b"", dtype=np.int64)
    return words[2 * column.offset : 2 * (column.offset + len(column)) : 2]


def _sizes(quotes: pa.Table) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the sizes as the engine takes them; zeros where one is missing.

    n / 10^8 is the float nearest to the decimal, as `float` of its text is, while n and 10^8 are exact floats.
    """
    sides = []
    for name in ("best_bid_size", "best_ask_size"):
        column = quotes.column(name).combine_chunks()
        whole = _whole(quotes.column(name).fill_null(0), SIZE_DECIMALS)
        values = np.zeros(0) if whole is None else whole / 10.0**SIZE_DECIMALS
        if whole is None or np.any((whole < 0) | (whole > 2**53)) or _is_large(column):
            values = np.array([0.0 if value is None else float(value) for value in column.to_pylist()])
        sides.append(np.where(np.asarray(column.is_null()), 0.0, values))
    is_known = (sides[0] > 0.0) & (sides[1] > 0.0)
    return np.where(is_known, sides[0], 0.0), np.where(is_known, sides[1], 0.0)


def _is_large(column: pa.Array) -> bool:
    """Whether a size is too large for the quick way."""
    largest = pa.compute.max(column).as_py()
    return largest is not None and largest > 90_000_000


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


def _outcomes(columns: Columns, pending: list[tuple[int, float, float]], times: NDArray[Any], due: int) -> Outcomes:
    """Give what became of the forecasts whose time has come with these quotes."""
    before = [np.array(values) for values in zip(*pending, strict=True)] if pending else [np.zeros(0)] * 3
    made_at = np.concatenate([before[0].astype(np.int64), times])[:due]
    bands = np.concatenate([before[1], columns.bands])[:due]
    mids = np.concatenate([before[2], columns.figures[:, 0]])[:due]
    return Outcomes(made_at + HORIZON, columns.errors[:due], columns.base_errors[:due], bands, mids)


def _heard_until(columns: Columns, times: NDArray[Any], last_time: int) -> NDArray[Any]:
    """Give until when each quote's predecessor stood: until the quote, or until the line was heard before it."""
    before = np.concatenate([[last_time], times[:-1]]).astype(np.int64)
    is_quiet = times - before > LONGEST_QUIET
    heard = np.clip(columns.heard_until, before, np.minimum(times, before + LONGEST_QUIET))
    return np.where(columns.heard_until != NEVER, heard, np.where(is_quiet, before, times))


def _insights(product_id: str, forecaster: str, times: NDArray[Any], columns: Columns) -> pa.Table:
    named = dict(zip(FIGURES, np.ascontiguousarray(columns.figures.T), strict=True))
    arrays = [
        pa.repeat(product_id, len(times)),
        pa.repeat(forecaster, len(times)),
        pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC")),
    ]
    for field in list(SCHEMA)[3:]:
        values = named[field.name]
        values = values.astype(np.int64) if field.name in COUNTS else values
        arrays.append(pa.array(values, from_pandas=field.nullable))
    return pa.table(arrays, schema=SCHEMA)
