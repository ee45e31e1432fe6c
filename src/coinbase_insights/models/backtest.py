"""How good is each forecaster? Every forecast it would have made, against what came true, beside "nothing changes"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import compiled
from ..engine.state import HORIZON, UNSCORED, new_state
from ..errors import RecordingError
from ..lake.scores import p_value
from .history import History, histories

HEADS = (
    "product_id", "forecaster", "scored", "unscored", "mae", "mae_ratio", "rmse_ratio", "p_value", "band_coverage",
    "band_width_bp",
)  # fmt: skip
COMPILING = "compiling the rules, once: about 20 s"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one forecaster is worth on one product."""

    product_id: str
    forecaster: str
    scored: int
    unscored: int
    """The line was down when their time came."""
    mae: float | None
    """Mean absolute error, in the quote currency."""
    mae_ratio: float | None
    """Over that of "nothing changes"; above 1 it is worse."""
    rmse_ratio: float | None
    """The same for the root of the mean squared error."""
    p_value: float | None
    """How often chance alone gives as large a difference of the absolute errors (Diebold and Mariano)."""
    band_coverage: float | None
    """How often the 90 % band held, between 0 and 1."""
    band_width_bp: float | None
    """Its mean full width, in basis points of the mid-price."""


def backtest(
    path: Path, forecasters: Sequence[str], channel: str = "ticker", tell: Callable[[str], None] | None = None
) -> list[Judgement]:
    """Judge forecasters on each product of a recording or grid; `tell` a person of what takes long.

    Raises RecordingError when there is no quote in it.
    """
    judgements: list[Judgement] = []
    for history in histories(path, channel, tell):
        if tell is not None and not judgements and not compiled.is_compiled():
            tell(COMPILING)
        judgements += [judge(history, name) for name in forecasters]
    if not judgements:
        other = "ticker" if channel == "level2" else "level2"
        raise RecordingError(
            f"There is no quote in {path}.", f"Is it a recording of another channel? Try --channel {other}."
        )
    if tell is not None and not any(judgement.scored for judgement in judgements):
        tell("no forecast came due: less than 60 s are recorded, or the line was down when they would have been over")
    return judgements


def judge(history: History, forecaster: str) -> Judgement:
    """Let one forecaster loose on one history."""
    columns = compiled.columns(history[2:])
    state = compiled.fold(new_state(forecaster, history.decimals), columns)
    scored = columns.errors >= 0.0
    error = columns.errors[scored]
    base_error = error if forecaster == "last" else columns.base_errors[scored]
    banded = scored & ~np.isnan(columns.bands)
    mid_price = (columns.bids + columns.asks) / state_unit2(history)
    return Judgement(
        history.product_id,
        forecaster,
        int(scored.sum()),
        state.whole[UNSCORED],
        _mean(error),
        _ratio(_mean(error), _mean(base_error)),
        _ratio(_mean(error**2), _mean(base_error**2), root=True),
        p_value(columns.times[scored] + HORIZON, error - base_error),
        _mean((columns.errors <= columns.bands)[banded]),
        _mean(2e4 * columns.bands[banded] / mid_price[banded]),
    )


def state_unit2(history: History) -> float:
    """What bid + ask must be divided by to give a mid-price in the quote currency."""
    return 2.0 * 10.0**history.decimals


def rows(judgements: Sequence[Judgement]) -> list[list[str | float | int | None]]:
    """Give the judgements as rows of a table under `HEADS`."""
    return [[getattr(judgement, head) for head in HEADS] for judgement in judgements]


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _ratio(value: float | None, base: float | None, root: bool = False) -> float | None:
    if value is None or not base:
        return None
    return float((value / base) ** 0.5) if root else value / base
