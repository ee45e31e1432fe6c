"""Rows 8, 9, 10, 24 and 27 as a user sees them: signals, exit codes, a full pipe, a terminal that stands still."""

import asyncio
import json
import os
import random
import signal
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

import frames
from coinbase_insights.log import journal
from coinbase_insights.message import Message
from exchange import Connection, Exchange, talk
from faults.listener import SLACK
from faults.program import Program, Terminal, program, run
from faults.tape import resident

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def play(test: Callable[[Exchange], Awaitable[None]], exchange: Exchange | None = None, limit: float = 55.0) -> None:
    async def main() -> None:
        async with asyncio.timeout(limit), exchange or Exchange(talk) as running:
            await test(running)

    asyncio.run(main())


def recorded(path: Path) -> list[int]:
    """The trade ids of the quotes in a recording, in their order."""
    items = [item for item in journal.read(path) if isinstance(item, Message)]
    return [json.loads(item.data)["trade_id"] for item in items if b"best_bid" in item.data]


def is_calm(ended: Program) -> None:
    """No traceback, and whole lines only."""
    assert "Traceback" not in ended.said
    assert not ended.stdout or ended.stdout.endswith(b"\n")


async def fast(connection: Connection) -> None:
    """A thousand messages a second."""
    await connection.subscribed()
    await connection.heartbeat()
    began, sent = time.monotonic(), 0
    while True:
        while sent < (time.monotonic() - began) * 1000:
            await connection.ticker()
            sent += 1
        await asyncio.sleep(0.01)


@pytest.mark.timeout(120)
def test_row_27_a_signal_at_any_moment_ends_it_well_and_loses_nothing(tmp_path: Path) -> None:
    """Twenty random moments, and each signal; what was received is on the disk, in order and without a hole."""

    async def once(exchange: Exchange, number: int) -> None:
        path = tmp_path / f"{number}.rec"
        async with program(*run(exchange, "--format", "json", "--record", str(path))) as running:
            await running.quotes(1)
            await asyncio.sleep(chance.random() * 0.3)
            began = time.monotonic()
            running.signal(SIGNALS[number % 3])
            assert await running.end() in (0, 130)
            assert time.monotonic() - began <= 2.0 + SLACK
        is_calm(running)
        trades = recorded(path)
        sequences = {frames.ticker(trade - 466390072)["sequence"] for trade in trades}
        assert {insight["sequence"] for insight in running.insights} <= sequences
        assert all(insight["forecast"] for insight in running.insights)
        sent = sent_to(exchange)
        start = sent.index(trades[0])
        assert trades == sent[start : start + len(trades)]
        assert path.read_bytes().endswith(b"\n")

    def sent_to(exchange: Exchange) -> list[int]:
        return [466390072 + number for number in range(1, exchange.sent + 1)]

    async def test(exchange: Exchange) -> None:
        for first in range(0, 20, 2):  # two at a time, each on an exchange of its own: trades then have no holes
            async with Exchange(fast) as other_exchange, Exchange(fast) as fresh:
                await asyncio.gather(once(fresh, first), once(other_exchange, first + 1))

    chance = random.Random(27)
    play(test, limit=110)


@pytest.mark.parametrize("number", SIGNALS)
def test_row_27_a_signal_before_anything_has_come_ends_it_too(number: int) -> None:
    async def silent(connection: Connection) -> None:
        await connection.stall()

    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange)) as running:
            await exchange.connection(0)
            began = time.monotonic()
            running.signal(number)
            assert await running.end() in (0, 130)
            assert time.monotonic() - began <= 2.0 + SLACK
        is_calm(running)

    play(test, Exchange(silent))


@pytest.mark.parametrize("number", SIGNALS)
def test_row_27_a_signal_while_it_waits_for_the_next_attempt_ends_it_too(number: int) -> None:
    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "json")) as running:
            await running.quotes(1)
            await exchange.stop()
            await running.until("STALE")
            began = time.monotonic()
            running.signal(number)
            assert await running.end() in (0, 130)
            assert time.monotonic() - began <= 2.0 + SLACK
        is_calm(running)

    play(test)


@pytest.mark.parametrize("number", SIGNALS)
def test_row_27_two_signals_at_once_do_no_harm(number: int) -> None:
    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "lines")) as running:
            await running.quotes(3)
            running.signal(number)
            running.signal(number)
            assert await running.end(limit=2.0 + SLACK) in (0, 130)
        is_calm(running)

    play(test)


@pytest.mark.parametrize("number", SIGNALS)
def test_row_27_the_terminal_is_given_back(number: int) -> None:
    """The alternate screen is left, the cursor is back, the last figures and what was counted stay to be read."""

    async def test(exchange: Exchange) -> None:
        screen = Terminal()
        process = await screen.start(*run(exchange, "--format", "screen"))
        await screen.until(b"Highest bid")
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 2.0 + SLACK) in (0, 130)
        shown = await screen.rest()
        assert shown.rindex(b"\x1b[?1049l") > shown.rindex(b"\x1b[?1049h")
        assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
        assert b"ETH-USD" in shown[shown.rindex(b"\x1b[?1049l") :]
        assert b"Traceback" not in shown

    play(test)


def ends(exchange: Exchange, code: int, limit: float, *words: str) -> None:
    """The program ends by itself, in time, with this code, and says why in one line and what to do in another."""

    async def test(exchange: Exchange) -> None:
        began = time.monotonic()
        async with program(*run(exchange, "--format", "json")) as running:
            assert await running.end(limit + 5.0) == code
            assert time.monotonic() - began <= limit
        is_calm(running)
        assert all(word in running.said for word in words)
        assert running.said.count("error: ") == 1

    play(test, exchange)


def test_row_10_a_product_that_the_exchange_refuses_ends_it_with_its_words() -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        await connection.send(frames.error("ETH-USD is not a valid product"))
        await connection.stall()

    ends(Exchange(script), 2, 3.0, "ETH-USD is not a valid product", "hint: ")


def test_row_10_a_channel_that_the_exchange_refuses_ends_it_with_its_words() -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        await connection.send(frames.error("ticker_batch now requires authentication."))
        await connection.stall()

    ends(Exchange(script), 1, 3.0, "ticker_batch now requires authentication.", "ETH-USD", "hint: ")


def test_row_10_a_product_that_rest_does_not_know_ends_it_with_near_names() -> None:
    exchange = Exchange(talk)
    exchange.rest["/products/ETH-USD"] = (404, {"message": "NotFound"})
    exchange.rest["/products"] = (200, [{"id": "ETH-USDC", "status": "online"}, {"id": "BTC-USD", "status": "online"}])
    ends(exchange, 2, 3.0, "ETH-USD", "ETH-USDC")


def test_row_10_an_acknowledgement_of_another_product_ends_it() -> None:
    async def script(connection: Connection) -> None:
        message = await connection.subscribed(ack=False)
        await connection.send(frames.ack({**message, "product_ids": ["BTC-USD"]}))
        await connection.stall()

    ends(Exchange(script), 2, 3.0, "ETH-USD", "BTC-USD")


def test_row_09_a_feed_that_cannot_prove_who_it_is_ends_it() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    ends(Exchange(tls=tls), 1, 5.0, "certificate", "hint: ")


def test_row_09_a_feed_that_comes_up_late_is_followed() -> None:
    async def test(exchange: Exchange) -> None:
        await exchange.stop()
        async with program(*run(exchange, "--format", "json")) as running:
            await running.until("refused", limit=8.0)
            await exchange.start()
            began = time.monotonic()
            await running.quotes(2)
            assert time.monotonic() - began <= 7.0

    play(test)


def test_a_run_without_rest_goes_on() -> None:
    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "json", "--for", "1s")) as running:
            assert await running.end() == 0
        assert len(running.insights) > 3
        is_calm(running)
        assert running.insights[-1]["v"] == 1

    play(test)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")
def test_row_08_an_exchange_that_flaps_costs_hardly_any_processor_time() -> None:
    """Less than 5 %."""

    async def flap(connection: Connection) -> None:
        await connection.close(1001)

    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "json")) as running:
            await exchange.connection(1)
            before, began = processor_time(running.process.pid), time.monotonic()
            await asyncio.sleep(5.0)
            used = processor_time(running.process.pid) - before
            assert used / (time.monotonic() - began) < 0.05
            assert len(exchange.connections) <= 8

    play(test, Exchange(flap))


def processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    """As with `| head -3`."""

    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "lines"), read=False) as running:
            assert running.process.stdout is not None
            await running.process.stdout.readline()
            running.process.stdout._transport.close()  # type: ignore[attr-defined]
            assert await asyncio.wait_for(running.process.wait(), 5.0) == 0
        is_calm(running)

    play(test)


async def flood(connection: Connection) -> None:
    await connection.subscribed()
    await connection.heartbeat()
    while True:
        await connection.ticker()


def test_row_24_a_pipe_that_is_full_holds_the_exchange_back(tmp_path: Path) -> None:
    """Nobody reads our lines for some seconds under a flood: memory stays, nothing is lost, then it goes on."""
    path = tmp_path / "flood.rec"

    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "json", "--record", str(path)), read=False) as running:
            await exchange.connection(0)
            await asyncio.sleep(1.0)
            before = resident(running.process.pid)
            await asyncio.sleep(2.0)
            assert resident(running.process.pid) - before < 50_000_000
            running.read()
            await running.quotes(await running.quotes(2000) + 1000)
            running.signal(signal.SIGTERM)
            assert await running.end() == 0
        is_calm(running)
        assert len(exchange.connections) == 1
        trades = recorded(path)
        assert trades == list(range(trades[0], trades[0] + len(trades)))

    play(test, Exchange(flood))


def test_row_24_a_terminal_that_stands_still_stops_no_recording(tmp_path: Path) -> None:
    """After Ctrl-S frames are dropped; the recording is not, at a thousand messages a second."""
    path = tmp_path / "still.rec"

    async def test(exchange: Exchange) -> None:
        screen = Terminal()
        process = await screen.start(*run(exchange, "--format", "screen", "--record", str(path)))
        await screen.until(b"Highest bid")
        screen.look_away()
        await asyncio.sleep(3.0)
        before, sent, memory = len(recorded(path)), exchange.sent, resident(process.pid)
        await asyncio.sleep(3.0)
        written = len(recorded(path)) - before
        assert written >= 0.9 * (exchange.sent - sent)
        assert resident(process.pid) - memory < 50_000_000
        screen.look()
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 3.0) == 0
        assert b"Traceback" not in await screen.rest()
        trades = recorded(path)
        assert trades == list(range(trades[0], trades[0] + len(trades)))

    play(test, Exchange(fast))


def test_row_24_a_process_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """SIGSTOP for 3 s at a thousand messages a second: what came meanwhile is all there."""
    path = tmp_path / "stopped.rec"

    async def test(exchange: Exchange) -> None:
        async with program(*run(exchange, "--format", "json", "--record", str(path))) as running:
            await running.quotes(20)
            running.signal(signal.SIGSTOP)
            await asyncio.sleep(3.0)
            sent = exchange.sent
            running.signal(signal.SIGCONT)
            await running.quotes(sent, limit=15.0)
            running.signal(signal.SIGTERM)
            assert await running.end() == 0
        trades = recorded(path)
        assert trades == list(range(trades[0], trades[0] + len(trades)))
        assert len(exchange.connections) == 1

    play(test, Exchange(fast))
