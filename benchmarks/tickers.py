"""Tickers for the flood: a synthetic BTC-USD that trades five times a second or so, as the real one was recorded.

Prices and sizes are as varied as real ones, so no cache can make a parser look quicker than it is.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from coinbase_insights.simulator.advanced_frames import heartbeat, tickers
from coinbase_insights.simulator.digits import nano_time
from coinbase_insights.simulator.events import SecondPassed, Trade
from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.product import CHARACTERS

PRODUCT_ID = "BTC-USD"
SECONDS_PER_TRADE = 0.2
START = 1_775_000_000_000_000
STEP = 60_000_000
SUBSCRIBED = {"subscriptions": {"ticker": [PRODUCT_ID], "heartbeats": ["heartbeats"]}}


def write_flood(path: Path, count: int) -> int:
    """Write so many tickers, and the heartbeats between them, a line each; give the number of lines.

    A line is: microseconds since the start TAB channel TAB events. Before all stands the acknowledgement.
    """
    lines = [f"0\tsubscriptions\t{json.dumps([SUBSCRIBED])}", f"0\theartbeats\t{json.dumps([heartbeat(START)])}"]
    product = next(each for each in CHARACTERS if each.product_id == PRODUCT_ID)
    character = replace(CHARACTERS[product], seconds_per_trade=SECONDS_PER_TRADE, seconds_per_change=10.0)
    market, found = Market(START, 1, {product: character}), 0
    while found < count:
        for event in market.advance(market.time + STEP):
            if isinstance(event, Trade) and found < count:
                found += 1
                lines.append(_line(event.time, "ticker", tickers("update", product, event)))
            elif isinstance(event, SecondPassed) and found < count:
                lines.append(_line(event.time, "heartbeats", heartbeat(event.time)))
    path.write_text("\n".join(lines), encoding="ascii")
    return len(lines)


def _line(time: int, channel: str, event: dict[str, object]) -> str:
    return f"{time - START}\t{channel}\t{msgspec.json.encode([event]).decode()}"


def messages(lines: list[bytes], start: int) -> Iterator[bytes]:
    """Give the messages as Advanced Trade writes them, as if the first were of `start` (microseconds)."""
    for number, line in enumerate(lines):
        since, channel, events = line.split(b"\t")
        timestamp = nano_time((start + int(since)) * 1000 + 81).encode()
        yield b'{"channel":"%s","timestamp":"%s","sequence_num":%d,"events":%s}' % (channel, timestamp, number, events)
