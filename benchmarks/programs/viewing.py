"""Pages that look: `python -m benchmarks.programs.viewing PORT VIEWERS SECONDS PRODUCT`.

Prints, as JSON, how late quotes were seen. A recording of a quote each `STEP` microseconds is played; so when each was
there is known but for one constant, which is that of the quickest frame of all.
"""

import asyncio
import json
import sys
import time
from itertools import pairwise

STEP = 10_000
"""Microseconds between two quotes of a product."""


async def look(port: int, product_id: str, until: float) -> list[tuple[int, float]]:
    """Take frames until then; give the time of the newest quote of each, and when it came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/stream?product_id={product_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    seen: list[tuple[int, float]] = []
    while time.time() < until:
        line = await reader.readline()
        if line.startswith(b"data: "):
            came = time.time()
            figures = json.loads(line[6:])["figures"]
            if figures and figures["point"]:
                seen.append((figures["point"][0], came))
    writer.close()
    return seen


def lateness(views: list[list[tuple[int, float]]]) -> list[float]:
    """Give for each quote and viewer the seconds until a frame with it, or a later one, had come."""
    first = min(came - at / 1e6 for seen in views for at, came in seen)
    found = []
    for seen in views:
        for (before, _), (at, came) in pairwise(seen):
            found += [came - quote / 1e6 - first for quote in range(before + STEP, at + 1, STEP)]
    return sorted(found)


async def main() -> None:
    """Look, and print the lateness at the half and at 99 of 100."""
    port, viewers, seconds, product_id = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    until = time.time() + seconds
    views = await asyncio.gather(*(look(port, product_id, until) for _ in range(viewers)))
    late = lateness(list(views))
    frames = sum(map(len, views))
    print(json.dumps({"frames": frames, "p50": late[len(late) // 2], "p99": late[int(len(late) * 0.99)]}))


if __name__ == "__main__":
    asyncio.run(main())
