"""What pictures of a forecaster need: its errors and its bands, added up by uptime, hour, time and nominal level."""

from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.fold import Columns
from ..engine.state import HORIZON
from ..lake.scores import HOUR, MINUTE, p_value

DAY = 24 * HOUR
FIRST_UPTIME, UPTIME_STEP = 5.0, 1.5
"""The first bin of uptime, in minutes, and how many times as far as its begin each other one ends."""
LENGTHS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 28 * DAY)
"""Of the bins of time, the first that gives at most `MOST_BINS`."""
MOST_BINS = 90
FEWEST = 10
"""Forecasts that a point of a picture is worth."""
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Errors(NamedTuple):
    """Forecasts of one bin."""

    low: float
    high: float
    """Hours since the start, or of the day."""
    scored: int
    ratio: float | None
    """Mean absolute error over that of "nothing changes"; None where that is none, or too few were scored."""
    p_value: float | None


class Held(NamedTuple):
    """Bands of one stretch of time."""

    start: int
    length: int
    """Microseconds."""
    banded: int
    coverage: float | None
    """How often they held; None where too few had their outcome."""


class Curves(NamedTuple):
    """The pictures of one forecaster on one product, as numbers."""

    by_uptime: list[Errors]
    by_hour: list[Errors]
    coverage: list[Held]
    reliability: list[tuple[float, float]]
    """Nominal level, and how often a band of it held; empty if there was no band."""


class Scored(NamedTuple):
    """Forecasts that were scored; arrays of one length."""

    times: NDArray[Any]
    errors: NDArray[Any]
    base_errors: NDArray[Any]
    bands: NDArray[Any]


def curves(columns: Columns, base_errors: NDArray[Any]) -> Curves:
    """Add up what became of all forecasts; `base_errors` are those of "nothing changes", of the scored ones."""
    is_scored = columns.errors >= 0.0
    scored = Scored(columns.times[is_scored], columns.errors[is_scored], base_errors, columns.bands[is_scored])
    first, last = int(columns.times.min()), int(columns.times.max())
    is_banded = ~np.isnan(scored.bands)
    banded = Scored(*(values[is_banded] for values in scored))
    return Curves(by_uptime(scored, first, last), by_hour(scored), coverage(banded, first, last), reliability(banded))


def by_uptime(scored: Scored, first: int, last: int) -> list[Errors]:
    """The errors by hours since the first quote, in bins that grow with it."""
    edges = [0.0, FIRST_UPTIME]
    while edges[-1] * MINUTE <= last - first:
        edges.append(edges[-1] * UPTIME_STEP)
    bins = np.searchsorted(np.array(edges) * MINUTE, scored.times - first, side="right") - 1
    found = [_errors(scored, bins == number) for number in range(len(edges) - 1)]
    return [Errors(edges[i] / 60, edges[i + 1] / 60, *each) for i, each in enumerate(found)]


def by_hour(scored: Scored) -> list[Errors]:
    """The errors by hour of the day, UTC."""
    hours = scored.times // HOUR % 24
    return [Errors(hour, hour + 1, *_errors(scored, hours == hour)) for hour in range(24)]


def _errors(scored: Scored, here: NDArray[Any]) -> tuple[int, float | None, float | None]:
    count, base = int(here.sum()), float(scored.base_errors[here].sum())
    if count < FEWEST or not base:
        return count, None, None
    errors = scored.errors[here]
    p = p_value(scored.times[here] + HORIZON, errors - scored.base_errors[here])
    return count, float(errors.sum()) / base, p


def coverage(banded: Scored, first: int, last: int) -> list[Held]:
    """How often the band held, by stretches of time; one without forecasts has its place too."""
    length = next((each for each in LENGTHS if (last - first) / each <= MOST_BINS), LENGTHS[-1])
    begin = first // length
    bins = banded.times // length - begin
    counts = np.bincount(bins, minlength=last // length - begin + 1)
    hits = np.bincount(bins, weights=banded.errors <= banded.bands, minlength=len(counts))
    return [
        Held((begin + number) * length, length, int(count), float(hit / count) if count >= FEWEST else None)
        for number, (count, hit) in enumerate(zip(counts, hits, strict=True))
    ]


def reliability(banded: Scored) -> list[tuple[float, float]]:
    """How often bands of other nominal levels would have held: the 90 % band, scaled as a normal distribution says."""
    if len(banded.times) < FEWEST:
        return []
    usual = NormalDist()
    scales = [usual.inv_cdf((1 + level) / 2) / usual.inv_cdf(0.95) for level in LEVELS]
    shares = [float((banded.errors <= banded.bands * scale).mean()) for scale in scales]
    return list(zip(LEVELS, shares, strict=True))
