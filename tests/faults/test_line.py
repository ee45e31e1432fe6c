"""Rows 1 to 6: a connection ends, breaks, falls silent or trickles; quotes come again, and the gap is known."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

import frames
from coinbase_insights.feed import Timing
from coinbase_insights.message import Lost, Opened
from exchange import TEXT, Connection, Exchange, Script, dribble, frame, silence, talk
from exchange import accept as accept_upgrade
from faults.listener import SCALE, Listener, listening, within


def play(exchange: Exchange, test: Callable[[Listener], Awaitable[None]], timing: Timing | None = None) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), exchange, listening(exchange, timing=timing) as listener:
            await test(listener)
        while len(asyncio.all_tasks()) > 1:  # Nothing of a feed outlives it: this ends, or the test's time does.
            await asyncio.sleep(0)

    asyncio.run(run())


def recovers(script: Script, seconds: float, reason: str, silent: float = 0.0) -> None:
    """After `script`, the next connection brings a quote so many seconds (of life) after the loss, or the silence."""
    exchange = Exchange(script, talk)

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        recovered = await listener.recovery()
        (lost,) = listener.lost
        assert reason in lost.reason
        assert recovered <= within(seconds - silent)
        if silent:
            heard_at = max(moment for moment, _ in listener.log if moment < listener.when(Lost))
            assert silent * SCALE * 0.9 <= listener.when(Lost) - heard_at <= within(silent)
        assert (listener.pipe.counts.gaps, listener.pipe.counts.reconnects) == (1, 1)
        assert listener.when(Lost) <= listener.when(Opened, 1)
        await listener.quotes(20)
        assert await exchange.open_connections() == 1
        assert len(exchange.connections) == 2

    play(exchange, test)


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4000, None, 999])
def test_row_01_every_closing_frame_leads_to_a_new_connection(code: int | None) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        await connection.close(code, "see you")

    recovers(script, 2, {None: "1005", 999: ""}.get(code, str(code)))


@pytest.mark.parametrize("before_subscribing", [False, True])
def test_row_01_a_close_for_breaking_the_rules_counts_double(before_subscribing: bool) -> None:
    async def script(connection: Connection) -> None:
        if not before_subscribing:
            await connection.subscribed()
        await connection.close(1008)

    async def test(listener: Listener) -> None:
        await listener.until(lambda: len(listener.lost) >= 3)
        assert [lost.attempt for lost in listener.lost[:3]] == [2, 4, 6]

    play(Exchange(script), test)


async def hang_up(connection: Connection) -> None:
    await connection.subscribed()
    await connection.talk(count=3)
    await connection.fin()


async def tear(connection: Connection) -> None:
    await connection.subscribed()
    await connection.talk(count=3)
    await connection.reset()


async def hang_up_within_a_frame(connection: Connection) -> None:
    await connection.subscribed()
    await connection.talk(count=3)
    await connection.send_raw(frame(json.dumps(frames.ticker(1)).encode(), TEXT)[:100])
    await connection.fin()


@pytest.mark.parametrize("script", [hang_up, tear, hang_up_within_a_frame])
def test_row_02_every_break_without_a_word_leads_to_a_new_connection(script: Script) -> None:
    recovers(script, 2, "")


async def half_open(connection: Connection) -> None:
    await connection.subscribed()
    await connection.talk(count=3)
    await connection.stall(reading=False)


async def answer_pings_only(connection: Connection) -> None:
    await connection.subscribed()
    await connection.talk(count=3)
    await connection.stall()


async def trickle(connection: Connection) -> None:
    """One byte a second of life, of a frame that never ends."""
    await connection.subscribed()
    await connection.talk(count=3)
    for byte in frame(b" " * 1000, TEXT):
        await connection.send_raw(bytes([byte]))
        await asyncio.sleep(SCALE)


async def ping_only(connection: Connection) -> None:
    """Pings from the exchange prove a line, not a feed."""
    await connection.subscribed()
    await connection.talk(count=3)
    while True:
        await connection.send(b"?", 9)
        await asyncio.sleep(SCALE)


def test_row_03_a_half_open_line_is_noticed_and_left() -> None:
    recovers(half_open, 20, "no message for", silent=15)


@pytest.mark.parametrize("script", [answer_pings_only, ping_only])
def test_row_04_silence_is_noticed_though_pings_and_pongs_go_on(script: Script) -> None:
    recovers(script, 20, "no message for", silent=15)


async def ack_then_nothing(connection: Connection) -> None:
    await connection.subscribed()
    await connection.stall()


async def not_one_byte(connection: Connection) -> None:
    await connection.stall()


@pytest.mark.parametrize("script", [ack_then_nothing, not_one_byte])
def test_row_04_silence_right_from_the_start_is_noticed(script: Script) -> None:
    async def test(listener: Listener) -> None:
        await listener.until(lambda: listener.opened)
        assert await listener.seconds_to_quote(listener.when(Opened)) <= within(20)
        assert len(listener.lost) == 1

    play(Exchange(script, talk), test)


def test_row_05_a_connection_that_goes_while_we_ask_again_is_replaced() -> None:
    """Heartbeats, but never a quote; just when the subscription is sent once more, the line is gone."""
    timing = replace(Timing().scaled(0.05), stall=2.0, close=0.05)

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        again = asyncio.create_task(connection.subscribed(ack=False))
        while not again.done():
            await connection.heartbeat()
            await asyncio.sleep(0.05)
        await connection.reset()

    async def test(listener: Listener) -> None:
        await listener.recovery()
        assert len(listener.lost) == 1
        assert len(exchange.connections[0].subscribes) == 2

    exchange = Exchange(script, talk)
    play(exchange, test, timing)


def test_row_05_a_quiet_product_is_no_dead_line() -> None:
    """Heartbeats go on, quotes stop for 120 s: no reconnect, and after 60 s one more subscription."""
    scale = 0.05
    timing = replace(Timing().scaled(scale), stall=2.0)

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        began = time.monotonic()
        again = asyncio.create_task(connection.subscribed())
        while time.monotonic() - began < 120 * scale:
            await connection.heartbeat()
            await asyncio.sleep(scale)
            if again.done() and not asked:
                asked.append(time.monotonic() - began)
        await connection.talk()

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        await listener.quotes(3, limit=120 * scale + 5)
        assert listener.lost == []
        assert listener.pipe.counts.gaps == 0
        assert len(exchange.connections) == 1
        assert len(exchange.connections[0].subscribes) == 2
        assert 60 * scale * 0.9 <= asked[0] <= within(60, scale)

    asked: list[float] = []
    exchange = Exchange(script)
    play(exchange, test, timing)


def test_row_06_a_frame_that_trickles_in_is_given_up() -> None:
    recovers(trickle, 20, "no message for", silent=15)


@pytest.mark.parametrize("upgrade", [dribble, silence])
def test_row_06_a_handshake_that_takes_for_ever_is_given_up(upgrade: Callable[[Connection], Awaitable[bool]]) -> None:
    async def once(connection: Connection) -> bool:
        return await (upgrade if connection.number == 0 else accept_upgrade)(connection)

    async def test(listener: Listener) -> None:
        began = time.monotonic()
        await listener.until(lambda: listener.lost)
        assert 10 * SCALE * 0.9 <= time.monotonic() - began <= within(10)
        assert await listener.recovery() <= within(2)

    play(Exchange(upgrade=once), test)


def test_property_b_after_any_faults_a_quote_is_back_in_seven_seconds() -> None:
    """One after the other, without a good word between them, on the same feed."""

    async def bad_handshake(connection: Connection) -> bool:
        return await (dribble if connection.number == 4 else accept_upgrade)(connection)

    faults: list[Script] = [hang_up, tear, trickle, half_open, talk, hang_up_within_a_frame, ack_then_nothing]
    exchange = Exchange(*faults, talk, upgrade=bad_handshake)

    async def test(listener: Listener) -> None:
        await listener.until(lambda: len(listener.lost) >= len(faults), limit=20)
        assert await listener.seconds_to_quote(listener.when(Lost, -1)) <= within(7)
        assert listener.pipe.counts.reconnects == len(faults) - 1
        assert await exchange.open_connections() == 1

    play(exchange, test)
