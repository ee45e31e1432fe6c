"""Threads that read the lake beside the loop: so many at a time, and at the end nobody waits for one.

A store that is away may keep whoever asks it for minutes; what is live, and the end of the program, do not wait.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import StorageError
from ..running import in_background

REMEMBERED = 10.0
"""Seconds for which it is known whether the lake can be read."""
PATIENCE = 5.0
"""Seconds that a look at the lake may take, until the lake is said not to answer."""
T = TypeVar("T")


class Readers:
    """Those who may read at a time; the others wait."""

    def __init__(self, ended: asyncio.Event, most: int) -> None:
        """`ended` says when there is nobody left to read for."""
        self._ended = ended
        self._slots = asyncio.Semaphore(most)

    async def read(self, work: Callable[[], T]) -> T:
        """Give what the work gives. Raises what it raises, and StorageError when the server ends before."""
        reading = asyncio.ensure_future(self._read(work))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if not reading.done():
            reading.cancel()
            raise StorageError("The server ends.", "Ask again when it is back.")
        return reading.result()

    async def _read(self, work: Callable[[], T]) -> T:
        async with self._slots:
            return await in_background(work)


class Look:
    """Whether the lake can be read: one look at a time answers all who ask, and is remembered for a while."""

    def __init__(self, ended: asyncio.Event, look: Callable[[], object]) -> None:
        """`look` raises StorageError where it cannot be read; it takes the place of no other reader."""
        self._readers = Readers(ended, 1)
        self._look = look
        self._looking: asyncio.Task[str] | None = None
        self._began = self._ended = 0.0

    async def trouble(self) -> str:
        """Say why the lake cannot be read; nothing where it can."""
        now = time.monotonic()
        if self._looking is None or (self._looking.done() and now - self._ended >= REMEMBERED):
            self._began, self._looking = now, asyncio.create_task(self._see())
        looking = self._looking
        await asyncio.wait({looking}, timeout=max(0.0, self._began + PATIENCE - now))
        return looking.result() if looking.done() else "the lake does not answer"

    async def _see(self) -> str:
        try:
            await self._readers.read(self._look)
        except StorageError as error:
            return error.message
        finally:
            self._ended = time.monotonic()
        return ""
