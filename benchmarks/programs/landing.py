"""Lines through the journal and into the lake: `python -m benchmarks.programs.landing FOLDER FRAMES`.

Both in one process, one after the other, so that its memory is that of the larger of the two.
"""

import json
import os
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.tickers import messages
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.log.journal import encode
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Message

SLICE = 10_000


def journal_all(folder: Path, frames: list[bytes], count: int) -> dict[str, float]:
    """Write all of them, with a sync each second, and see how long the oldest had waited for it."""
    journal = Segments(folder / "journal")
    waited, first = [], 0.0
    began, cpu, synced = time.monotonic(), time.process_time(), time.monotonic()
    for frame in islice(cycle(frames), count):
        now = time.time_ns()
        first = first or time.monotonic()
        journal.write(Message(now, frame))
        if time.monotonic() - synced >= 1.0:
            journal.sync()
            synced = time.monotonic()
            waited.append(synced - first)
            first = 0.0
    journal.close()
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    return {"frames_a_second": count / seconds, "cpu": cpu / count * 1e6, "delay": max(waited, default=seconds)}


def append_all(folder: Path, frames: list[bytes], count: int) -> float:
    """The bound: the same lines, plainly appended to a file; microseconds of CPU each."""
    cpu = time.process_time()
    with (folder / "plain").open("wb", buffering=0) as file:
        for frame in islice(cycle(frames), count):
            file.write(encode(Message(time.time_ns(), frame)))
        os.fsync(file.fileno())
    (folder / "plain").unlink()
    return (time.process_time() - cpu) / count * 1e6


def land_all(folder: Path) -> dict[str, float]:
    """Land what the journal holds."""
    journal = Segments(folder / "journal")
    raw = Raw(str(folder / "lake"), create=True)
    began, cpu = time.monotonic(), time.process_time()
    Landing(raw, folder / "journal").land(journal.durable)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    lines = journal.durable
    journal.close()
    return {"frames_a_second": lines / seconds, "cpu": cpu / lines * 1e6}


def peak() -> float:
    """Megabytes of memory at the most, of this program alone: getrusage would count in who has started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def main(folder: Path, count: int) -> None:
    """Measure the steps and say what they cost."""
    start = time.time_ns() // 1000
    frames = list(messages((folder / "lines").read_bytes().split(b"\n"), start))
    result = {"append": append_all(folder, frames, count), "journal": journal_all(folder, frames, count)}
    frames.clear()
    result["landing"] = land_all(folder)
    result["memory"] = peak()
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
