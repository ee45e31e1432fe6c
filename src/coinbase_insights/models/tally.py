"""What became of forecasts, added up by minutes of target time: a year of them needs no more than its minutes. Pure.

Errors are in basis points of the mid-price when the forecast was made, so that products can be compared and added.
A minute is added up at once when it is over, so its sums are the same wherever the history was cut.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..lake.scores import MINUTE, Outcomes, p_of_minutes
from .folder import Standing

NOTHING = Outcomes(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(4)))


class Sums(NamedTuple):
    """What is added up of each minute; arrays of one length."""

    minutes: Any
    scored: Any
    unscored: Any
    errors: Any
    against: Any
    """Errors of the other, whom the forecasts are compared with."""
    banded: Any
    hits: Any
    widths: Any


class Tally:
    """Adds up the outcomes of one product."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._waiting = NOTHING
        self._sums: list[Sums] = []

    def add(self, outcomes: Outcomes) -> None:
        """Take outcomes in, in the order of their target times."""
        both = Outcomes(*(np.concatenate(pair) for pair in zip(self._waiting, outcomes, strict=True)))
        open_since = both.target_times[-1] // MINUTE * MINUTE if len(both.target_times) else 0
        over = int(np.searchsorted(both.target_times, open_since))
        self._close(Outcomes(*(values[:over] for values in both)))
        self._waiting = Outcomes(*(values[over:] for values in both))

    def sums(self) -> Sums:
        """Give the sums of all minutes, the last one too; nothing may be added after it."""
        self._close(self._waiting)
        self._waiting = NOTHING
        return joined(self._sums)

    def _close(self, outcomes: Outcomes) -> None:
        if len(outcomes.target_times):
            self._sums.append(_added_up(outcomes))


def _added_up(outcomes: Outcomes) -> Sums:
    minutes, index = np.unique(outcomes.target_times // MINUTE, return_inverse=True)
    is_scored = (outcomes.errors >= 0.0) & (outcomes.base_errors >= 0.0)
    is_banded = is_scored & ~np.isnan(outcomes.bands)
    in_bp = 1e4 / outcomes.mids

    def add(values: NDArray[Any], which: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(index[which], weights=values[which], minlength=len(minutes))

    ones = np.ones(len(index))
    return Sums(
        minutes,
        add(ones, is_scored),
        add(ones, ~is_scored),
        add(outcomes.errors * in_bp, is_scored),
        add(outcomes.base_errors * in_bp, is_scored),
        add(ones, is_banded),
        add(1.0 * (outcomes.errors <= outcomes.bands), is_banded),
        add(2.0 * outcomes.bands * in_bp, is_banded),
    )


def joined(sums: Sequence[Sums]) -> Sums:
    """Give the sums of all together, those of the same minute added.

    Products move together, so their forecasts of one minute are one piece of evidence, and not as many as products.
    """
    if not sums:
        return _added_up(NOTHING)
    together = [np.concatenate(values) for values in zip(*sums, strict=True)]
    minutes, index = np.unique(together[0], return_inverse=True)
    return Sums(minutes, *(np.bincount(index, weights=values, minlength=len(minutes)) for values in together[1:]))


def standing(product_id: str, against: str, sums: Sums) -> Standing:
    """Say how good the forecasts were beside those of the other."""
    scored, banded = float(sums.scored.sum()), float(sums.banded.sum())
    error, other = _ratio(sums.errors.sum(), scored), _ratio(sums.against.sum(), scored)
    return Standing(
        product_id,
        against,
        int(scored),
        int(sums.unscored.sum()),
        error,
        other,
        1.0 - error / other if error is not None and other else None,
        _p_value(sums, scored),
        _ratio(sums.hits.sum(), banded),
        _ratio(sums.widths.sum(), banded),
    )


def _ratio(total: float, count: float) -> float | None:
    return float(total) / count if count else None


def _p_value(sums: Sums, scored: float) -> float | None:
    has = sums.scored > 0
    differences = sums.errors[has] - sums.against[has]
    total = float(differences.sum())
    return p_of_minutes(sums.minutes[has], total, differences - sums.scored[has] * (total / max(1.0, scored)))
