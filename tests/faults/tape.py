"""A recording made to measure: what reached us in each second after 13:00 on the day of the tests."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

import frames
from coinbase_insights.engine.insight import Insight
from coinbase_insights.message import Item, Lost, Message, Opened
from coinbase_insights.pipe import Pipe

START = int(frames.START.timestamp())


def nanoseconds(seconds: float) -> int:
    return START * 10**9 + round(seconds * 1e9)


def microseconds(seconds: float) -> int:
    return START * 10**6 + round(seconds * 1e6)


class Tape:
    """Collects items; quotes and heartbeats reach us 50 ms after the time that they carry."""

    def __init__(self) -> None:
        """Begin with a connection and a heartbeat, so that everything after the first second counts."""
        self.items: list[Item] = []
        self.quotes = 0
        self.opened(0).heartbeat(0)

    def opened(self, seconds: float) -> "Tape":
        self.items.append(Opened(nanoseconds(seconds), "ws://127.0.0.1"))
        return self

    def lost(self, seconds: float) -> "Tape":
        self.items.append(Lost(nanoseconds(seconds), "torn by the test"))
        return self

    def raw(self, seconds: float, data: bytes | str) -> "Tape":
        self.items.append(Message(nanoseconds(seconds + 0.05), data.encode() if isinstance(data, str) else data))
        return self

    def heartbeat(self, seconds: float, **fields: Any) -> "Tape":
        return self.raw(seconds, json.dumps(frames.heartbeat(self.quotes, **{"time": frames.at(seconds), **fields})))

    def quote(self, seconds: float, **fields: Any) -> "Tape":
        """The next quote; a field given as `...` is left out."""
        self.quotes += 1
        return self.raw(seconds, json.dumps(frames.ticker(self.quotes, **{"time": frames.at(seconds), **fields})))

    def quotes_until(self, first: int, last: int, step: int = 5) -> "Tape":
        """A heartbeat every second and a quote every few, both ends included."""
        for second in range(first, last + 1):
            self.heartbeat(second)
            if (second - first) % step == 0:
                self.quote(second)
        return self

    @property
    def last(self) -> bytes:
        """The newest message."""
        return next(item.data for item in reversed(self.items) if isinstance(item, Message))


def play(
    tape: Tape | Iterable[Item], pipe: Pipe | None = None, product_id: str = "ETH-USD"
) -> tuple[Pipe, list[Insight]]:
    """Let a pipe take all of it, and keep the insight after each folded quote."""
    pipe = pipe or Pipe([product_id])
    items = tape.items if isinstance(tape, Tape) else tape
    insights = [product.insight() for item in items for product in pipe.take(item)]
    return pipe, insights


def accounted(pipe: Pipe) -> int:
    """How many messages have become something; must be all that were received."""
    counts = pipe.counts
    return counts.good + counts.duplicates + sum(counts.bad.values()) + sum(counts.other.values())


def numbers_in(insight: Insight) -> Iterator[float]:
    """Every number of an insight, at any depth."""
    left: list[Any] = [msgspec.to_builtins(insight)]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, int | float):
            yield value


def resident(process: int | None = None) -> int:
    """Bytes of memory that a process has now; this one if none is named."""
    command = ["ps", "-o", "rss=", "-p", str(process or os.getpid())]
    return int(subprocess.run(command, capture_output=True, check=True).stdout) * 1024
