"""Threads that read the lake beside the loop: so many at a time, and at the end nobody waits for one.

A store that is away may keep whoever asks it for minutes; what is live, and the end of the program, do not wait.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ..errors import StorageError
from ..running import in_background

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
