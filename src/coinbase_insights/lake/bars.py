"""Bars: mid-prices over clock-aligned stretches, gathered from pieces of a history and given when they are over. Pure.

All sums are of whole numbers, so that a bar is the same wherever the history was cut.
"""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .tables import BARS, schema

SECOND = 1_000_000
LENGTHS = {"1m": 60 * SECOND, "5m": 300 * SECOND, "1h": 3600 * SECOND}
SCHEMA = schema(BARS)
PLACE, OPEN, HIGH, LOW, CLOSE, TOTAL, MAX_SPREAD, QUOTES, COVERED = range(9)
IN_UNITS = (OPEN, HIGH, LOW, CLOSE, TOTAL, MAX_SPREAD)


class BarsMemory(msgspec.Struct):
    """The bars that are not over, by their length, and the time of the newest quote."""

    open: dict[str, list[int]]
    time: int


class Bars:
    """Gathers the bars of one product; prices are bid + ask in the engine's units."""

    def __init__(self, memory: BarsMemory | None) -> None:
        """Begin, or go on where another one was saved."""
        self._open = {} if memory is None else memory.open
        self._time = 0 if memory is None else memory.time
        self._over: list[tuple[str, NDArray[Any]]] = []

    def save(self) -> BarsMemory:
        """Give what is remembered."""
        return BarsMemory(self._open, self._time)

    def rescale(self, factor: int) -> None:
        """Go over to finer units."""
        for bar in self._open.values():
            for place in IN_UNITS:
                bar[place] *= factor

    def add(
        self,
        times: NDArray[Any],
        mids: NDArray[Any],
        spreads: NDArray[Any],
        heard_until: NDArray[Any],
        *,
        had_quote: bool,
    ) -> None:
        """Take quotes in; the one before each stood until `heard_until`."""
        if not len(times):
            return
        starts = np.concatenate([[self._time if had_quote else times[0]], times[:-1]])
        covered = Covered(starts, np.where(np.arange(len(times)) > 0, heard_until, heard_until if had_quote else times))
        for name, length in LENGTHS.items():
            self._add(name, length, times, mids, spreads, covered)
        self._time = int(times[-1])

    def _add(
        self,
        name: str,
        length: int,
        times: NDArray[Any],
        mids: NDArray[Any],
        spreads: NDArray[Any],
        covered: "Covered",
    ) -> None:
        places = times // length
        firsts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
        lasts = np.append(firsts[1:], len(times)) - 1
        found = np.empty((len(firsts), 9), dtype=np.int64)
        found[:, PLACE] = places[firsts]
        found[:, OPEN] = mids[firsts]
        found[:, HIGH] = np.maximum.reduceat(mids, firsts)
        found[:, LOW] = np.minimum.reduceat(mids, firsts)
        found[:, CLOSE] = mids[lasts]
        found[:, TOTAL] = np.add.reduceat(mids, firsts)
        found[:, MAX_SPREAD] = np.maximum.reduceat(spreads, firsts)
        found[:, QUOTES] = lasts - firsts + 1
        found[:, COVERED] = covered.between(found[:, PLACE] * length, (found[:, PLACE] + 1) * length)
        before = self._open.get(name)
        if before is not None and before[PLACE] == found[0, PLACE]:
            found[0] = _joined(before, found[0].tolist())
        elif before is not None:
            end = np.array([(before[PLACE] + 1) * length])
            before[COVERED] += int(covered.between(end - length, end)[0])
            found = np.vstack([np.array([before], dtype=np.int64), found])
        self._over.append((name, found[:-1]))
        self._open[name] = [int(value) for value in found[-1]]

    def table(self, product_id: str, unit2: float) -> pa.Table:
        """Give the bars that are over since the last time; `unit2` makes mid-prices of bid + ask."""
        tables = [_table(product_id, name, bars, unit2) for name, bars in self._over]
        self._over = []
        return pa.concat_tables([SCHEMA.empty_table(), *tables])


def _joined(before: list[int], after: list[int]) -> list[int]:
    return [
        before[PLACE],
        before[OPEN],
        max(before[HIGH], after[HIGH]),
        min(before[LOW], after[LOW]),
        after[CLOSE],
        before[TOTAL] + after[TOTAL],
        max(before[MAX_SPREAD], after[MAX_SPREAD]),
        before[QUOTES] + after[QUOTES],
        before[COVERED] + after[COVERED],
    ]


def _table(product_id: str, name: str, bars: NDArray[Any], unit2: float) -> pa.Table:
    starts = pa.array(bars[:, PLACE] * LENGTHS[name], pa.int64()).cast(pa.timestamp("us", "UTC"))
    prices = [pa.array(bars[:, place] / unit2) for place in (OPEN, HIGH, LOW, CLOSE)]
    means = pa.array(bars[:, TOTAL] / (bars[:, QUOTES] * unit2))
    rest = [pa.array(2 * bars[:, MAX_SPREAD] / unit2), pa.array(bars[:, QUOTES]), pa.array(bars[:, COVERED] / 1e6)]
    labels = [pa.repeat(product_id, len(bars)), pa.repeat(name, len(bars))]
    return pa.table([*labels, starts, *prices, means, *rest], schema=SCHEMA)


class Covered:
    """How much of any stretch of time lies in given stretches, which do not overlap and are in their order."""

    def __init__(self, starts: NDArray[Any], ends: NDArray[Any]) -> None:
        """Take the stretches (microseconds)."""
        self._starts = starts.astype(np.int64)
        self._lengths = np.maximum(0, ends - starts).astype(np.int64)
        self._before = np.concatenate([[0], np.cumsum(self._lengths)])

    def between(self, starts: NDArray[Any], ends: NDArray[Any]) -> NDArray[Any]:
        """Give how much of [start, end) is covered, in microseconds."""
        covered: NDArray[Any] = self._until(ends) - self._until(starts)
        return covered

    def _until(self, times: NDArray[Any]) -> NDArray[Any]:
        number = np.searchsorted(self._starts, times, side="right") - 1
        known = np.maximum(number, 0)
        part = np.clip(times - self._starts[known], 0, self._lengths[known])
        return np.where(number < 0, 0, self._before[known] + part)
