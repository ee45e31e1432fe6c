"""A service on a disk of 6 MB that fills up and gets room again: `small_disk.py FOLDER`, to be run where it may mount.

Says on stdout, as JSON, how many messages came, how many found no room, and how long after the room was there the
next one was stored. With `small_disk.py FOLDER full` it gets none, and ends.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from coinbase_insights.collect import Collect, Pace
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Message, Opened

ENOUGH = 500


async def messages(journal: Segments, balloon: Path, seen: dict[str, float]) -> AsyncGenerator[Item]:
    """Messages until some have found no room; then, with room again, until as many have been stored."""
    yield Opened(time.time_ns(), "ws://made-up")
    stored = freed_at = 0.0
    while stored < ENOUGH:
        for _ in range(20):
            yield Message(time.time_ns(), b'{"type":"ticker","product_id":"ETH-USD","padding":"%b"}' % (b"x" * 2000))
            seen["sent"] += 1
        await asyncio.sleep(0.005)
        if "full" in sys.argv and journal.unstored >= ENOUGH:
            return
        if not freed_at and journal.unstored >= ENOUGH:
            balloon.unlink()
            freed_at = time.monotonic()
        elif freed_at and not journal.is_full:
            seen["resumed_after"] = seen["resumed_after"] or time.monotonic() - freed_at
            stored += 20


def main(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=True)
    balloon, lake, seen = folder / "balloon", folder / "lake", {"sent": 0, "resumed_after": 0.0}
    balloon.write_bytes(bytes(4 * 2**20))
    raw, journal = Raw(str(lake), create=True), Segments(lake / "journal", segment_bytes=200_000)
    service = Collect(journal, Landing(raw, lake / "journal"), Pace(commit_seconds=0.2, commit_lines=200))
    asyncio.run(service.run(messages(journal, balloon, seen)))
    balloon.unlink(missing_ok=True)
    again = Segments(lake / "journal", start=raw.landed(LOG))
    Landing(raw, lake / "journal").land(again.durable)
    again.close()
    report = verify(str(lake), lake / "journal")
    kept = sum(isinstance(item, Message) for item in collected(str(lake)))
    missing = sum(gap.messages or 0 for gap in report.gaps)
    found = {"kept": kept, "unstored": journal.unstored, "faults": report.faults, "missing": missing}
    sys.stdout.write(json.dumps({**seen, **found}) + "\n")


main(Path(sys.argv[1]))
