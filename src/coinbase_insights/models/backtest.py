"""How good is each forecaster? Every forecast it would have made, against what came true, beside "nothing changes"."""

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine import compiled
from ..engine.state import DEFAULTS, HORIZON, UNSCORED, Parameters, new_state
from ..errors import RecordingError
from ..lake.scores import p_value
from .curves import Curves, curves
from .history import History, histories
from .kept import is_lake, lake_histories

HEADS = (
    "product_id", "forecaster", "parameters", "scored", "unscored", "mae", "mae_ratio", "rmse_ratio", "p_value",
    "band_coverage", "band_width_bp",
)  # fmt: skip
KEPT_HEADS = ("source", *HEADS[:3], "first_time", "last_time", *HEADS[3:])
"""The columns of the table `backtests`, but `run_at`."""
TOUCHED = {"last": ("band_step",), "trend": ("band_step",), "tilt": Parameters._fields}
"""What each forecaster has of the parameters; the others change nothing."""
TELL_EVERY = 10.0
"""Seconds."""


class Question(NamedTuple):
    """What is to be judged."""

    forecasters: Sequence[str]
    grid: Sequence[Parameters] = (DEFAULTS,)
    channel: str = "ticker"
    """Of recordings."""
    with_curves: bool = False
    """Whether pictures will be drawn."""

    def varied(self) -> frozenset[str]:
        """Give the parameters of which the grid has several values."""
        values = zip(Parameters._fields, zip(*self.grid, strict=True), strict=True)
        return frozenset(name for name, found in values if len(set(found)) > 1)

    def cases(self) -> list[tuple[str, Parameters]]:
        """Give each forecaster with each set of parameters that is another one for it."""
        found = []
        for name in self.forecasters:
            touched = ({key: getattr(each, key) for key in TOUCHED[name]} for each in self.grid)
            found += [(name, each) for each in dict.fromkeys(DEFAULTS._replace(**values) for values in touched)]
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one forecaster is worth on one product."""

    source: str
    product_id: str
    forecaster: str
    parameters: str
    """Those that are not the defaults, and those of which several values were tried, as `ridge=1 half_life_h=6`."""
    first_time: int
    last_time: int
    """Of the quotes, microseconds."""
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
    curves: Curves | None = None
    """None where no pictures are wanted."""


def backtest(
    sources: Sequence[str | Path],
    question: Question,
    tell: Callable[[str], None] = lambda _: None,
    threads: int | None = None,
) -> list[Judgement]:
    """Judge forecasters on each product of recordings, grids and lakes, so many at a time; all cores if not said.

    `tell` a person of what takes long. The order of what comes back hangs on the question alone. Raises
    RecordingError when there is no quote in all of it.
    """
    judgements: list[Judgement] = []
    told_at = time.monotonic()
    for judgement, waiting in _judged(sources, question, tell, threads or os.cpu_count() or 1):
        judgements.append(judgement)
        if time.monotonic() - told_at > TELL_EVERY:
            told_at = time.monotonic()
            what = f"{judgement.product_id}, {judgement.forecaster} {judgement.parameters}".rstrip()
            tell(f"{len(judgements):,} judged, the last of them {what}; {waiting:,} of those that are read wait")
    if not judgements:
        other = "ticker" if question.channel == "level2" else "level2"
        are_lakes = all(is_lake(str(source)) for source in sources)
        raise RecordingError(
            f"There is no quote in {' or '.join(map(str, sources))}.",
            "Build the lake first: coinbase_insights build LAKE"
            if are_lakes
            else f"Is it a recording of another channel? Try --channel {other}.",
        )
    if not any(judgement.scored for judgement in judgements):
        tell("no forecast came due: less than 60 s are recorded, or the line was down when they would have been over")
    return judgements


def _judged(
    sources: Sequence[str | Path], question: Question, tell: Callable[[str], None], threads: int
) -> Iterator[tuple[Judgement, int]]:
    """Give each judgement, in order, and how many are still waited for.

    No more histories are read than keep the threads busy, which bounds the memory.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[Judgement]] = deque()
    is_told = compiled.is_compiled()
    try:
        for source in sources:
            for history in _histories(source, question.channel, tell):
                if not is_told:
                    tell(compiled.COMPILING)
                    is_told = True
                waiting += [
                    pool.submit(judge, history, *case, str(source), question.with_curves, question.varied())
                    for case in question.cases()
                ]
                while len(waiting) > threads:
                    yield waiting.popleft().result(), len(waiting)
        while waiting:
            yield waiting.popleft().result(), len(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _histories(source: str | Path, channel: str, tell: Callable[[str], None]) -> Iterator[History]:
    """Give the history of each product, with arrays for its columns."""
    found = lake_histories(str(source)) if is_lake(str(source)) else histories(Path(source), channel, tell)
    for history in found:
        if len(history.times):
            columns = compiled.columns(history[2:])
            yield History(history.product_id, history.decimals, *columns[:6])


def judge(
    history: History,
    forecaster: str,
    parameters: Parameters = DEFAULTS,
    source: str = "",
    with_curves: bool = False,
    varied: frozenset[str] = frozenset(),
) -> Judgement:
    """Let one forecaster loose on one history."""
    columns = compiled.columns(history[2:])
    state = compiled.fold(new_state(forecaster, history.decimals, parameters), columns)
    scored = columns.errors >= 0.0
    error = columns.errors[scored]
    base_error = error if forecaster == "last" else columns.base_errors[scored]
    banded = scored & ~np.isnan(columns.bands)
    mid_price = (columns.bids + columns.asks) / state_unit2(history)
    return Judgement(
        source,
        history.product_id,
        forecaster,
        named(parameters, varied & set(TOUCHED[forecaster])),
        int(columns.times[0]),
        int(columns.times[-1]),
        int(scored.sum()),
        state.whole[UNSCORED],
        _mean(error),
        _ratio(_mean(error), _mean(base_error)),
        _ratio(_mean(error**2), _mean(base_error**2), root=True),
        p_value(columns.times[scored] + HORIZON, error - base_error),
        _mean((columns.errors <= columns.bands)[banded]),
        _mean(2e4 * columns.bands[banded] / mid_price[banded]),
        curves(columns, base_error) if with_curves else None,
    )


def named(parameters: Parameters, always: Collection[str] = ()) -> str:
    """Write the parameters that are not the defaults, and some even where they are."""
    pairs = zip(Parameters._fields, parameters, DEFAULTS, strict=True)
    return " ".join(f"{name}={value:.9g}" for name, value, default in pairs if value != default or name in always)


def state_unit2(history: History) -> float:
    """What bid + ask must be divided by to give a mid-price in the quote currency."""
    return 2.0 * 10.0**history.decimals


def rows(judgements: Sequence[Judgement], heads: Sequence[str] = HEADS) -> list[list[str | float | int | None]]:
    """Give the judgements as rows of a table under these heads."""
    return [[getattr(judgement, head) for head in heads] for judgement in judgements]


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _ratio(value: float | None, base: float | None, root: bool = False) -> float | None:
    if value is None or not base:
        return None
    return float((value / base) ** 0.5) if root else value / base
