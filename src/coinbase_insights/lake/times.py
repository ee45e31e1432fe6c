"""When the rows of each part of a table are, so that of a stretch of time no other part is read.

The table's log does not say it (delta.py); the end of each part does, and a part never changes, for its name is the
sum of its bytes. So each is read once, whole, for a flipped bit in its end would hide its rows, and what it said is
remembered.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ..errors import StorageError
from .delta import Delta
from .parts import Part

BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Group(NamedTuple):
    """Rows that lie together in a part, and the times of the first and of the last of them (microseconds UTC)."""

    rows: int
    first: int
    last: int


class Stretch(NamedTuple):
    """A stretch of time; both ends belong to it, and None is no end."""

    first: int | None = None
    last: int | None = None

    def has(self, group: Group) -> bool:
        """Tell whether rows of a group may be in it."""
        return (self.first is None or group.last >= self.first) and (self.last is None or group.first <= self.last)


ALWAYS = Stretch()


class Times:
    """The times of a table's rows."""

    def __init__(self, column: str) -> None:
        """Know nothing yet."""
        self._column = column
        self._known: dict[str, list[Group] | None] = {}

    def look(self, table: Delta) -> None:
        """Read the parts that are new, and forget those that are gone."""
        known = {part: self._known[part.name] for part in table.parts() if self._known.get(part.name) is not None}
        self._known = {part.name: known[part] if part in known else self._groups(table, part) for part in table.parts()}

    def _groups(self, table: Delta, part: Part) -> list[Group] | None:
        """Give the groups of rows of a part; None of a damaged one, which may hold any: it is read again, and said."""
        try:
            return groups(table.bytes_of(part), self._column)
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

    def only(self, dataset: ds.FileSystemDataset, within: Stretch) -> ds.Dataset:
        """Give the rows of a stretch, without a look at other parts."""
        fragments = [each for each in dataset.get_fragments() if self._has(each.path, within)]
        column, kind = ds.field(self._column), dataset.schema.field(self._column).type
        some = ds.FileSystemDataset(fragments, dataset.schema, dataset.format, dataset.filesystem)
        if within.first is not None:
            some = some.filter(column >= pa.scalar(within.first, pa.int64()).cast(kind))
        if within.last is not None:
            some = some.filter(column <= pa.scalar(within.last, pa.int64()).cast(kind))
        return some

    def _has(self, name: str, within: Stretch) -> bool:
        known = self._known.get(name)
        return known is None or any(map(within.has, known))


def groups(data: bytes, column: str) -> list[Group] | None:
    """Give the groups of rows of a part; None where it does not say their times: then it may hold any."""
    metadata = pq.read_metadata(pa.BufferReader(data))
    found = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    number = metadata.schema.names.index(column)
    said = [(group.num_rows, group.column(number).statistics) for group in found]
    if any(each is None or not each.has_min_max for _, each in said):
        return None
    return [Group(rows, microseconds(each.min), microseconds(each.max)) for rows, each in said]


def microseconds(time: datetime) -> int:
    """Give a time as the tables have it."""
    return (time.replace(tzinfo=UTC) - BEGIN) // MICROSECOND
