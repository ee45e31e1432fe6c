"""A recording played again: the same messages, as fast as they came, ten times as fast, or as fast as can be."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from ..message import Item

BREATH = 500
"""Messages after which others may run when nothing is waited for."""


async def replay(items: Iterable[Item], speed: float) -> AsyncGenerator[Item]:
    """Give items `speed` times as fast as they were received; infinity waits for nothing. Raises as `items` does."""
    loop = asyncio.get_running_loop()
    began, first = loop.time(), 0
    for number, item in enumerate(items):
        first = first or item.received_at
        wait = began + (item.received_at - first) / 1e9 / speed - loop.time()
        if wait > 0.0:
            await asyncio.sleep(wait)
        elif number % BREATH == 0:
            await asyncio.sleep(0)
        yield item
