"""A recording played again: the same messages, as fast as they came, ten times as fast, or as fast as can be."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from ..message import Item
from .journal import files, read

BREATH = 500
"""Messages after which others may run when nothing is waited for."""


def replay(path: Path, speed: float) -> AsyncGenerator[Item]:
    """Give the items of a recording, `speed` times as fast as they were received; infinity waits for nothing.

    Raises RecordingError at once when there is no such recording, and later as `journal.read` does.
    """
    files(path)
    return _played(path, speed)


async def _played(path: Path, speed: float) -> AsyncGenerator[Item]:
    loop = asyncio.get_running_loop()
    began, first = loop.time(), 0
    for number, item in enumerate(read(path)):
        first = first or item.received_at
        wait = began + (item.received_at - first) / 1e9 / speed - loop.time()
        if wait > 0.0:
            await asyncio.sleep(wait)
        elif number % BREATH == 0:
            await asyncio.sleep(0)
        yield item
