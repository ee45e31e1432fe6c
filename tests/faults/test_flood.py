"""Rows 24 and 25: more than we can take, a consumer that stops for a while, and clocks that jump."""

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from math import isfinite

import pytest

from coinbase_insights.message import Lost
from exchange import Connection, Exchange, talk
from faults.listener import SCALE, Listener, listening, within
from faults.tape import numbers_in, resident


def play(exchange: Exchange, test: Callable[[Listener], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(40), exchange, listening(exchange) as listener:
            await test(listener)

    asyncio.run(run())


async def flood(connection: Connection) -> None:
    """Quotes as fast as the client takes them."""
    await connection.subscribed()
    await connection.heartbeat()
    while True:
        await connection.ticker()


def trades(listener: Listener) -> list[int]:
    return [json.loads(data)["trade_id"] for data in listener.messages if b"best_bid" in data]


def test_row_24_a_consumer_that_stops_holds_the_exchange_back_and_loses_nothing() -> None:
    """It stops for 30 s while 1,000 messages a second of life come; the line is not dead, we are slow."""

    async def test(listener: Listener) -> None:
        await listener.quotes(100)
        listener.may_take.clear()
        before = resident()
        await asyncio.sleep(30 * SCALE)
        assert resident() - before < 50_000_000
        waiting = exchange.sent
        listener.may_take.set()
        await listener.until(lambda: len(listener.messages) > waiting)
        assert listener.lost == []
        assert listener.pipe.counts.gaps == 0
        first, *_, last = taken = trades(listener)
        assert taken == list(range(first, last + 1))

    exchange = Exchange(flood)
    play(exchange, test)


def test_row_24_a_line_that_dies_while_the_consumer_sleeps_is_noticed_afterwards() -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        await connection.stall(reading=False)

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        listener.may_take.clear()
        await asyncio.sleep(30 * SCALE)
        listener.may_take.set()
        woke_at = time.monotonic()
        assert await listener.seconds_to_quote(woke_at) <= within(7)
        assert len(listener.lost) == 1

    play(Exchange(script, talk), test)


def test_row_24_while_we_stand_still_the_line_is_not_to_blame() -> None:
    """Blocked for 20 s by a slow reader of ours; what came meanwhile is read before the line is called silent."""

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        time.sleep(20 * SCALE)
        await listener.quotes(20)
        assert listener.lost == []
        assert listener.pipe.counts.gaps == 0

    play(Exchange(talk), test)


def test_row_24_a_flood_takes_no_memory() -> None:
    async def test(listener: Listener) -> None:
        listener.forget = True
        await listener.until(lambda: listener.pipe.counts.received > 5_000)
        gc.collect()
        before = resident()
        await listener.until(lambda: listener.pipe.counts.received > 40_000, limit=30)
        gc.collect()
        assert resident() - before < 50_000_000
        assert listener.lost == []
        assert listener.pipe.counts.good == listener.pipe.counts.received

    play(Exchange(flood), test)


@pytest.mark.parametrize("jump", [3600, -3600, 1, -1])
def test_row_25_setting_the_clock_makes_no_connection_look_dead(jump: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Summer time, a leap second, a clock set right by hand: waiting is measured with a clock that nobody sets."""
    real, real_ns = time.time, time.time_ns

    async def test(listener: Listener) -> None:
        await listener.quotes(20)
        monkeypatch.setattr("time.time", lambda: real() + jump)
        monkeypatch.setattr("time.time_ns", lambda: real_ns() + jump * 10**9)
        await asyncio.sleep(20 * SCALE)
        await listener.quotes(20)
        counts = listener.pipe.counts
        assert listener.lost == []
        assert (counts.reconnects, counts.gaps, counts.missed) == (0, 0, 0)
        assert sum(counts.bad.values()) <= 4
        assert all(isfinite(number) for insight in listener.insights for number in numbers_in(insight))
        times = [insight.time for insight in listener.insights]
        assert times == sorted(times)
        assert len({insight.mid_price_mean.one.count for insight in listener.insights}) == len(listener.insights)

    play(Exchange(talk), test)


def test_row_25_a_machine_that_slept_is_connected_again_soon() -> None:
    """The whole process stands still, as it does in a suspended machine, while the line dies."""

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        await connection.stall(reading=False)

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        time.sleep(20 * SCALE)
        woke_at = time.monotonic()
        assert await listener.seconds_to_quote(woke_at) <= within(7)
        assert listener.when(Lost) - woke_at <= within(1)
        assert listener.pipe.counts.gaps == 1

    play(Exchange(script, talk), test)
