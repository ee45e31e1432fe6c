"""Our client in the flood: `python -m benchmarks.programs.ours URL MESSAGES STAGE [compression]`.

STAGE is how far each message goes: line, wire, pipe (all but the folding), update (the insight is there), or json
(it is also written out).
"""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import aclosing

from benchmarks.programs.slices import Slices
from benchmarks.tickers import PRODUCT_ID
from coinbase_insights.engine.product import Product
from coinbase_insights.feed import Feed
from coinbase_insights.message import Item, Message
from coinbase_insights.pipe import Pipe
from coinbase_insights.quote import Quote
from coinbase_insights.wire import reader


class Unfolded(Product):
    """Keeps the newest quote, and nothing else."""

    def update(self, quote: Quote, received_at: int) -> None:
        """Keep it."""
        self.quote = quote


def stage(name: str, pipe: Pipe) -> Callable[[Item], None]:
    """Give what is done with each item."""
    read = reader(True).read

    def count_only(item: Item) -> None:
        pass

    def read_only(item: Item) -> None:
        if isinstance(item, Message):
            read(item.data)

    def take(item: Item) -> None:
        for _ in pipe.take(item):
            pass

    def take_and_write(item: Item) -> None:
        from coinbase_insights.show.lines import to_json

        for product in pipe.take(item):
            to_json(product.insight())

    return {"line": count_only, "wire": read_only, "json": take_and_write}.get(name, take)


async def main(url: str, count: int, name: str, compression: bool) -> None:
    """Take so many messages and say what they cost."""
    pipe = Pipe([PRODUCT_ID], channel="ticker", product=Unfolded if name == "pipe" else Product)
    handle, slices = stage(name, pipe), Slices()
    feed = Feed(url, [PRODUCT_ID], dialect="advanced", channel="ticker", compression=compression)
    async with aclosing(feed.items()) as items:
        async for item in items:
            if isinstance(item, Message):
                slices.add()
            handle(item)
            if slices.count == count:
                break
    counts = pipe.counts
    wrong = counts.received - counts.good + counts.missed + counts.reconnects + counts.before_start
    print(json.dumps({"cost": slices.least, "wrong": wrong}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], "compression" in sys.argv[4:]))
