"""Source, pipe and sink joined: what a sink is told, and what the source is asked for."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence

import pytest

from coinbase_insights.engine.product import Product
from coinbase_insights.errors import InsightsError, RecordingError
from coinbase_insights.message import Item, Lost, Message, Opened
from coinbase_insights.pipe import Pipe
from coinbase_insights.show.view import LineState, View
from coinbase_insights.watch import Watch
from frames import at, heartbeat, ticker

SECOND = 1_000_000_000


class Notes:
    """A sink that writes down what it is told."""

    draws = False

    def __init__(self) -> None:
        self.insights: list[str] = []
        self.states: list[str] = []
        self.details: list[str] = []

    def insight(self, product: Product, pipe: Pipe) -> None:
        self.insights.append(product.insight().time)

    def state(self, view: View, pipe: Pipe) -> None:
        self.states.append(view.state)
        self.details.append(view.detail)

    def draw(self, view: View) -> None:
        raise AssertionError("it does not draw")


def message(seconds: float, frame: object) -> Message:
    return Message(1_795_352_400 * SECOND + int(seconds * SECOND), json.dumps(frame).encode())


async def give(items: Sequence[Item], error: InsightsError | None = None) -> AsyncGenerator[Item]:
    for item in items:
        yield item
    if error is not None:
        raise error


def level2(number: int, kind: str) -> Message:
    levels = [
        {"side": side, "price_level": price, "new_quantity": "1"} for side, price in (("bid", "10"), ("offer", "11"))
    ]
    event = {"type": kind, "product_id": "ETH-USD", "updates": levels}
    return message(number, {"channel": "l2_data", "timestamp": at(number), "sequence_num": number, "events": [event]})


def test_the_sink_is_told_each_state_once_and_every_quote() -> None:
    items = [message(0, heartbeat(0, time=at(0))), *(message(n, ticker(n, time=at(n))) for n in (1, 2, 3))]
    notes = Notes()

    asyncio.run(Watch(Pipe(), notes, live_state="REPLAY").run(give(items)))

    assert notes.states == ["REPLAY", "ENDED"]
    assert notes.insights == [at(1), at(2), at(3)]


def test_quotes_that_still_wait_when_the_source_ends_are_folded_and_the_end_says_so() -> None:
    notes = Notes()

    asyncio.run(Watch(Pipe(), notes, live_state="REPLAY").run(give([message(0, ticker(1, time=at(0.5)))])))

    assert notes.insights == [at(0.5)]
    assert notes.details[-1].startswith("after")


def test_quotes_that_wait_are_not_lost_when_the_source_fails() -> None:
    notes = Notes()
    source = give([message(0, ticker(1, time=at(0.5)))], RecordingError("the disk is gone"))

    with pytest.raises(RecordingError):
        asyncio.run(Watch(Pipe(), notes).run(source))

    assert notes.insights == [at(0.5)]


def test_a_lost_change_of_the_order_book_asks_for_a_new_connection() -> None:
    watch = Watch(Pipe(channel="level2"), Notes())
    asked: list[str] = []
    watch.reconnect = asked.append
    opened = Opened(1_795_352_400 * SECOND, "ws://x")
    items: list[Item] = [opened, level2(0, "snapshot"), level2(1, "update"), level2(3, "update")]

    asyncio.run(watch.run(give(items)))

    assert asked == ["a change of the order book was lost"]


def test_what_the_check_finds_ends_the_run() -> None:
    async def for_ever() -> AsyncGenerator[Item]:
        await asyncio.Event().wait()
        yield Opened(0, "")

    def check() -> list[str]:
        raise RecordingError("no such product")

    with pytest.raises(RecordingError, match="no such product"):
        asyncio.run(Watch(Pipe(), Notes()).run(for_ever(), check=check))


def test_a_run_that_ends_while_the_line_is_down_shows_no_value_as_current() -> None:
    views: list[View] = []

    class Eyes(Notes):
        draws = True

        def draw(self, view: View) -> None:
            views.append(view)

    async def items() -> AsyncGenerator[Item]:
        yield Opened(0, "ws://x")
        for number in range(3):
            yield Message(number * SECOND, json.dumps(heartbeat(number, time=at(number))).encode())
            yield Message(number * SECOND, json.dumps(ticker(number + 1, time=at(number + 0.5))).encode())
        yield Lost(4 * SECOND, "torn", 1, 5.0)

    asyncio.run(Watch(Pipe(["ETH-USD"]), Eyes()).run(items()))
    assert (views[-1].state, views[-1].is_live) == ("ENDED", False)
    assert views[-1].detail.endswith("while the line was down")


def test_a_line_that_has_just_ended_is_not_said_to_have_had_no_data_for_no_time() -> None:
    told: list[str] = []

    async def items() -> AsyncGenerator[Item]:
        yield Opened(0, "ws://x")
        yield Message(1, json.dumps(heartbeat(1, time=at(1))).encode())
        yield Lost(2, "torn", 1, 5.0)
        told.append(watch.seen().detail)

    watch = Watch(Pipe(), Notes())
    asyncio.run(watch.run(items()))
    assert told == ["the connection has ended, reconnecting in 5 s (try 1)"]


def test_a_replay_says_nothing_before_it_knows_its_time() -> None:
    notes = Notes()

    async def items() -> AsyncGenerator[Item]:
        await asyncio.sleep(0.01)
        yield Message(SECOND, json.dumps(heartbeat(1, time=at(1))).encode())

    asyncio.run(Watch(Pipe(["ETH-USD"]), notes, live_state="REPLAY").run(items()))
    assert notes.states == ["REPLAY", "ENDED"]


@pytest.mark.parametrize("live_state", ["REPLAY", "LIVE"])
def test_after_the_end_nothing_grows_older(live_state: LineState, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(Pipe(["ETH-USD"], channel="ticker"), Notes(), live_state=live_state)
    asyncio.run(watch.run(give([message(n, ticker(n, time=at(n))) for n in (1, 2, 3)])))
    ended, clock, monotonic = watch.seen(), time.time_ns, time.monotonic

    monkeypatch.setattr(time, "time_ns", lambda: clock() + 3600 * SECOND)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 3600)

    assert (ended.state, ended.products[0].insight is not None) == ("ENDED", True)
    assert watch.seen() == ended


def test_a_replay_begins_now_until_its_first_message_is_there() -> None:
    watch = Watch(Pipe(["ETH-USD"], channel="ticker"), Notes(), live_state="REPLAY")
    before = watch.seen()
    asyncio.run(watch.run(give([message(n, ticker(n, time=at(n))) for n in (1, 2)])))

    assert abs(before.since - time.time_ns() // 1000) < 60_000_000
    assert watch.seen().since == 1_795_352_401_000_000


@pytest.mark.parametrize(("minutes", "state"), [(0, "LIVE"), (10, "STALE")])
def test_messages_that_a_topic_gives_late_are_as_old_as_they_are(minutes: int, state: str) -> None:
    notes, received_at = Notes(), time.time_ns() - minutes * 60 * SECOND
    watch = Watch(Pipe(["ETH-USD"], channel="ticker"), notes)
    watch.may_lag = True
    items = [Message(received_at, json.dumps(ticker(number)).encode()) for number in range(2)]

    asyncio.run(watch.run(give(items)))

    assert notes.states[-2:] == [state, "ENDED"]
