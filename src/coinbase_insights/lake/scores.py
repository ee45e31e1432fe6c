"""Scores: how good the forecasts of an hour were, told once all of them have met the truth. Pure.

An hour is judged by all its outcomes at once, so its score is the same wherever the history was cut.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..engine.skill import two_sided_p
from .tables import SCORES, schema

SCHEMA = schema(SCORES)
MINUTE, HOUR = 60_000_000, 3_600_000_000


class Outcomes(NamedTuple):
    """What became of forecasts, in the order of their target times; arrays of one length."""

    target_times: Any
    errors: Any
    """-1 where the line was down at the target time."""
    base_errors: Any
    """Of "nothing changes", or of whatever else the forecasts are compared with."""
    bands: Any
    """Half the width; NaN where there was none."""
    mids: Any
    """Mid-price when the forecast was made."""


class Scores:
    """Gathers the outcomes of one product, and judges each hour that is over."""

    def __init__(self, memory: list[bytes] | None) -> None:
        """Begin, or go on where another one was saved."""
        kinds = (np.int64, *(np.float64,) * 4)
        self._waiting = Outcomes(*(np.zeros(0, kind) for kind in kinds))
        if memory is not None:
            arrays = (np.frombuffer(data, kind) for data, kind in zip(memory, kinds, strict=True))
            self._waiting = Outcomes(*arrays)

    def save(self) -> list[bytes]:
        """Give what is remembered: the outcomes of the hour that is not over."""
        return [np.ascontiguousarray(values).tobytes() for values in self._waiting]

    def add(self, outcomes: Outcomes) -> None:
        """Take outcomes in."""
        self._waiting = Outcomes(*(np.concatenate(pair) for pair in zip(self._waiting, outcomes, strict=True)))

    def table(self, product_id: str, forecaster: str) -> pa.Table:
        """Judge the hours that are over: a forecast for a later one has met its truth."""
        hours = self._waiting.target_times // HOUR
        bounds = np.flatnonzero(np.diff(hours)) + 1
        starts = np.concatenate([[0], bounds])
        rows = [
            judged(product_id, forecaster, Outcomes(*(values[start:end] for values in self._waiting)))
            for start, end in zip(starts[:-1], bounds, strict=True)
        ]
        self._waiting = Outcomes(*(values[starts[-1] :] for values in self._waiting))
        columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
        arrays = [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        return pa.table(arrays, schema=SCHEMA)


def _array(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - of any column
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def judged(product_id: str, forecaster: str, outcomes: Outcomes) -> tuple[Any, ...]:
    """Give the score of one hour as a row of `scores`."""
    is_scored = outcomes.errors >= 0.0
    errors, bands = outcomes.errors[is_scored], outcomes.bands[is_scored]
    base_errors = outcomes.base_errors[is_scored]
    is_banded = ~np.isnan(bands)
    error, base = _mean(errors), _mean(base_errors)
    return (
        product_id,
        forecaster,
        int(outcomes.target_times[0] // HOUR * HOUR),
        len(errors),
        len(outcomes.errors) - len(errors),
        error,
        base,
        1.0 - error / base if error is not None and base else None,
        p_value(outcomes.target_times[is_scored], errors - base_errors),
        int(is_banded.sum()),
        _mean((errors <= bands)[is_banded]),
        _mean((2e4 * bands / outcomes.mids[is_scored])[is_banded]),
    )


def p_value(target_times: NDArray[Any], differences: NDArray[Any]) -> float | None:
    """How often chance alone differs as much, by whole minutes, as engine/skill.py; None when two are not complete."""
    minutes, index = np.unique(target_times // MINUTE, return_inverse=True)
    total = float(differences.sum())
    centred = np.bincount(index, weights=differences - total / max(1, len(differences)))
    return p_of_minutes(minutes, total, centred)


def p_of_minutes(minutes: NDArray[Any], total: float, centred: NDArray[Any]) -> float | None:
    """The same, where the differences were added up by minutes, each less its count times the mean."""
    if len(minutes) < 2:
        return None
    neighbours = np.diff(minutes) == 1
    variance = float((centred**2).sum() + (centred[1:] * centred[:-1])[neighbours].sum())
    p = two_sided_p(total, variance, len(minutes))
    return p if p == p else None  # noqa: PLR0124 - NaN where the variance is none


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
