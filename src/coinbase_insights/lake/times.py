"""When the rows of each part of a table are, so that of a stretch of time no other part is read; and those rows.

The table's log does not say it (delta.py); the end of each part does, and a part never changes, for its name is the
sum of its bytes. So each is read once, whole, for a flipped bit in its end would hide its rows, and what it said is
remembered.
"""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ..errors import StorageError
from ..quote import EPOCH
from .delta import Delta
from .parquet import as_declared
from .parts import Part
from .tables import schema

ROW = "row"
"""The column of places, which no table has."""
TIME = pa.timestamp("us", "UTC")
MICROSECOND = timedelta(microseconds=1)


class RowGroup(NamedTuple):
    """Rows that lie together in a part, and the times of the first and of the last of them (microseconds UTC)."""

    rows: int
    first: int
    last: int


class Stretch(NamedTuple):
    """A stretch of time; both ends belong to it, and None is no end."""

    first: int | None = None
    last: int | None = None

    def has(self, group: RowGroup) -> bool:
        """Tell whether rows of a group may be in it."""
        return (self.first is None or group.last >= self.first) and (self.last is None or group.first <= self.last)


class Times:
    """The times of a table's rows."""

    def __init__(self, column: str) -> None:
        """Know nothing yet."""
        self._column = column
        self._known: dict[str, list[RowGroup] | None] = {}
        self._looking = threading.Lock()

    def look(self, table: Delta) -> None:
        """Read the parts that are new, and forget those that are gone; who comes meanwhile waits for what is read."""
        with self._looking:
            self._known = {part.name: self._known.get(part.name) or self._groups(table, part) for part in table.parts()}

    def _groups(self, table: Delta, part: Part) -> list[RowGroup] | None:
        """Give the groups of rows of a part; None of a damaged one, which may hold any: it is read again, and said."""
        try:
            return _times_of(table.bytes_of(part), self._column)
        except StorageError:
            return None

    def enough(self, rows: int, within: Stretch, *, newest: bool) -> tuple[Stretch, int]:
        """Give the begin of a stretch, or its end, in which about so many rows lie, and about how many there are.

        Where there are not so many, it is the stretch itself. Whoever needs so many rows counts what is found, and
        asks for more: groups may overlap in time.
        """
        sign = -1 if newest else 1
        ends = sorted(
            (sign * group[2 if newest else 1], group.rows)
            for each in self._known.values()
            for group in each or []
            if within.has(group)
        )
        found = 0
        for (_, count), (following, _) in pairwise(ends):
            found += count
            if found >= rows:
                end = sign * (following - 1)
                return (within._replace(first=end) if newest else within._replace(last=end)), found
        return within, sum(count for _, count in ends)

    def rows(self, table: Delta, within: Stretch, columns: Sequence[str], wanted: ds.Expression) -> pa.Table:
        """Give the wanted rows of a stretch, with their places in the table as the last column, ROW.

        Raises StorageError at a part that is damaged or gone.
        """
        time = ds.field(self._column)
        if within.first is not None:
            wanted &= time >= pa.scalar(within.first, TIME)
        if within.last is not None:
            wanted &= time <= pa.scalar(within.last, TIME)
        declared = pa.schema([schema(table.declared).field(name) for name in columns])
        found = [pa.schema([*declared, pa.field(ROW, pa.int64())]).empty_table()]
        for part in table.parts():
            known = self._known.get(part.name)
            if known is None or any(map(within.has, known)):
                holder, data = table.holder(part)
                is_in = (ds.field(ROW) >= part.first) & (ds.field(ROW) < part.end)
                for first, rows in _groups_of(data, declared, known if holder == part else None, within):
                    places = pa.array(np.arange(len(rows)) + (holder.first + first))
                    found.append(rows.append_column(ROW, places).filter(wanted & is_in))
        return pa.concat_tables(found)


def _groups_of(
    data: bytes, declared: pa.Schema, known: list[RowGroup] | None, within: Stretch
) -> Iterator[tuple[int, pa.Table]]:
    """Give each group of rows that may be in a stretch, with the number of its first row in the part."""
    file, first = pq.ParquetFile(pa.BufferReader(data)), 0
    there = [name for name in declared.names if name in file.schema_arrow.names]
    for number in range(file.num_row_groups):
        if known is None or within.has(known[number]):
            yield first, as_declared(file.read_row_group(number, columns=there), declared)
        first += file.metadata.row_group(number).num_rows


def _times_of(data: bytes, column: str) -> list[RowGroup] | None:
    """Give the groups of a part; None where it does not say their times: then it may hold any."""
    metadata = pq.read_metadata(pa.BufferReader(data))
    found = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    number = metadata.schema.names.index(column)
    said = [(group.num_rows, group.column(number).statistics) for group in found]
    if any(each is None or not each.has_min_max for _, each in said):
        return None
    return [RowGroup(rows, microseconds(each.min), microseconds(each.max)) for rows, each in said]


def microseconds(time: datetime) -> int:
    """Give a time as the tables have it."""
    return (time.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
