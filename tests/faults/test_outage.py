"""Rows 7 to 10: the exchange is away, flaps, or says no; we come back soon, seldom enough, and never in silence."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

import frames
from coinbase_insights.errors import InsightsError, RefusedError, UnknownProductError, UnreachableError
from coinbase_insights.feed import Timing
from coinbase_insights.message import Lost
from exchange import Connection, Exchange, Script, accept, refuse
from faults.listener import SCALE, Listener, listening, within


def play(exchange: Exchange, test: Callable[[Listener], Awaitable[None]], scale: float = SCALE) -> None:
    async def run() -> None:
        async with (
            asyncio.timeout(40),
            exchange,
            listening(exchange, timing=Timing().scaled(scale)) as listener,
        ):
            await test(listener)

    asyncio.run(run())


def most_in(moments: list[float], seconds: float) -> int:
    """The largest number of moments in any stretch of so many seconds."""
    return max(sum(start <= moment < start + seconds for moment in moments) for start in moments)


@pytest.mark.parametrize(("outage", "scale"), [(5, 0.2), (60, 0.05), (600, 0.005)])
def test_row_07_the_exchange_is_found_again_after_an_outage_of_any_length(outage: float, scale: float) -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        await exchange.stop()
        stopped_at = time.monotonic()
        await asyncio.sleep(outage * scale)
        assert all(lost.reason for lost in listener.lost)
        attempts = [moment for moment, item in listener.log if isinstance(item, Lost)]
        await exchange.start()
        assert await listener.seconds_to_quote(time.monotonic()) <= within(7, scale)
        assert listener.pipe.counts.gaps == 1
        numbers = [lost.attempt for lost in listener.lost]
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(0 < lost.retry_in <= 7 * scale for lost in listener.lost)
        assert len(attempts) >= (outage * scale - (time.monotonic() - stopped_at - outage * scale)) / (7 * scale) - 1

    exchange = Exchange()
    play(exchange, test, scale)


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_row_07_and_08_attempts_are_few_however_unlucky_the_jitter(
    jitter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 8 in any 10 s, 100 s long."""
    scale = 0.02
    monkeypatch.setattr("random.uniform", lambda low, high: low + jitter * (high - low))

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        await connection.fin()

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        await exchange.stop()
        await asyncio.sleep(100 * scale)
        delays = [lost.retry_in / scale for lost in listener.lost]
        moments = [sum(delays[:number]) for number in range(len(delays) + 1)]
        assert most_in(moments, 10) <= 8
        assert max(later - earlier for earlier, later in pairwise(moments)) <= 7

    exchange = Exchange(script)
    play(exchange, test, scale)


async def accept_then_close(connection: Connection) -> None:
    await connection.close(1001)


async def acknowledge_then_close(connection: Connection) -> None:
    await connection.subscribed()
    await connection.heartbeat()
    await connection.fin()


@pytest.mark.parametrize("script", [accept_then_close, acknowledge_then_close])
def test_row_08_an_exchange_that_flaps_is_not_hammered(script: Script) -> None:
    """At most 60 attempts in 5 minutes, for neither a connection nor an answer proves that quotes come again."""
    scale = 0.01
    exchange = Exchange(talk_once, *[script] * 200, talk_once)

    async def test(listener: Listener) -> None:
        await listener.quotes(1)
        await asyncio.sleep(300 * scale)
        flaps = [connection.opened_at for connection in exchange.connections]
        assert most_in(flaps, 300 * scale) <= 60
        assert [lost.attempt for lost in listener.lost[:5]] == [1, 2, 3, 4, 5]

    play(exchange, test, scale)


async def talk_once(connection: Connection) -> None:
    await connection.subscribed()
    await connection.talk(count=3)
    await connection.fin()


def test_row_08_the_first_quote_makes_the_next_attempt_quick_again() -> None:
    async def test(listener: Listener) -> None:
        await listener.until(lambda: len(listener.lost) >= 4)
        assert [lost.attempt for lost in listener.lost[:4]] == [1, 2, 3, 1]

    play(Exchange(talk_once, accept_then_close, acknowledge_then_close, talk_once), test)


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_row_09_a_refusal_at_the_start_is_told_and_outlived(status: int) -> None:
    async def test(listener: Listener) -> None:
        await listener.until(lambda: listener.lost)
        assert str(status) in listener.lost[0].reason
        exchange.upgrade = accept
        assert await listener.seconds_to_quote(time.monotonic()) <= within(7)

    exchange = Exchange(upgrade=refuse(status))
    play(exchange, test)


def test_row_09_a_server_that_asks_for_patience_gets_it() -> None:
    async def test(listener: Listener) -> None:
        await exchange.connection(1)
        first, second = exchange.connections[:2]
        assert second.opened_at - first.opened_at >= 1.0
        assert "429" in listener.lost[0].reason
        assert listener.lost[0].retry_in >= 0.9

    exchange = Exchange(upgrade=refuse(429, Retry_After="1"))
    play(exchange, test)


@pytest.mark.parametrize(
    "patience", ["soon", "-1", "１", "1e400", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT"]
)
def test_row_09_a_wild_retry_after_does_no_harm(patience: str) -> None:
    """It is not obeyed for ever: we wait a while, or say that the feed did not come up."""

    async def test(listener: Listener) -> None:
        await listener.until(lambda: listener.lost or listener.ended)
        assert all("429" in lost.reason and lost.retry_in <= 3600 for lost in listener.lost)
        assert listener.lost or isinstance(listener.ended, UnreachableError)

    play(Exchange(upgrade=refuse(429, Retry_After=patience.encode().decode("latin-1"))), test)


def test_row_09_a_refused_connection_at_the_start_is_told_and_outlived() -> None:
    async def run() -> None:
        exchange = Exchange()
        await exchange.start()
        await exchange.stop()
        async with asyncio.timeout(20), listening(exchange) as listener:
            await listener.until(lambda: len(listener.lost) >= 3)
            assert "refused" in listener.lost[0].reason
            async with exchange:
                assert await listener.seconds_to_quote(time.monotonic()) <= within(7)

    asyncio.run(run())


def test_row_09_what_never_comes_up_is_given_up_after_half_a_minute() -> None:
    async def run() -> None:
        exchange = Exchange()
        await exchange.start()
        await exchange.stop()
        began = time.monotonic()
        async with asyncio.timeout(20), listening(exchange) as listener:
            with pytest.raises(UnreachableError, match="refused"):
                await listener.until(lambda: False)
            assert 30 * SCALE - 7 * SCALE <= time.monotonic() - began <= within(30)

    asyncio.run(run())


def test_row_09_a_name_that_cannot_be_resolved_is_told() -> None:
    async def run() -> None:
        async with asyncio.timeout(50), listening("ws://no-such-host.invalid:1") as listener:
            with pytest.raises(UnreachableError) as raised:
                await listener.until(lambda: False, limit=45)
            assert "resolved" in raised.value.message or "no answer" in raised.value.message

    asyncio.run(run())


ELSEWHERE = {
    "control characters": "ws://\x1b[2J/", "eight-bit controls": "ws://\x9b2J/", "a name too long": f"ws://{'a' * 70}/",
    "an empty part": "ws://a..b/", "no WebSocket": "http://127.0.0.1:1/", "a closed door": "ws://127.0.0.1:1/",
    "nowhere": "", "no host": "//", "a file": "file:///etc",
}  # fmt: skip


@pytest.mark.parametrize("to", ELSEWHERE.values(), ids=ELSEWHERE)
def test_row_09_a_server_that_sends_us_elsewhere_in_mid_life_is_outlived(to: str) -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        await listener.until(lambda: len(listener.lost) >= 3)
        exchange.upgrade = accept
        assert await listener.seconds_to_quote(time.monotonic()) <= within(7)

    async def elsewhere(connection: Connection) -> bool:
        return await (refuse(302, Location=to) if connection.number else accept)(connection)

    exchange = Exchange(talk_once, upgrade=elsewhere)
    play(exchange, test)


def says_no(script: Script, kind: type[InsightsError], *words: str) -> None:
    began = time.monotonic()

    async def test(listener: Listener) -> None:
        with pytest.raises(kind) as raised:
            await listener.until(lambda: False)
        assert all(word in raised.value.message for word in words)

    play(Exchange(script), test)
    assert time.monotonic() - began <= within(3)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("ETH-USD is not a valid product", UnknownProductError),
        ("Invalid product ID provided", UnknownProductError),
        ("level2, level3, and full channels now require authentication.", RefusedError),
        ("", RefusedError),
    ],
)
def test_row_10_a_refused_subscription_is_told_with_its_reason_and_product(
    reason: str, kind: type[InsightsError]
) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        await connection.send(frames.error(reason))
        await connection.stall()

    says_no(script, kind, reason, "ETH-USD")


def test_row_10_an_acknowledgement_of_another_product_is_told() -> None:
    async def script(connection: Connection) -> None:
        message = await connection.subscribed(ack=False)
        await connection.send(frames.ack({**message, "product_ids": ["BTC-USD"]}))
        await connection.stall()

    says_no(script, InsightsError, "ETH-USD", "BTC-USD")


@pytest.mark.parametrize("heartbeats", [False, True])
def test_row_10_an_acknowledgement_that_never_comes_is_told(heartbeats: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        while heartbeats:
            await connection.heartbeat()
            await asyncio.sleep(0.02)
        await connection.stall()

    async def test(listener: Listener) -> None:
        await listener.until(lambda: listener.lost or listener.ended)
        assert time.monotonic() - began <= within(15)
        assert "acknowledged" in listener.lost[0].reason

    began = time.monotonic()
    play(Exchange(script), test)


@pytest.mark.parametrize("heartbeats", [False, True])
def test_row_10_an_exchange_that_never_answers_is_given_up_after_half_a_minute(heartbeats: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        while heartbeats:
            await connection.heartbeat()
            await asyncio.sleep(0.02)
        await connection.stall()

    async def test(listener: Listener) -> None:
        with pytest.raises(UnreachableError):
            await listener.until(lambda: False, limit=within(30))

    play(Exchange(script), test)


def test_row_10_a_refusal_in_mid_life_is_no_end() -> None:
    """The exchange has sent quotes before, so what it says now will pass."""

    async def refuse_once(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        await connection.send(frames.error("Internal error"))
        await connection.stall()

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        await listener.recovery(1)
        assert "Internal error" in listener.lost[1].reason

    play(Exchange(talk_once, refuse_once, talk_once), test)
