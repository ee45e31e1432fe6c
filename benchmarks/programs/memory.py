"""A million quotes, 5 seconds apart, through the pipe: does memory grow? `python -m benchmarks.programs.memory`."""

import json
import random
import resource
from datetime import UTC, datetime
from pathlib import Path

from coinbase_insights.message import Message
from coinbase_insights.pipe import Pipe

QUOTES = 1_000_000
EVERY = 10_000
START = 1_775_000_000
PAGE = resource.getpagesize() // 1024


def message(number: int, random: random.Random) -> Message:
    """The ticker of this number as the Exchange feed writes it."""
    second = START + 5 * number
    cents = 6_700_000 + random.randrange(200_000)
    moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    text = (
        f'{{"type":"ticker","sequence":{number + 1},"product_id":"BTC-USD","price":"{cents / 100:.2f}",'
        f'"best_bid":"{cents / 100:.2f}","best_bid_size":"{random.random() + 0.01:.8f}",'
        f'"best_ask":"{(cents + random.randrange(1, 50)) / 100:.2f}","best_ask_size":"{random.random() + 0.01:.8f}",'
        f'"side":"buy","time":"{moment}","trade_id":{number + 1},"last_size":"0.00299594"}}'
    )
    return Message(second * 1_000_000_000, text.encode())


def resident() -> int:
    """Kilobytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def slope(points: list[tuple[int, int]]) -> float:
    """Of the straight line of least squares."""
    middle_x, middle_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return float(sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points))


def main() -> None:
    """Fold them all, and print kilobytes at half the way, at the end, and the slope between, per million quotes."""
    pipe, dice, points = Pipe(["BTC-USD"]), random.Random(1), []
    for number in range(QUOTES):
        for product in pipe.take(message(number, dice)):
            last = product
        if number % EVERY == 0 and number >= QUOTES // 2:
            last.insight()
            points.append((number, resident()))
    assert pipe.counts.quotes >= QUOTES - 2, pipe.counts
    print(json.dumps({"half": points[0][1], "end": points[-1][1], "slope": slope(points) * 1e6}))


if __name__ == "__main__":
    main()
