"""The scripted exchange itself, seen by a plain WebSocket client: it does what a script says, and nothing else."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from exchange import PING, Connection, Exchange, Script, refuse, talk

SUBSCRIBE = '{"type":"subscribe","product_ids":["ETH-USD"],"channels":["ticker_batch","heartbeat"]}'


def play(exchange: Exchange, test: Callable[[ClientConnection], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(10), exchange, connect(exchange.url, compression="deflate") as client:
            await client.send(SUBSCRIBE)
            await test(client)

    asyncio.run(run())


@pytest.mark.parametrize("compression", [False, True])
def test_a_client_subscribes_and_is_sent_quotes(compression: bool) -> None:
    async def test(client: ClientConnection) -> None:
        messages = [json.loads(await client.recv()) for _ in range(41)]
        assert [m["type"] for m in messages] == ["subscriptions"] + ["heartbeat", "ticker"] * 20
        assert messages[0]["channels"][0]["product_ids"] == ["ETH-USD"]
        await client.ping()
        assert bool(exchange.connections[0].window_bits) is compression

    exchange = Exchange(talk, compression=compression)
    play(exchange, test)
    assert exchange.connections[0].subscribes == [json.loads(SUBSCRIBE)]
    assert exchange.connections[0].close_code == 1000


async def close_with_a_private_code(connection: Connection) -> None:
    await connection.subscribed()
    await connection.close(4000, "private")


async def fin(connection: Connection) -> None:
    await connection.subscribed()
    await connection.fin()


async def reset(connection: Connection) -> None:
    await connection.subscribed()
    await connection.reset()


async def send_a_broken_frame(connection: Connection) -> None:
    await connection.subscribed()
    await connection.send("?" * 200, PING)


@pytest.mark.parametrize(
    ("script", "theirs", "ours"),
    [
        (close_with_a_private_code, 4000, 4000),
        (fin, None, None),
        (reset, None, None),
        (send_a_broken_frame, None, 1002),
    ],
)
def test_every_way_to_end_a_connection_reaches_the_client(script: Script, theirs: int | None, ours: int | None) -> None:
    async def test(client: ClientConnection) -> None:
        await client.recv()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert (closed.value.rcvd and closed.value.rcvd.code) == theirs
        assert (closed.value.sent and closed.value.sent.code) == ours

    play(Exchange(script), test)


def test_the_upgrade_can_be_refused_and_the_server_comes_back_on_its_port() -> None:
    async def run() -> None:
        async with asyncio.timeout(10), Exchange(upgrade=refuse(429, Retry_After="3")) as exchange:
            with pytest.raises(InvalidStatus) as refused:
                await connect(exchange.url)
            assert refused.value.response.headers["Retry-After"] == "3"
            await exchange.stop()
            with pytest.raises(ConnectionRefusedError):
                await connect(exchange.url)
            exchange.upgrade = Exchange().upgrade
            await exchange.start()
            async with connect(exchange.url) as client:
                await client.send(SUBSCRIBE)
                await client.recv()
            assert len(exchange.connections) == 2

    asyncio.run(run())


def test_a_script_that_fails_fails_the_test() -> None:
    async def script(connection: Connection) -> None:
        raise ValueError("the script is wrong")

    async def test(client: ClientConnection) -> None:
        await asyncio.sleep(0.1)

    with pytest.raises(ExceptionGroup):
        play(Exchange(script), test)
