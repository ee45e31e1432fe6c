"""A recording played again: the same messages, as fast as they came, ten times as fast, or as fast as can be."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from functools import partial

from ..message import Item
from ..running import in_background

AT_ONCE = 200
"""Messages that are read at a time."""


async def replay(items: Iterable[Item], speed: float) -> AsyncGenerator[Item]:
    """Give items `speed` times as fast as they were received; infinity waits for nothing. Raises as `items` does.

    They are read beside the loop: where they are kept may answer late, and whoever watches is not to wait.
    """
    loop = asyncio.get_running_loop()
    began, first = loop.time(), 0
    coming = iter(items)
    while True:
        some, error = await in_background(partial(_some, coming))
        for item in some:
            first = first or item.received_at
            wait = began + (item.received_at - first) / 1e9 / speed - loop.time()
            if wait > 0.0:
                await asyncio.sleep(wait)
            yield item
        if error is not None:
            raise error
        if len(some) < AT_ONCE:
            return


def _some(coming: Iterator[Item]) -> tuple[list[Item], Exception | None]:
    """Give the next items, and what was raised behind them."""
    some = list[Item]()
    try:
        for item in coming:
            some.append(item)
            if len(some) == AT_ONCE:
                break
    except Exception as error:  # noqa: BLE001 - it is raised when the items before it were given
        return some, error
    return some, None
