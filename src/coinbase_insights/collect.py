"""Join a source to a journal and the journal to the lake: what `ingest` does, for months.

    source -> journal -> raw

Each message is in the journal before anything else is done with it. The lake follows as it can: where it cannot, the
journal grows, and goes on landing where it ended. This is where the clock is: when to sync, to land, and to end.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

from msgspec import structs

from .errors import InsightsError, LockedError, StorageError
from .exposition import Row
from .log.segments import Segments
from .message import Item, Lost, Message, Opened
from .running import LAST_LANDING, LATE_AFTER, STALE_AFTER, in_background, next_signal, race

logger = logging.getLogger(__name__)

SYNC_EVERY = 1.0
CLEAN_EVERY = 3600.0


class Delivery(Protocol):
    """Where the journal's lines go: a lake, or a topic."""

    @property
    def landed(self) -> int:
        """Offset behind the last line that is there."""

    @property
    def parts(self) -> int:
        """Data files that are there."""

    def land(self, until: int, told: Callable[[int], None]) -> None:
        """Bring all lines below an offset there. Raises StorageError; what is there by then stays."""

    def clean(self) -> None:
        """Remove what nobody needs any more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done."""

    commit_seconds: float = 60.0
    """Between two commits to the lake at the most, while there are new lines."""
    commit_lines: int = 5_000
    """New lines that are worth a commit before."""
    fsync_always: bool = False
    """Whether each message is on the disk before the next is taken."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to know of a running service, at one moment."""

    seconds: float
    """Since the start."""
    is_connected: bool
    heard_ago: float
    """Seconds since the last message, or since the start."""
    messages: int
    connections: int
    trouble: str
    """Why the line is down; empty when it is not."""
    journal_end: int
    journal_durable: int
    journal_bytes: int
    unstored: int
    torn_bytes: int
    is_full: bool
    landed: int
    parts: int
    lake_trouble: str
    """Why the lake does not take lines now; empty when it does."""
    late: float
    """Seconds that lines have waited for longer than the pace says, while not one has landed."""

    @property
    def waiting(self) -> int:
        """Lines that are in the journal and not yet in the lake."""
        return self.journal_end - self.landed

    @property
    def is_ready(self) -> bool:
        """Whether messages come, are kept, and get to where they belong."""
        is_heard = self.is_connected and self.heard_ago < STALE_AFTER
        return is_heard and not self.is_full and self.late < LATE_AFTER

    def counts(self) -> tuple[Row, ...]:
        """Give what there is to count."""
        return (
            ("messages_total", "counter", "Messages received since the start.", self.messages),
            ("connections_total", "counter", "Connections made since the start.", self.connections),
            ("unstored_total", "counter", "Messages that found no room.", self.unstored),
            ("connected", "gauge", "Whether there is a connection.", int(self.is_connected)),
            ("heard_seconds", "gauge", "Seconds since the newest message.", round(self.heard_ago, 3)),
            ("journal_lines", "gauge", "Offset behind the last line of the journal.", self.journal_end),
            (
                "journal_durable_lines",
                "gauge",
                "Offset behind the last line on the disk.",
                self.journal_durable,
            ),
            ("journal_bytes", "gauge", "Size of the journal.", self.journal_bytes),
            ("landed_lines", "gauge", "Offset behind the last line that is in the lake.", self.landed),
            ("late_seconds", "gauge", "Seconds that lines wait, and none lands, beyond the pace.", round(self.late, 3)),
            ("lake_parts", "gauge", "Data files of the lake's raw table.", self.parts),
        )


class Collect:
    """One run of the service."""

    def __init__(self, journal: Segments, landing: Delivery, pace: Pace) -> None:
        """Nothing happens before `run`."""
        self.ended_by = ""
        """The signal that ended the run; empty when it ended by itself."""
        self._why = ""
        """What went wrong so that the run ended."""
        self._journal = journal
        self._landing = landing
        self._pace = pace
        self._began = self._heard_at = self._landed_at = time.monotonic()
        self._messages = self._connections = 0
        self._here: int | None = None
        """Messages that the open connection has brought; None while there is none."""
        self._trouble = self._lake_trouble = ""
        self._landed = landing.landed
        self._parts = landing.parts

    async def run(
        self,
        items: AsyncGenerator[Item],
        seconds: float | None = None,
        tell: Callable[[Standing], None] = lambda _: None,
        tell_every: float = 10.0,
    ) -> None:
        """Collect until the source ends, the time is over, or a signal says stop. Errors of the source are raised.

        `tell` hears how it stands, now and then.
        """
        works = (self._signalled(), self._read(items), self._sync(), self._land(), self._tell(tell, tell_every))
        try:
            await race(works, seconds)
        except InsightsError as error:
            self._why = error.message
            raise
        finally:
            await self._finish()
            tell(self.standing())

    async def _signalled(self) -> None:
        self.ended_by = await next_signal()

    async def _finish(self) -> None:
        """Say in the journal that we end, bring it onto the disk, and land what can be landed in a moment."""
        if self._here is not None:
            self._journal.write(
                Lost(
                    time.time_ns(),
                    self._why or (f"ended by {self.ended_by}" if self.ended_by else "ended as asked"),
                    messages=self._here,
                )
            )
        try:
            self._journal.sync()
            with suppress(TimeoutError, InsightsError):
                await asyncio.wait_for(in_background(self._land_all), LAST_LANDING)
        finally:
            self._journal.close()

    async def _read(self, items: AsyncGenerator[Item]) -> None:
        journal, always = self._journal, self._pace.fsync_always
        async with aclosing(items) as source:
            async for item in source:
                journal.write(self._count(item))
                if always:
                    journal.sync()

    def _count(self, item: Item) -> Item:
        if isinstance(item, Message):
            self._heard_at = time.monotonic()
            self._messages += 1
            self._here = (self._here or 0) + 1
            self._trouble = ""
        elif isinstance(item, Opened):
            self._connections += 1
            self._here = 0
        elif isinstance(item, Lost):
            self._trouble = item.reason
            item, self._here = structs.replace(item, messages=self._here), None
        return item

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY)
            if self._pace.fsync_always:
                self._journal.drop(self._landed)
                continue
            end = self._journal.seal()
            await in_background(self._journal.fsync)
            self._journal.confirm(end)
            self._journal.drop(self._landed)

    async def _land(self) -> None:
        """Land when there is enough, or when it has waited long enough; a lake that is away is tried again."""
        tried_at = cleaned_at = time.monotonic()
        while True:
            now = time.monotonic()
            new = self._journal.durable - self._landed
            if not new:
                self._landed_at = now
            if new >= self._pace.commit_lines or (new and now - tried_at >= self._pace.commit_seconds):
                tried_at = now
                await self._try(self._land_all)
            if now - cleaned_at >= CLEAN_EVERY:
                cleaned_at = now
                await self._try(self._landing.clean)
            await asyncio.sleep(min(1.0, self._pace.commit_seconds / 4))

    async def _try(self, work: Callable[[], None]) -> None:
        try:
            await in_background(work)
        except LockedError:
            raise
        except StorageError as error:
            if error.message != self._lake_trouble:
                logger.warning("%s", error.message)
            self._lake_trouble = error.message
            await asyncio.sleep(min(10.0, self._pace.commit_seconds))
        else:
            self._lake_trouble = ""

    def _land_all(self) -> None:
        self._landing.land(self._journal.durable, self._has_landed)
        self._parts = self._landing.parts

    def _has_landed(self, landed: int) -> None:
        self._landed, self._landed_at = landed, time.monotonic()

    async def _tell(self, tell: Callable[[Standing], None], every: float) -> None:
        while True:
            tell(self.standing())
            await asyncio.sleep(every)

    def standing(self) -> Standing:
        """Tell how it stands now."""
        now, journal = time.monotonic(), self._journal
        return Standing(
            seconds=now - self._began,
            is_connected=self._here is not None,
            heard_ago=now - self._heard_at,
            messages=self._messages,
            connections=self._connections,
            trouble=self._trouble,
            journal_end=journal.end,
            journal_durable=journal.durable,
            journal_bytes=journal.size,
            unstored=journal.unstored,
            torn_bytes=journal.torn_bytes,
            is_full=journal.is_full,
            landed=self._landed,
            parts=self._parts,
            lake_trouble=self._lake_trouble,
            late=max(0.0, now - self._landed_at - self._pace.commit_seconds) if journal.durable > self._landed else 0.0,
        )
