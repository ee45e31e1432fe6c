"""A step of a build: from one table to others, going on where they end, and what it remembers between two builds.

Where a build was killed between two commits, the next one makes the same rows again, up to the same place, and commits
them only where they are missing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from ..counts import Counts
from ..errors import DamagedError, LockedError
from .compact import compact
from .delta import Delta, Written
from .memories import Memories
from .reaching import reaching
from .tables import BARS, GAPS, INSIGHTS, QUOTES, SCORES

STEPS = {"quotes": (QUOTES, GAPS), "insights": (INSIGHTS, BARS, SCORES)}
"""The tables that each step makes."""
COMPACT_AFTER = 10


class Progress(NamedTuple):
    """How far a step has come."""

    step: str
    """What is counted."""
    begun: int
    done: int
    of: int
    seconds: float
    """That the rows from `begun` to `done` took."""
    late: tuple[str, ...] = ()
    """Products that have begun within the time that the model has learned of, and so without it."""
    counts: Counts | None = None
    """What has become of the messages that this build has read; None of a step that reads none."""


class Step:
    """One step of a build: from one table to others, and what it remembers."""

    def __init__(self, lake: str, name: str) -> None:
        """Open the tables that it makes, and look how far they are. Raises StorageError, also where a part is gone."""
        self.made = [Delta(lake, declared, create=True) for declared in STEPS[name]]
        for table in self.made:
            table.refuse_missing()
        self._memories = Memories(lake, name)
        self.ends = [table.landed(table.declared.name) for table in self.made]
        """How many rows each table has."""
        self._commits = 0
        self.new = {table.declared.name: 0 for table in self.made}
        """How many rows each table has got."""
        progress = [table.made_until() for table in self.made]
        self.done = min(progress)
        """Rows of its source that are in all of its tables."""
        self.next = max(progress) if max(progress) > self.done else None
        """Where a table of it ends that is ahead of another: up to there rows are made once more."""

    def has(self, number: int, until: int) -> bool:
        """Tell whether one of its tables was made up to this row of its source."""
        return self.made[number].made_until() >= until

    def remembered(self) -> bytes | None:
        """Give what it remembers of where it ends. Raises DamagedError, and LockedError when another one goes on."""
        try:
            return self._memories.read(self.done)
        except DamagedError as error:
            for table in self.made:
                table.refresh()
            if min(table.made_until() for table in self.made) == self.done:
                raise
            raise LockedError(
                f"{self.made[0].url} was written by another process meanwhile.", "Let only one process write a lake."
            ) from error

    def commit(self, until: int, rows: Sequence[pa.Table | list[Written]], memory: bytes) -> None:
        """Keep what was made of its source up to a row, rows or written parts; nothing of it is made twice."""
        with reaching(self.made[0].lake):
            name = self._memories.write(until, memory)
        for number, (table, found) in enumerate(zip(self.made, rows, strict=True)):
            if self.has(number, until):
                continue
            end = self.ends[number]
            if isinstance(found, list):
                table.name(found, until)
                self.ends[number] = found[-1].part.end if found else end
            else:
                table.land(table.declared.name, end, [found] if len(found) else [], until)
                self.ends[number] += len(found)
            self.new[table.declared.name] += self.ends[number] - end
        self._memories.keep_only(name)
        self.done = until
        if self.next is not None and self.next <= until:
            self.next = None
        self._commits += 1
        if self._commits % COMPACT_AFTER == 0:
            for table in self.made:
                compact(table)

    def end(self) -> None:
        """Remove the files that no version of the last hour names, where there were commits."""
        if self._commits:
            for table in self.made:
                table.clean()
