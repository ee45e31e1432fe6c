"""Row 40 and property (a): every message is accounted for, exactly, whatever they are and however many."""

import asyncio
import gc
import json
import os
import threading
from collections.abc import Iterator
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

import frames
from coinbase_insights.message import Item, Lost, Message, Opened
from coinbase_insights.pipe import Pipe
from exchange import Connection, Exchange
from faults.listener import listening
from faults.tape import Tape, accounted, nanoseconds, numbers_in, play, resident

STEPS = ("good", "again", "bad json", "bad price", "crossed", "empty", "another product", "unknown", "beat", "old",
         "future", "error", "ack", "lost", "opened", "noise")  # fmt: skip


def tape_of(steps: list[str]) -> Tape:
    """Make a recording of these steps, a second each."""
    tape, is_up, newest = Tape(), True, b""
    for second, step in enumerate(steps, start=1):
        if step == "opened" or not is_up:
            tape.opened(second).heartbeat(second)
        is_up = step != "lost"
        if step == "lost":
            tape.lost(second)
        elif step == "good":
            newest = tape.quote(second).last
        elif step == "again":
            tape.raw(second, newest)
        elif step != "opened":
            append(tape, second, step)
    return tape


def append(tape: Tape, second: int, step: str) -> None:
    strange = {
        "bad json": b"{", "noise": bytes(range(256)), "error": frames.error("no").encode(),
        "ack": frames.ack({"product_ids": ["ETH-USD"], "channels": ["ticker_batch"]}).encode(),
        "unknown": b'{"type":"auction"}',
    }  # fmt: skip
    quotes = {
        "bad price": {"best_bid": "NaN"}, "crossed": {"best_bid": "9999.00"}, "empty": {"best_ask": ""},
        "another product": {"product_id": "BTC-USD"}, "future": {"time": frames.at(second + 3600)},
    }  # fmt: skip
    if step in strange:
        tape.raw(second, strange[step])
    elif step in quotes:
        tape.quote(second, **quotes[step])
    elif step == "beat":
        tape.heartbeat(second)
    elif step == "old":
        tape.quote(0.5, sequence=1) if tape.quotes else tape.raw(second, tape.last)


@given(st.lists(st.sampled_from(STEPS), max_size=60))
def test_property_a_every_message_is_counted_once_and_nothing_else_is(steps: list[str]) -> None:
    tape = tape_of(steps)
    pipe, insights = play(tape)
    insights += [product.insight() for product in pipe.finish()]
    assert pipe.counts.received == sum(isinstance(item, Message) for item in tape.items) == accounted(pipe)
    assert pipe.counts.quotes == len(insights) == len({insight.sequence for insight in insights})
    assert all(isfinite(number) for insight in insights for number in numbers_in(insight))
    lines = [item for item in tape.items if not isinstance(item, Message)]
    assert pipe.counts.reconnects <= sum(isinstance(item, Opened) for item in lines) - 1
    assert pipe.counts.gaps <= sum(isinstance(item, Lost | Opened) for item in lines)


@given(st.lists(st.binary(max_size=200) | st.sampled_from([json.dumps(frames.ticker(n)).encode() for n in range(5)])))
def test_property_a_holds_for_any_bytes(messages: list[bytes]) -> None:
    pipe, _ = play([Message(nanoseconds(second), data) for second, data in enumerate(messages)])
    assert pipe.counts.received == len(messages) == accounted(pipe)


def test_every_kind_of_message_becomes_what_it_should() -> None:
    pipe, insights = play(tape_of([*["good"] * 3, *STEPS]))
    counts = pipe.counts
    assert counts.bad == {
        "not JSON": 2, "best_bid: not a price": 1, "crossed": 1, "best_ask: empty": 1,
        "time: more than 60 s in the future": 1,
    }  # fmt: skip
    assert counts.other == {"another product": 1, "auction": 1}
    assert (counts.duplicates, counts.quotes, counts.reconnects) == (2, 4, 1)
    assert len(insights) == 4


MANY = 200_000


def million(count: int) -> Iterator[Item]:
    """A reconnect every 10,000 messages, a bad one every 1,000, a double one every 500, an unknown one every 250."""
    yield Opened(nanoseconds(0), "ws://127.0.0.1")
    yield Message(nanoseconds(0), json.dumps(frames.heartbeat(0, time=frames.at(0))).encode())
    ticker = json.dumps(frames.ticker(0, time="TIME", sequence=987654321, best_bid="BID", best_ask="ASK"))
    newest = b"{}"
    for number in range(1, count):
        seconds = number * 0.25
        received_at = nanoseconds(seconds)
        if number % 10_000 == 0:
            yield Lost(received_at, "torn")
            yield Opened(received_at, "ws://127.0.0.1")
        if number % 1000 == 0:
            yield Message(received_at, b'{"type":"ticker"')
        elif number % 500 == 6:
            yield Message(received_at, newest)
        elif number % 250 == 2:
            yield Message(received_at, b'{"type":"kind %d"}' % number)
        elif number % 4 == 3:
            yield Message(received_at, json.dumps(frames.heartbeat(number, time=frames.at(seconds))).encode())
        else:
            text = ticker.replace("TIME", frames.at(seconds)).replace("987654321", str(number))
            bid = 150_000 + number * 7919 % 1000
            newest = text.replace("BID", f"{bid / 100:.2f}").replace("ASK", f"{(bid + 3) / 100:.2f}").encode()
            yield Message(received_at, newest)


@pytest.mark.timeout(180)
def test_row_40_many_messages_add_up_exactly_and_leave_nothing_behind() -> None:
    """Fifty thousand fill the windows of 15 minutes; after that nothing may grow."""
    pipe, at_warm = Pipe(["ETH-USD"]), 0
    for number, item in enumerate(million(MANY)):
        for product in pipe.take(item):
            if number % 100 == 0:
                product.insight()
        if number == MANY // 2:
            gc.collect()
            at_warm = resident()
    gc.collect()
    grown = resident() - at_warm
    counts = pipe.counts
    assert counts.received == MANY == accounted(pipe)
    assert sum(counts.bad.values()) == MANY // 1000 - 1
    assert counts.duplicates == MANY // 500
    assert sum(counts.other.values()) == MANY // 250
    assert (counts.reconnects, counts.gaps) == (MANY // 10_000 - 1, MANY // 10_000 - 1)
    assert grown < max(MANY // 2, 2**20)


@pytest.mark.timeout(120)
def test_row_40_reconnects_leave_no_thread_and_no_open_file_behind() -> None:
    """Over a real socket: 20,000 messages, cut every 1,000."""

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        for number in range(500):
            await connection.heartbeat()
            if number % 100 == 50:
                await connection.send("{")
            else:
                await connection.ticker()
        await (connection.fin() if connection.number % 2 else connection.close(1001))

    async def run() -> None:
        async with asyncio.timeout(100), Exchange(script) as exchange, listening(exchange) as listener:
            listener.forget = True
            await listener.until(lambda: listener.pipe.counts.reconnects >= 3)
            files, threads, memory = len(os.listdir("/dev/fd")), threading.active_count(), resident()
            await listener.until(lambda: listener.pipe.counts.reconnects >= 20, limit=90)
            assert abs(len(os.listdir("/dev/fd")) - files) <= 1  # the one connection may be between two
            assert threading.active_count() == threads
            assert resident() - memory < 20_000_000
            counts = listener.pipe.counts
            assert counts.received == accounted(listener.pipe)
            assert counts.received >= 20_000
            assert 0 <= exchange.sent - counts.quotes <= 500  # what the last connection has under way
            assert counts.reconnects * 5 <= sum(counts.bad.values()) <= counts.reconnects * 5 + 5
            assert counts.reconnects <= counts.gaps <= counts.reconnects + 1

        assert await exchange.open_connections() == 0

    asyncio.run(run())
