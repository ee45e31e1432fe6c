"""Row 9: addresses that are none, ours or those that a server sends us to, and what it says beside its no."""

import asyncio

import pytest

from coinbase_insights.errors import UsageError
from coinbase_insights.feed import Feed
from coinbase_insights.feed.endpoints import rest_url
from coinbase_insights.feed.words import MOST, harmless
from exchange import Connection, Exchange, accept, refuse
from faults.listener import listening

NOWHERE = [
    "", "ws://", "wss:///path", "http://127.0.0.1", "ws://[::1", "ws://127.0.0.1:99999", "ws://127.0.0.1:0",
    "ws://127.0.0.1:x", "wss://a..b", "wss://" + "a" * 70, "ws://\x1b[2J\x9b..", "ETH-USD",
]  # fmt: skip


@pytest.mark.parametrize("url", NOWHERE)
def test_row_09_an_address_that_is_none_is_refused_before_anything_is_opened(url: str) -> None:
    for take in (lambda: Feed(url, ["ETH-USD"]), lambda: rest_url(url)):
        with pytest.raises(UsageError) as refused:
            take()
        assert refused.value.message.isprintable()
        assert "wss://HOST" in refused.value.hint


@pytest.mark.parametrize("url", ["ws://127.0.0.1:8765", "wss://[::1]:8765", "ws://localhost", "wss://bücher.example/x"])
def test_row_09_an_address_that_can_be_is_taken(url: str) -> None:
    assert Feed(url, ["ETH-USD"]).url == url


def test_row_09_a_server_that_asks_for_patience_twice_is_taken_by_its_first_word() -> None:
    async def patient(connection: Connection) -> bool:
        headers = {"Content-Length": "0", "Retry-After": "0\r\nRetry-After: 3600"}
        await connection.answer(429, headers)
        return False

    async def run() -> None:
        async with asyncio.timeout(10), Exchange(upgrade=patient) as exchange, listening(exchange) as listener:
            await listener.until(lambda: listener.lost)
            exchange.upgrade = accept
            await listener.quotes(3)

    asyncio.run(run())


@pytest.mark.parametrize(
    "to", ["ws://127.0.0.1:99999/", "ws://[::1/", "ws://a..b/", "ws://\x00/", "gopher://x/", "wss://"]
)
def test_row_09_a_server_that_sends_us_nowhere_at_the_start_is_outlived(to: str) -> None:
    async def run() -> None:
        exchange = Exchange(upgrade=refuse(307, Location=to))
        async with asyncio.timeout(10), exchange, listening(exchange) as listener:
            await listener.until(lambda: listener.lost)
            assert all(lost.reason.isprintable() for lost in listener.lost)
            exchange.upgrade = accept
            await listener.quotes(3)

    asyncio.run(run())


def test_row_42_the_words_of_an_exchange_are_cut_and_made_harmless() -> None:
    assert harmless("\x1b]0;pwned\x07\u202e\n") == r"\x1b]0;pwned\x07\u202e\n"
    assert harmless("größer") == "größer"
    assert len(harmless("a" * 10_000)) == MOST + 3
