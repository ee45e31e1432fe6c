"""A share that is taken over: what has come to it since it was shown last is shown, whatever the broker does."""

import asyncio
import json
from typing import Any

import pytest

from coinbase_insights.engine.product import Product
from coinbase_insights.errors import StorageError
from coinbase_insights.log import sharing
from coinbase_insights.log.group import Kept
from coinbase_insights.log.kafka import Address
from coinbase_insights.log.shares import Shares, remember
from coinbase_insights.log.topic_line import item_of
from coinbase_insights.pipe import Pipe
from frames import START, at, heartbeat, ticker

SHOWN, NOW = 20, 60


def line(number: int) -> bytes:
    sent = ticker(number, sequence=number, time=at(number)) if number else heartbeat(0, sequence=0, time=at(0))
    stamp = (int(START.timestamp()) + number) * 10**9
    return b"%d\t%s\n" % (stamp, json.dumps(sent).encode())


def new_pipe(shares: Shares) -> Pipe:
    return Pipe(("ETH-USD",), channel="ticker", holds=shares.holds)


class Topic:
    """Sixty messages; once, in the middle, it is away."""

    is_away = True

    def __init__(self, *_: object) -> None:
        self._next = 0

    def seek(self, offset: int) -> None:
        self._next = offset

    def range(self) -> tuple[int, int]:
        return 0, NOW

    def read(self, most: int, _: float) -> list[tuple[int, bytes]]:
        if Topic.is_away and self._next >= 45:
            Topic.is_away = False
            raise StorageError("The topic is away.")
        given = range(self._next, min(NOW, self._next + min(most, 5)))
        self._next = given.stop
        return [(offset, line(offset)) for offset in given]

    def close(self) -> None:
        """Nothing is held."""


class Broker:
    """Gives us a share whose figures were shown up to a message, and believes what we tell it."""

    def __init__(self, data: bytes) -> None:
        self.own, self.given = set[int](), [0]
        self._data, self._shown = data, SHOWN

    def poll(self) -> None:
        """Nobody else comes or goes."""

    def kept(self, _: int) -> Kept:
        return Kept(self._data, 0, self._shown)

    def take(self, share: int, _: Kept, shown: int) -> bool:
        self._shown = shown
        self.given.remove(share)
        self.own.add(share)
        return True

    def vouch(self, _: int) -> bool:
        return True


def test_a_topic_that_goes_away_while_a_share_is_taken_over_costs_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "Reader", Topic)
    before, ours = new_pipe(Shares(1, {0})), Shares(1)
    for number in range(SHOWN):
        list(before.take(item_of(line(number))))
    source = sharing.Sharing(Address("x", "raw"), "desk", ours, new_pipe, "ticker by tilt")
    group: Any = Broker(remember(SHOWN, before, Shares(1, {0}), 0, source._folded_as()))
    ours.own, source._offset = group.own, NOW
    topic: Any = Topic()
    topic.seek(NOW)
    shown: list[int | None] = []

    def folded(product: Product) -> None:
        assert product.quote is not None
        shown.append(product.quote.sequence)

    async def go_on() -> None:
        for _ in range(3):
            await source._next(group, topic, folded)

    asyncio.run(go_on())

    assert not Topic.is_away
    assert shown == list(range(SHOWN, NOW))
