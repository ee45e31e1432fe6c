"""Services that collect a thousand made-up messages a second, each to be killed: `collector.py LAKE`.

Reads on stdin a line `FIRST SECONDS` for each: messages are numbered on from FIRST, and after so many seconds the
service gets SIGKILL. Says on stdout how many lines were called durable by then. Each is a process of its own.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from coinbase_insights.collect import Collect, Pace, Standing
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


def collect(lake: str, first: int, told: int) -> None:
    raw = Raw(lake, create=True)
    journal = Segments(Path(lake) / "journal", start=raw.landed(LOG), segment_bytes=20_000)
    service = Collect(journal, Landing(raw, Path(lake) / "journal"), Pace(commit_seconds=0.1, commit_lines=100))
    lines = journal.durable
    os.write(told, b"ready\n")

    def tell(standing: Standing) -> None:
        os.write(told, b"%d\n" % (standing.journal_durable - lines))

    asyncio.run(service.run(messages(first), tell=tell, tell_every=0.02))


def killed(lake: str, first: int, seconds: float) -> int:
    """Let one run so long once it has begun, and give how many lines it called durable."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            collect(lake, first, writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        if told.readline() != b"ready\n":
            sys.exit("it did not start")
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        numbers = told.read().split(b"\n")[:-1]
    return max(map(int, numbers), default=0)


for line in sys.stdin:
    first, seconds = line.split()
    sys.stdout.write(f"{killed(sys.argv[1], int(first), float(seconds))}\n")
    sys.stdout.flush()
