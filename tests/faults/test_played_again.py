"""Properties (c) and (d): what was kept, played again, gives the figures that were shown live, bit for bit."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from coinbase_insights.collect import Collect, Pace
from coinbase_insights.engine.insight import Insight
from coinbase_insights.feed import Feed
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.log.journal import read
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item
from coinbase_insights.pipe import Pipe
from coinbase_insights.simulator.faults import parse_faults
from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.server import Options, serve

RECORDING = "exchange_2026-04-05_BTC-USD_ticker_batch_derived.rec"


def shown(pipe: Pipe, item: Item) -> list[Insight]:
    """Every figure right after an item, as it is shown."""
    return [product.insight(pipe.counts.missed, pipe.counts.reconnects) for product in pipe.take(item)]


async def teed(items: AsyncGenerator[Item], pipe: Pipe, insights: list[Insight]) -> AsyncGenerator[Item]:
    async with aclosing(items) as source:
        async for item in source:
            insights += shown(pipe, item)
            yield item


def test_property_c_the_figures_from_the_lake_are_those_shown_live(tmp_path: Path) -> None:
    live, insights = Pipe(["ETH-USD"], channel="ticker"), list[Insight]()

    async def run() -> None:
        market = Market(time.time_ns() // 1000 - 3_600_000_000)
        faults = parse_faults("close=1001@200 gap/97 duplicate/31 out_of_order/53 invalid_json/41 crossed/29")
        async with serve(market, faults=faults, options=Options(speed=20.0)) as server:
            feed = Feed(server.url, ["ETH-USD"], channel="ticker")
            raw = Raw(str(tmp_path), create=True)
            journal = Segments(tmp_path / "journal", segment_bytes=50_000)
            service = Collect(journal, Landing(raw, tmp_path / "journal"), Pace(commit_seconds=0.3, commit_lines=300))
            await service.run(teed(feed.items(), live, insights), 8.0)

    asyncio.run(run())
    again = Pipe(["ETH-USD"], channel="ticker")
    assert len(insights) > 200
    assert live.counts.reconnects > 0
    assert [insight for item in collected(str(tmp_path)) for insight in shown(again, item)] == insights


@pytest.mark.parametrize("place", ["journal", "lake"])
def test_property_d_a_recording_that_was_kept_and_is_played_again_prints_the_same_bytes(
    place: str, shared_data: Path, tmp_path: Path
) -> None:
    raw, journal = Raw(str(tmp_path), create=True), Segments(tmp_path / "journal")
    for item in read(shared_data / RECORDING):
        journal.write(item)
    journal.sync()
    if place == "lake":
        Landing(raw, tmp_path / "journal").land(journal.durable)
    journal.close()
    assert printed(tmp_path) == printed(shared_data / RECORDING)


def printed(source: Path) -> bytes:
    command = [sys.executable, "-m", "coinbase_insights", "run", "--from", str(source), "--speed", "max"]
    lines = subprocess.run([*command, "--format", "json"], capture_output=True, check=True).stdout.splitlines()
    insights = [line for line in lines if line.startswith(b'{"type":"insight"')]
    assert len(insights) == 240
    return b"\n".join(insights)
