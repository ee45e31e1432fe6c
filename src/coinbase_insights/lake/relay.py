"""From a topic into the lake's `raw`: what a second container does at scale. Exactly once, by the topic's offsets."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ..errors import StorageError
from ..exposition import Row
from ..log.kafka import Address, Reader
from ..running import LAST_LANDING, LATE_AFTER, STALE_AFTER, in_background, next_signal, race
from .raw import Raw
from .rows import GROUP_LINES
from .tail import GROUP_BYTES, Tail

logger = logging.getLogger(__name__)

WAIT = 0.5
"""Seconds to wait for messages at once, and before the first new try."""
LONGEST_PAUSE = 10.0
"""Seconds between two tries, where one after the other fails."""
CLEAN_EVERY = 3600.0
"""Seconds between two looks for files that nobody needs any more."""


class Relayed(NamedTuple):
    """What there is to know of it, at one moment."""

    landed: int
    """Offset behind the last message that is in the lake."""
    waiting: int
    """Messages that were read and are not there yet."""
    heard_ago: float
    """Seconds since the last message of the exchange, or since the start."""
    late: float
    """Seconds since all that was read was in the lake, while there is something that is not, beyond the pace."""

    @property
    def is_ready(self) -> bool:
        """Whether messages come and are kept."""
        return self.heard_ago < STALE_AFTER and self.late < LATE_AFTER

    def counts(self) -> tuple[Row, ...]:
        """Give what there is to count."""
        return (
            ("landed_messages", "gauge", "Offset behind the last message that is in the lake.", self.landed),
            ("waiting_messages", "gauge", "Messages that were read and are not in the lake yet.", self.waiting),
            ("heard_seconds", "gauge", "Seconds since the newest message.", round(self.heard_ago, 3)),
            ("late_seconds", "gauge", "Seconds that the oldest message waits for the lake.", round(self.late, 3)),
        )


class Relay:
    """Reads a topic on from where the lake ends; what the topic has no longer is rows that say so."""

    def __init__(self, where: Address, raw: Raw, clean_every: float = CLEAN_EVERY) -> None:
        """Look where the lake ends. Raises StorageError when the topic is not the one that the lake has messages of."""
        self._where, self._clean_every = where, clean_every
        self._lock = threading.Lock()
        """A step that nobody waits for any more may still be at work at the end."""
        self._tail = Tail(raw, f"{where.topic}/0")
        self._reader = Reader(where)
        self._pace = 0.0
        """Seconds between two commits."""
        self._whole_at = self._heard_at = self._cleaned_at = time.monotonic()
        self._take_up()
        self._is_taken_up = True
        """Whether what was read since goes on from where the lake ends; not so after a step that has failed."""

    @property
    def landed(self) -> int:
        """Offset behind the last message that is in the lake."""
        return self._tail.landed

    def _take_up(self) -> None:
        oldest, end = self._reader.range()
        if self.landed > end or not self._goes_on_from(oldest):
            raise StorageError(
                f"{self._tail.raw.url} has {self.landed} messages of a topic {self._where.topic} that is not this one: "
                f"it ends at {end}, or its message {self.landed - 1} is another.",
                "Name another lake, or another topic.",
            )
        self._lines: list[bytes] = []
        self._size = 0
        self._waits = end > self.landed
        """Whether the topic had more when we took up, and nothing has landed since."""
        self._next = self.landed
        """Offset of the message that is to be read next."""
        self._reader.seek(self._next)

    def _goes_on_from(self, oldest: int) -> bool:
        """Tell whether the last that landed is the topic's: one of that name may have been made anew."""
        last = self.landed - 1
        line = self._reader.line(last) if last >= oldest else None
        return line is None or self._tail.is_last(line)

    def standing(self) -> Relayed:
        """Tell how it stands."""
        now = time.monotonic()
        is_whole = self._is_taken_up and not self._lines and not self._waits
        late = 0.0 if is_whole else max(0.0, now - self._whole_at - self._pace)
        return Relayed(self.landed, len(self._lines), now - self._heard_at, late)

    def step(self, commit_seconds: float) -> None:
        """Wait for messages, and commit when there are enough or when they have waited long enough.

        Raises StorageError when that cannot be; the next call begins again where the lake ends.
        """
        with self._lock:
            self._step(commit_seconds)

    def _step(self, commit_seconds: float) -> None:
        was_well, self._is_taken_up, self._pace = self._is_taken_up, False, commit_seconds
        if not was_well:
            self._tail.refresh()
            self._take_up()
        elif not self._lines and not self._waits:
            self._whole_at = time.monotonic()
        for offset, line in self._reader.read(1_000, WAIT):
            if not line.partition(b"\t")[2].startswith(b"#"):  # It is a message, and not about the line.
                self._heard_at = time.monotonic()
            if offset > self._next:  # It stands for all up to there that the topic has no longer.
                self.commit()
                self._tail.land_missing(self._next, offset + 1)
                self._waits = False
            else:
                self._lines.append(line)
                self._size += len(line)
            self._next = offset + 1
        is_much = len(self._lines) >= GROUP_LINES or self._size >= GROUP_BYTES
        if is_much or time.monotonic() - self._whole_at >= commit_seconds:
            self.commit()
        if time.monotonic() - self._cleaned_at >= self._clean_every:
            self._cleaned_at = time.monotonic()
            self._tail.raw.clean()
        self._is_taken_up = True

    def commit(self) -> None:
        """Land what was read. Raises as `Raw.land`; then nothing of it has landed."""
        if self._lines:
            self._tail.land(self._next - len(self._lines), [self._lines])
            self._lines, self._size, self._waits = [], 0, False

    def close(self) -> None:
        """Land what was read, if that can be, and let go of the broker."""
        with self._lock:
            if self._is_taken_up:
                with suppress(StorageError):
                    self.commit()
            self._reader.close()


async def relay(
    work: Relay, commit_seconds: float, seconds: float | None, tell: Callable[[int], None], tell_every: float = 10.0
) -> None:
    """Go on for so long, or until a signal, and wait for a lake or a broker that is away.

    `tell` hears how far it has come. Raises LockedError where another process writes the lake.
    """
    try:
        await race((next_signal(), _steps(work, commit_seconds), _telling(work, tell, tell_every)), seconds)
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(in_background(work.close), LAST_LANDING)
        tell(work.landed)


async def _steps(work: Relay, commit_seconds: float) -> None:
    trouble, pause = "", WAIT
    while True:
        try:
            await in_background(partial(work.step, commit_seconds))
            trouble, pause = "", WAIT
        except StorageError as error:
            if error.message != trouble:
                logger.error("%s It is tried again.", error.message)
            trouble = error.message
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _telling(work: Relay, tell: Callable[[int], None], every: float) -> None:
    while True:
        tell(work.landed)
        await asyncio.sleep(every)
