"""A live feed and its pipe, run in the background of a test, ten times faster than in life."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from coinbase_insights.engine.insight import Insight
from coinbase_insights.feed import Feed, Timing
from coinbase_insights.message import Item, Lost, Message, Opened
from coinbase_insights.pipe import Pipe
from exchange import Exchange

SCALE = 0.1
SLACK = 1.0
"""Seconds granted to a machine that others are using too."""


def within(seconds: float, scale: float = SCALE) -> float:
    """How long a promise may take in a test."""
    return seconds * scale + SLACK


class Listener:
    """Takes all that a feed gives, and remembers when."""

    def __init__(self, feed: Feed, pipe: Pipe) -> None:
        self.feed = feed
        self.pipe = pipe
        self.log: list[tuple[float, Item]] = []
        """What came, and the monotonic time at which it was taken."""
        self.insights: list[Insight] = []
        self.quoted_at = 0.0
        self.ended: BaseException | None = None
        """What the feed raised."""
        self.may_take = asyncio.Event()
        """Clear it to be a slow consumer."""
        self.may_take.set()
        self.forget = False
        """Keep no messages and insights, so that memory can be measured."""
        self._news = asyncio.Condition()

    @property
    def lost(self) -> list[Lost]:
        return [item for _, item in self.log if isinstance(item, Lost)]

    @property
    def opened(self) -> list[Opened]:
        return [item for _, item in self.log if isinstance(item, Opened)]

    @property
    def messages(self) -> list[bytes]:
        return [item.data for _, item in self.log if isinstance(item, Message)]

    def when(self, kind: type, number: int = 0) -> float:
        """When the nth item of a kind was taken."""
        return [moment for moment, item in self.log if isinstance(item, kind)][number]

    async def run(self) -> None:
        items = self.feed.items()
        try:
            async for item in items:
                self._take(item)
                async with self._news:
                    self._news.notify_all()
                await self.may_take.wait()
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            self.ended = error
        finally:
            await items.aclose()
            async with self._news:
                self._news.notify_all()

    def _take(self, item: Item) -> None:
        if not self.forget or not isinstance(item, Message):
            self.log.append((time.monotonic(), item))
        for product in self.pipe.take(item):
            insight = product.insight()
            self.quoted_at = time.monotonic()
            if not self.forget:
                self.insights.append(insight)

    async def until(self, condition: Callable[[], Any], limit: float = 10.0) -> None:
        """Wait until something is so; a feed that has raised makes nothing more so."""
        async with asyncio.timeout(limit), self._news:
            await self._news.wait_for(lambda: condition() or self.ended)
        if self.ended and not condition():
            raise self.ended

    async def quotes(self, count: int, limit: float = 10.0) -> None:
        """Wait for so many more quotes."""
        wanted = len(self.insights) + count
        await self.until(lambda: len(self.insights) >= wanted, limit)

    async def seconds_to_quote(self, since: float, limit: float = 10.0) -> float:
        """Wait for the first quote after a moment and give how long after."""
        await self.until(lambda: self.quoted_at > since, limit)
        return self.quoted_at - since

    async def recovery(self, number: int = 0) -> float:
        """How long after the nth loss the next quote came."""
        await self.until(lambda: len(self.lost) > number)
        return await self.seconds_to_quote(self.when(Lost, number))


@asynccontextmanager
async def listening(
    exchange: Exchange | str, *, timing: Timing | None = None, product_id: str = "ETH-USD", **options: Any
) -> AsyncIterator[Listener]:
    """Run a feed and its pipe until the block ends; then nothing of it may be left."""
    url = exchange if isinstance(exchange, str) else exchange.url
    feed = Feed(url, [product_id], timing=timing or Timing().scaled(SCALE), **options)
    listener = Listener(feed, Pipe([product_id]))
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
