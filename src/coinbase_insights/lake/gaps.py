"""Where there is no data: each stretch of time in which a product's messages did not reach us or were not kept.

What decides: the connection's own openings and losses; heartbeats, which Exchange sends for each product each second;
holes in Advanced Trade's `sequence_num`, which numbers every message; and our own count of what found no room.
Holes in Exchange's `sequence` are normal and decide nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import msgspec
import pyarrow as pa

from ..errors import StorageError
from ..log.journal import DAMAGED, decode
from ..message import Lost, Opened, Unstored
from ..wire import is_advanced
from .raw import Raw
from .rows import ABOUT_THE_LINE

COLUMNS = ("connection", "product_id", "channel", "sequence", "message", "offset")
SILENCE = 5_000_000
"""Microseconds without a heartbeat, which should come each second."""
ALL = "*"
"""Stands for all products of a connection."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One stretch without data."""

    connection: int | None
    product_id: str
    """`*` where it is of all products of the connection."""
    start: int
    """When we last had something (microseconds UTC, our clock)."""
    end: int | None
    """When we had something again; None if that has not been yet."""
    cause: str
    messages: int | None
    """How many are missing; None where nobody can know."""


class GapsMemory(msgspec.Struct):
    """All that is remembered between two rows."""

    at: int = 0
    connection: int | None = None
    down: str | None = None
    is_advanced: bool | None = None
    sequence: int | None = None
    beats: dict[str, int] = {}
    damaged: int = 0
    opened_at: int = 0


class Gaps:
    """Finds the gaps in rows that are shown to it in their order."""

    def __init__(self) -> None:
        """Begin with no row."""
        self._at = 0
        self._connection: int | None = None
        self._down: str | None = None
        """Why the line is down; None while it is up."""
        self._is_advanced: bool | None = None
        """Which of the two feeds the connection is of; None before it has told."""
        self._sequence: int | None = None
        """The newest `sequence_num` of the connection, on Advanced Trade."""
        self._beats: dict[str, int] = {}
        """When each product's newest heartbeat came."""
        self._opened_at = 0
        """When the connection was opened."""
        self._damaged = 0
        """Messages that were set aside, since the newest row that is whole."""

    def save(self) -> GapsMemory:
        """Give all that is remembered."""
        return GapsMemory(
            self._at,
            self._connection,
            self._down,
            self._is_advanced,
            self._sequence,
            self._beats,
            self._damaged,
            self._opened_at,
        )

    def load(self, memory: GapsMemory) -> None:
        """Go on where another one was saved."""
        self._at, self._connection, self._down = memory.at, memory.connection, memory.down
        self._is_advanced, self._sequence = memory.is_advanced, memory.sequence
        self._beats, self._damaged, self._opened_at = memory.beats, memory.damaged, memory.opened_at

    def add(self, table: pa.Table) -> Iterator[Gap]:
        """Take rows in; give the gaps that have ended with them."""
        times = table.column("received_at").cast(pa.int64()).to_pylist()
        columns = (table.column(name).to_pylist() for name in COLUMNS)
        for at, connection, product_id, channel, sequence, message, offset in zip(times, *columns, strict=True):
            if self._damaged and not is_damage(channel, message):
                yield from self._set_aside(at)
            if channel == ABOUT_THE_LINE:
                yield from self._about_the_line(at, message, offset)
                continue
            if self._down is not None:
                yield Gap(connection, ALL, self._at, at, self._down, None)
                self._down = None
            if self._is_advanced is None:
                self._is_advanced = is_advanced(message.encode())
            if self._is_advanced and sequence is not None:
                yield from self._missed(at, connection, sequence)
            if channel in ("heartbeat", "heartbeats"):
                yield from self._silence(at, connection, product_id or ALL)
            self._at = at

    def damaged(self, rows: int, why: str) -> Gap:
        """Give the gap of rows that are there and cannot be read."""
        return Gap(self._connection, ALL, self._at, None, why, rows)

    def end(self) -> Iterator[Gap]:
        """There are no more rows: give the gap that goes on."""
        if self._damaged:
            yield from self._set_aside(None)
        if self._down is not None and self._at:
            yield Gap(self._connection, ALL, self._at, None, self._down, None)

    def _set_aside(self, at: int | None) -> Iterator[Gap]:
        yield Gap(self._connection, ALL, self._at, at, "damaged, and set aside", self._damaged)
        self._damaged = 0
        self._sequence = None
        self._beats.clear()

    def _about_the_line(self, at: int, message: str, offset: int) -> Iterator[Gap]:
        item = decode(b"0\t" + message.encode())
        if isinstance(item, Opened):
            if self._at and self._down is None:
                self._down = "nobody was listening"
            self._connection, self._sequence, self._is_advanced = offset, None, None
            self._opened_at = at
            self._beats.clear()
        elif isinstance(item, Lost) and self._down is None:
            self._down = item.reason
        elif isinstance(item, Unstored) and item.is_damage:
            self._damaged += item.count
        elif isinstance(item, Unstored):
            yield Gap(self._connection, ALL, max(self._at, self._opened_at), at, "the storage was full", item.count)

    def _missed(self, at: int, connection: int | None, sequence: int) -> Iterator[Gap]:
        """Find the messages that the exchange numbered and that did not come."""
        before, self._sequence = self._sequence, sequence
        if before is not None and sequence > before + 1:
            missing = sequence - before - 1
            yield Gap(connection, ALL, self._at, at, f"{before + 1} to {sequence - 1} did not come", missing)
        elif before is not None and 0 < sequence <= before:
            self._sequence = before  # It came again, or late.

    def _silence(self, at: int, connection: int | None, product_id: str) -> Iterator[Gap]:
        """Find out whether heartbeats have been away."""
        before = self._beats.get(product_id, at)
        self._beats[product_id] = at
        if at - before > SILENCE:
            yield Gap(connection, product_id, before, at, "no heartbeat came", None)


def is_damage(channel: str | None, message: str) -> bool:
    """Tell whether a row stands where there was one whose bytes had changed."""
    return channel == ABOUT_THE_LINE and message.startswith("#unstored ") and message.endswith(DAMAGED)


def gaps(raw: Raw) -> Iterator[Gap]:
    """Give the gaps of a whole lake, log by log in the order in which they ended; what is damaged is one too."""
    for _, parts in groupby(raw.parts(), lambda part: part.log):
        found = Gaps()
        for part in parts:
            try:
                yield from found.add(raw.read(part))
            except StorageError as error:
                yield found.damaged(part.rows, error.message)
        yield from found.end()
