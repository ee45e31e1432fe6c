"""Where a log ends in `raw`, and what follows there: the one way in which lines become rows, whoever reads them."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from ..errors import DamagedError
from ..log.journal import is_damage
from ..message import Unstored
from .compact import compact
from .raw import Raw
from .rows import items, missing, rows

logger = logging.getLogger(__name__)

GROUP_BYTES = 12 * 2**20
"""Of lines that are held at once."""
COMPACT_AFTER = 10
"""Commits between two looks for parts to join."""


class Tail:
    """The end of one log; each line lands behind it once."""

    def __init__(self, raw: Raw, log: str) -> None:
        """Look where it is. Raises as `Raw.parts`."""
        self.raw, self.log = raw, log
        self._commits = 0
        self._know()

    def refresh(self) -> None:
        """Look again, as whoever lands must after a step that has failed. Raises StorageError."""
        self.raw.refresh()
        self._know()

    def _know(self) -> None:
        self.landed = self.raw.landed(self.log)
        """Offset behind the last line that is in the lake; asking for it never waits for the place."""
        try:
            self._connection = self.raw.last_connection(self.log)
        except DamagedError as error:  # It is verify's to complain; what comes is to be kept all the same.
            logger.error("%s", error.message)
            self._connection = None

    def is_last(self, line: bytes) -> bool:
        """Tell whether a line is the last that landed; yes where nobody ever can, for it or its row is damaged.

        Raises StorageError where nobody can now: what is taken for ours by mistake would be in the lake for good.
        """
        mine = [part for part in self.raw.parts() if part.log == self.log]
        if not mine or is_damage(line):
            return True
        try:
            newest = self.raw.read(mine[-1]).slice(mine[-1].rows - 1)
        except DamagedError:  # It is verify's to complain.
            return True
        same = rows(self.log, self.landed - 1, [line], newest.column("connection")[0].as_py())
        return bool(newest.equals(same)) or any(
            isinstance(item, Unstored) and item.is_damage for batch in newest.to_batches() for item in items(batch)
        )

    def land(self, first: int, groups: Iterable[Sequence[bytes]]) -> None:
        """Land lines from an offset on, all of them or none, a group at a time; join parts now and then.

        Raises as `Raw.land`, and what the groups raise; then `refresh` before the next.
        """
        self.raw.land(self.log, first, self._tables(first, groups))
        self.landed = self.raw.landed(self.log)
        self._commits += 1
        if self._commits % COMPACT_AFTER == 0:
            compact(self.raw)

    def _tables(self, first: int, groups: Iterable[Sequence[bytes]]) -> Iterator[pa.Table]:
        for lines in groups:
            table = rows(self.log, first, lines, self._connection)
            self._connection = table.column("connection")[len(table) - 1].as_py()
            first += len(lines)
            yield table

    def land_missing(self, first: int, until: int) -> None:
        """Land that nobody has these lines any more: a row for each, as for what is damaged. Raises as `land`."""
        self.raw.land(self.log, first, missing(self.log, first, until, time.time_ns()))
        self.landed, self._connection = until, None
