"""One recording, three ways: read from the file, served by the simulator and watched live, and compiled.

All give the same insights, but for the times at which messages reached us.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from coinbase_insights.engine.insight import Insight
from coinbase_insights.feed import Feed
from coinbase_insights.log.journal import read
from coinbase_insights.message import Lost
from coinbase_insights.pipe import Pipe
from coinbase_insights.simulator.recorded import Recording
from coinbase_insights.simulator.server import Options, serve

RECORDINGS = [
    ("exchange_2026-04-05_BTC-USD_ticker_batch_derived.rec", "ticker_batch"),
    ("exchange_2025-11-12_BTC-USD_ticker.rec", "ticker"),
    ("exchange_2021-04-17_10_products.rec", "ticker"),
    ("exchange_2021-04-17_10_products.rec", "level2"),
    ("advanced_2026-04-05_BTC-USD_ticker.rec", "ticker"),
    ("advanced_2026-08-09_BTC_ETH_all_channels.rec", "ticker"),
    ("advanced_2026-08-09_BTC_ETH_all_channels.rec", "level2"),
]


def comparable(insight: Insight) -> Insight:
    """The insight without what depends on the connection."""
    return msgspec.structs.replace(insight, received_at="", missed=0, reconnects=0)


def from_file(path: Path, channel: str) -> Iterator[Insight]:
    pipe = Pipe(channel=channel)
    for item in read(path):
        for product in pipe.take(item):
            yield comparable(product.insight())
    for product in pipe.finish():
        yield comparable(product.insight())


async def from_simulator(path: Path, channel: str) -> list[Insight]:
    recording = Recording(path)
    insights = []
    pipe = Pipe(tuple(recording.products), channel=channel)
    async with asyncio.timeout(50), serve(recording, options=Options(speed=math.inf)) as server:
        feed = Feed(server.url, tuple(recording.products), dialect=recording.dialect, channel=channel)
        async with aclosing(feed.items()) as items:
            async for item in items:
                insights += [comparable(product.insight()) for product in pipe.take(item)]
                if isinstance(item, Lost):
                    break
    return insights + [comparable(product.insight()) for product in pipe.finish()]


@pytest.mark.parametrize(("name", "channel"), RECORDINGS)
def test_a_recording_gives_the_same_insights_from_the_file_and_over_the_socket(
    shared_data: Path, name: str, channel: str
) -> None:
    expected = list(from_file(shared_data / name, channel))

    seen = asyncio.run(from_simulator(shared_data / name, channel))

    assert expected
    assert seen == expected
