"""From a topic into the lake's `raw`: what a second container does at scale. Exactly once, by the topic's offsets."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ..errors import StorageError
from ..exposition import Row
from ..log.kafka import Address, Reader
from .compact import compact
from .landing import COMPACT_AFTER, GROUP_BYTES, GROUP_LINES
from .raw import Raw
from .rows import rows

STALE_AFTER = 15.0
"""Seconds without any message after which it is not ready."""
WAIT = 0.5
"""Seconds to wait for messages at once."""


class Relayed(NamedTuple):
    """What there is to know of it, at one moment."""

    landed: int
    """Offset behind the last message that is in the lake."""
    waiting: int
    """Messages that were read and are not there yet."""
    heard_ago: float
    """Seconds since the last message, or since the start."""

    @property
    def is_ready(self) -> bool:
        """Whether messages come; that they cannot be kept ends the process."""
        return self.heard_ago < STALE_AFTER

    def counts(self) -> tuple[Row, ...]:
        """Give what there is to count."""
        return (
            ("landed_messages", "gauge", "Offset behind the last message that is in the lake.", self.landed),
            ("waiting_messages", "gauge", "Messages that were read and are not in the lake yet.", self.waiting),
            ("heard_seconds", "gauge", "Seconds since the newest message.", round(self.heard_ago, 3)),
        )


class Relay:
    """Reads a topic on from where the lake ends."""

    def __init__(self, where: Address, raw: Raw) -> None:
        """Look where the lake ends. Raises StorageError when the topic no longer has what comes next."""
        self.log = f"{where.topic}/0"
        self._raw = raw
        self._reader = Reader(where)
        low, high = self._reader.range()
        self.landed = raw.landed(self.log)
        """Offset behind the last message that is in the lake."""
        if not low <= self.landed <= high:
            has = f"has the messages {low} to {high - 1}" if high > low else "is empty"
            raise StorageError(
                f"The topic {where.topic} {has}, and the lake in {raw.url} goes on at {self.landed}.",
                "Name another lake, or another topic.",
            )
        self._connection = raw.last_connection(self.log)
        self._reader.seek(self.landed)
        self._lines: list[bytes] = []
        self._size = self._commits = 0
        self._oldest_at = self._heard_at = time.monotonic()

    def standing(self) -> Relayed:
        """Tell how it stands."""
        return Relayed(self.landed, len(self._lines), time.monotonic() - self._heard_at)

    def step(self, commit_seconds: float) -> None:
        """Wait for messages, and commit when there are enough or when they have waited long enough."""
        if not self._lines:
            self._oldest_at = time.monotonic()
        for offset, line in self._reader.read(1_000, WAIT):
            expected = self.landed + len(self._lines)
            if offset != expected:
                raise StorageError(f"{self.log} has the messages from {expected} on no longer.")
            self._lines.append(line)
            self._heard_at = time.monotonic()
            self._size += len(line)
        is_much = len(self._lines) >= GROUP_LINES or self._size >= GROUP_BYTES
        if is_much or time.monotonic() - self._oldest_at >= commit_seconds:
            self.commit()

    def commit(self) -> None:
        """Land what was read. Raises as `Raw.land`; then nothing of it has landed."""
        if not self._lines:
            return
        table = rows(self.log, self.landed, self._lines, self._connection)
        self._raw.land(self.log, self.landed, [table])
        self.landed += len(self._lines)
        self._connection = table.column("connection")[len(table) - 1].as_py()
        self._lines, self._size = [], 0
        self._commits += 1
        if self._commits % COMPACT_AFTER == 0:
            compact(self._raw)

    def close(self) -> None:
        """Land what was read, if that can be, and let go of the broker."""
        with suppress(StorageError):
            self.commit()
        self._reader.close()


async def relay(
    work: Relay, commit_seconds: float, ended: Callable[[], bool], tell: Callable[[int], None], tell_every: float
) -> None:
    """Go on until `ended` says so; `tell` hears now and then how far it has come."""
    told_at = 0.0
    while not ended():
        await asyncio.to_thread(work.step, commit_seconds)
        if time.monotonic() - told_at >= tell_every:
            told_at = time.monotonic()
            tell(work.landed)
    await asyncio.to_thread(work.close)
    tell(work.landed)
