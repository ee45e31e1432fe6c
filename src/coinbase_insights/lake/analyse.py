"""From the quotes of one product to its insights, bars and scores: columns in, columns out. Pure.

The rules are those of the engine, compiled. What is remembered between two calls goes in and comes out as bytes, so
that a history may be cut anywhere and give the same rows, here or on a cluster.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..engine.fold import FIGURES, Columns
from ..engine.model import Model
from ..engine.state import COUNT, FORECASTER, FORECASTERS, NEVER, TIME, UNIT2, Saved, State, load, save
from ..engine.update import LONGEST_QUIET
from ..errors import StorageError, UsageError
from .bars import Bars, BarsMemory
from .folding import fold, same_units
from .scores import Scores
from .tables import INSIGHTS, schema

SCHEMA = schema(INSIGHTS)
COUNTS = tuple(column.name for column in INSIGHTS.columns if column.kind == "whole")


class ProductMemory(msgspec.Struct):
    """All that is remembered of one product."""

    state: Saved
    bars: BarsMemory
    outcomes: list[bytes]
    model: str = ""
    """The name of the model that it began with, and its digest; empty where that was a bare forecaster."""
    digest: str = ""


class Analysed(NamedTuple):
    """What has become of the quotes of one product."""

    insights: pa.Table
    bars: pa.Table
    scores: pa.Table
    memory: bytes
    is_late: bool = False
    """Whether the product begins with these quotes, and no later than what the model has learned of."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ProductMemory).decode


def analyse(product_id: str, quotes: pa.Table, model: Model, memory: bytes | None) -> Analysed:
    """Fold the quotes of a product, in their order; `memory` is what the call before gave, None at the start.

    Raises UsageError when the rows before were folded with another model or forecaster.
    """
    known = None if memory is None else _decode(memory)
    state = model.new_state(product_id) if known is None else _known(known.state)
    if known is not None:
        _refuse_other(known, model)
    bars = Bars(known.bars if known else None)
    finer, prices = same_units(state, quotes)
    bars.rescale(10**finer)
    had_quote, last_time = state.whole[COUNT] > 0, state.whole[TIME]
    state, columns, times, outcomes = fold(state, quotes, prices, with_figures=True)
    scores = Scores(known.outcomes if known else None)
    scores.add(outcomes)
    heard = _heard_until(columns, times, last_time)
    bars.add(times, columns.bids + columns.asks, columns.asks - columns.bids, heard, had_quote=had_quote)
    unit2 = state.real[UNIT2]
    return Analysed(
        _insights(product_id, model.name, times, columns),
        bars.table(product_id, unit2),
        scores.table(product_id, model.name),
        _encode(ProductMemory(save(state), bars.save(), scores.save(), model.name, model.digest)),
        is_late=not had_quote and model.is_late_for(product_id, state),
    )


def refuse_other(memory: bytes, model: Model) -> None:
    """Raise UsageError when what is remembered is of another model or forecaster."""
    _refuse_other(_decode(memory), model)


def _refuse_other(known: ProductMemory, model: Model) -> None:
    forecaster = FORECASTERS[known.state.whole[FORECASTER]]
    if (forecaster, known.digest) == (model.forecaster, model.digest):
        return
    made_by = f"the model {known.model}" if known.digest else f"the forecaster {forecaster}"
    other = f"the model {model.name}" if model.digest else model.forecaster
    raise UsageError(
        f"The tables were built with {made_by}, not {other}.",
        f"Go on with --model and the folder of {known.model}, or begin with --anew."
        if known.digest
        else f"Go on with --forecaster {forecaster}, or begin with --anew.",
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
            "Begin with --anew: what was built before is set aside.",
        ) from error


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
