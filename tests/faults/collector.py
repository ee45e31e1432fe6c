"""A service that collects a thousand made-up messages a second, to be killed: `collector.py LAKE FIRST`.

Messages are numbered on from FIRST, and the number is said on stdout once a message is durable.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from coinbase_insights.collect import Collect, Pace
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Message, Opened


async def messages(first: int) -> AsyncGenerator[Item]:
    yield Opened(time.time_ns(), "ws://made-up")
    while True:
        for number in range(first, first + 10):
            yield Message(time.time_ns(), b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number)
        first += 10
        await asyncio.sleep(0.01)


async def main(lake: str, first: int) -> None:
    raw = Raw(lake, create=True)
    journal = Segments(Path(lake) / "journal", start=raw.landed(LOG), segment_bytes=20_000)
    collect = Collect(journal, Landing(raw, Path(lake) / "journal"), Pace(commit_seconds=0.1, commit_lines=100))
    lines = journal.durable
    say("ready")
    await collect.run(messages(first), tell=lambda standing: say(standing.journal_durable - lines), tell_every=0.02)


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
