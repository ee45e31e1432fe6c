"""Rows 12, 22 and 23: frames of every shape, size and compression; also row 11 on a living connection."""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import frames
from coinbase_insights.message import Lost
from exchange import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, Connection, Exchange, Script, frame, talk
from faults.listener import Listener, listening, within
from faults.tape import resident

LIMIT = 4 * 2**20
"""The longest message of a ticker channel that is taken."""


def play(exchange: Exchange, test: Callable[[Listener], Awaitable[None]], compression: bool = False) -> None:
    async def run() -> None:
        async with asyncio.timeout(40), exchange, listening(exchange, compression=compression) as listener:
            await test(listener)

    asyncio.run(run())


def after_a_while(*sent: bytes) -> Script:
    """Three quotes, these bytes, and many more quotes."""

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        for data in sent:
            await connection.send_raw(data)
        await connection.talk()

    return script


def quote(number: int) -> bytes:
    return json.dumps(frames.ticker(number)).encode()


MALFORMED = [
    b"", b"<html>502</html>", quote(1)[:100], b"[1,2]", b"null", b" " * 2**20, b"[" * 100_000, b'{"type":"ticker"}',
    b'{"type":"ticker","product_id":"\xff"}', b"\xff\xfe\x00", quote(1).replace(b"1660.64", b"NaN"), b"\x00" * 2000,
]  # fmt: skip


@pytest.mark.parametrize("compression", [False, True])
def test_row_11_malformed_messages_cost_neither_the_line_nor_a_good_message(compression: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.heartbeat()
        for data in MALFORMED:
            await connection.ticker()
            await connection.send(data)
        await connection.talk(count=3)
        await connection.stall()

    async def test(listener: Listener) -> None:
        await listener.quotes(len(MALFORMED) + 3)
        assert listener.lost == []
        assert sum(listener.pipe.counts.bad.values()) == len(MALFORMED)
        assert [data for data in listener.messages if data in MALFORMED] == MALFORMED

    play(Exchange(script, compression=compression), test, compression)


def in_parts(data: bytes) -> list[bytes]:
    parts = [data[start : start + 4] for start in range(0, len(data), 4)]
    return [frame(p, CONTINUATION if n else TEXT, final=n == len(parts) - 1) for n, p in enumerate(parts)]


FINE: dict[str, Callable[[bytes], list[bytes]]] = {
    "in more than 100 fragments": in_parts,
    "with pings between its fragments": lambda data: [b for part in in_parts(data) for b in (part, frame(b"p", PING))],
    "in two fragments of which one is empty": lambda data: [frame(b"", TEXT, final=False), frame(data, CONTINUATION)],
    "after pings, and a pong that nobody asked for": lambda data: [
        frame(b"a", PING) * 50, frame(b"b", PONG), whole(data),
    ],
    "byte by byte": lambda data: [bytes([byte]) for byte in whole(data)],
    "with half of its frame at once with a heartbeat": lambda data: [
        whole(json.dumps(frames.heartbeat(1)).encode()) + whole(data)[:50], whole(data)[50:],
    ],
    "with its length in more bytes than needed": lambda data: [b"\x81\x7f" + len(data).to_bytes(8) + data],
}  # fmt: skip


def whole(data: bytes) -> bytes:
    return frame(data, TEXT)


@pytest.mark.parametrize("shape", FINE.values(), ids=FINE)
def test_row_12_a_quote_in_whatever_frames_is_a_quote(shape: Callable[[bytes], list[bytes]]) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        for data in shape(quote(4)):
            await connection.send_raw(data)
            await asyncio.sleep(0)
        connection.exchange.sent += 1
        await connection.talk()

    async def test(listener: Listener) -> None:
        await listener.quotes(10)
        assert [insight.sequence for insight in listener.insights] == [
            frames.ticker(number)["sequence"] for number in range(1, len(listener.insights) + 1)
        ]
        assert listener.lost == []
        assert listener.pipe.counts.bad == {}

    play(Exchange(script), test)


@pytest.mark.parametrize("kind", ["fragments", "a ping", "a pong"])
def test_row_12_half_a_frame_in_the_same_bytes_as_something_else_is_not_lost(kind: str) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed()
        await connection.talk(count=3)
        before = {"fragments": b"".join(in_parts(quote(4))), "a ping": frame(b"?", PING), "a pong": frame(b"!", PONG)}
        if kind != "fragments":
            await connection.send(quote(4))
        await connection.send_raw(before[kind] + whole(quote(5))[:50])
        await asyncio.sleep(0.05)
        await connection.send_raw(whole(quote(5))[50:])
        await has_come.wait()
        connection.exchange.sent += 2
        await connection.talk()

    async def test(listener: Listener) -> None:
        await listener.quotes(5, limit=2.0)
        has_come.set()
        await listener.quotes(5)
        assert listener.lost == []
        assert [insight.sequence for insight in listener.insights][:10] == [
            frames.ticker(number)["sequence"] for number in range(1, 11)
        ]

    has_come = asyncio.Event()
    play(Exchange(script), test)


@pytest.mark.parametrize("cut", [0, 1, 3, 50, None])
def test_row_12_frames_right_behind_the_handshake_are_not_lost(cut: int | None) -> None:
    """An exchange that speaks first: a frame, or the beginning of one, in the same bytes as its 101, the rest later."""

    async def eager(connection: Connection) -> bool:
        lines = [f"{name}: {value}" for name, value in connection.upgrade_headers().items()]
        head = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""]).encode()
        beat = whole(json.dumps(frames.heartbeat(0)).encode())
        await connection.send_raw(head + beat[:cut])
        if cut is not None:
            await asyncio.sleep(0)
            await connection.send_raw(beat[cut:20])
            await asyncio.sleep(0.05)
            await connection.send_raw(beat[max(cut, 20) :])
        await has_come.wait()
        return True

    async def test(listener: Listener) -> None:
        await listener.until(lambda: listener.messages, limit=2.0)
        has_come.set()
        await listener.quotes(10)
        assert listener.lost == []
        assert len(listener.messages) == listener.pipe.counts.good
        assert b"heartbeat" in listener.messages[0]

    has_come = asyncio.Event()
    play(Exchange(talk, upgrade=eager), test)


BAD_MESSAGES = {
    "a binary frame": frame(bytes(range(256)), BINARY),
    "text that is not UTF-8": frame(b'{"type":"ticker","product_id":"\xc3\x28"}', TEXT),
    "an empty binary frame": frame(b"", BINARY),
}


@pytest.mark.parametrize("sent", BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_row_12_a_bad_message_is_counted_and_costs_nothing(sent: bytes) -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(20)
        assert sum(listener.pipe.counts.bad.values()) == 1
        assert listener.lost == []

    play(Exchange(after_a_while(sent)), test)


BROKEN = {
    "reserved opcode 3": frame(b"x", 3),
    "reserved opcode 11": frame(b"x", 11),
    "a masked frame": bytes([0x81, 0x80 | 2]) + b"mask" + b"xx",
    "a ping of 126 bytes": frame(b"x" * 126, PING),
    "a ping in two parts": frame(b"x", PING, final=False),
    "compressed though that was not agreed": frame(b"x", TEXT, reserved=RSV1),
    "reserved bit 3": frame(b"x", TEXT, reserved=0x10),
    "the middle of a message without its start": frame(b"x", CONTINUATION),
    "a message within a message": frame(b"{", TEXT, final=False) + frame(b"}", TEXT),
    "a close of one byte": frame(b"\x03", CLOSE),
    "a close with a code that there is not": frame(b"\x00\x00", CLOSE),
    "a close with words that are not UTF-8": frame(b"\x03\xe8\xff\xfe", CLOSE),
    "an impossible length": b"\x81\x7f" + b"\xff" * 8 + b"x",
    "what is no WebSocket at all": b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_row_12_a_broken_frame_leads_to_a_new_connection(sent: bytes) -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        assert await listener.recovery() <= within(2)
        assert listener.lost[0].reason
        assert listener.pipe.counts.gaps == 1
        assert await exchange.open_connections() == 1

    exchange = Exchange(after_a_while(sent), talk)
    play(exchange, test)


def too_large(*sent: bytes, compression: bool = False) -> None:
    """We close with 1009, say so, hold no memory, and have quotes again."""

    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        before = resident()
        await listener.until(lambda: listener.lost)
        assert resident() - before < 64 * 2**20
        assert await listener.recovery() <= within(2)
        assert exchange.connections[0].close_code == 1009
        assert "1009" in listener.lost[0].reason
        assert listener.pipe.counts.gaps == 1

    exchange = Exchange(after_a_while(*sent), talk, compression=compression)
    play(exchange, test, compression)


def test_row_22_the_largest_message_that_is_taken_is_taken() -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(20)
        assert listener.lost == []
        assert listener.pipe.counts.bad == {}

    padded = quote(2)[:-1] + b" " * (LIMIT - len(quote(2))) + b"}"
    assert len(padded) == LIMIT
    play(Exchange(after_a_while(frame(padded, TEXT))), test)


@pytest.mark.parametrize("size", [LIMIT + 1, 4 * LIMIT])
def test_row_22_a_message_that_is_too_large_is_refused(size: int) -> None:
    too_large(frame(b" " * size, TEXT))


def test_row_22_a_message_that_grows_too_large_in_parts_is_refused() -> None:
    part = b" " * 2**20
    too_large(frame(part, TEXT, final=False), *[frame(part, CONTINUATION, final=False)] * 8)


def test_row_22_a_message_that_unpacks_too_large_is_refused() -> None:
    compressor = zlib.compressobj(9, wbits=-12)
    bomb = compressor.compress(b" " * 2**27) + compressor.flush(zlib.Z_SYNC_FLUSH)
    too_large(frame(bomb[:-4], TEXT, reserved=RSV1), compression=True)


def test_row_22_a_headline_of_a_giant_frame_takes_no_memory_while_it_waits() -> None:
    """The length is refused at once, before any of the bytes have come."""
    too_large(b"\x81\x7f" + (2**40).to_bytes(8))


def figures(compression: bool, ours: bool, messages: list[str]) -> list[dict[str, object]]:
    """All insights of these messages, but for when each reached us."""
    found: list[dict[str, object]] = []

    async def script(connection: Connection) -> None:
        await connection.subscribed()
        for message in messages:
            await connection.send(message)
        await connection.stall()

    async def test(listener: Listener) -> None:
        await listener.quotes(len(messages) - 1)
        found.extend(msgspec.to_builtins(insight) for insight in listener.insights)

    exchange = Exchange(script, compression=compression)
    play(exchange, test, ours)
    assert bool(exchange.connections[0].window_bits) is (compression and ours)
    return [{name: value for name, value in insight.items() if name != "received_at"} for insight in found]


def test_row_23_the_figures_are_the_same_with_and_without_compression() -> None:
    now = datetime.now(UTC)
    messages = [json.dumps(frames.heartbeat(0, time=frames.rfc3339(now)))]
    for number in range(1, 300):
        time = frames.rfc3339(now + timedelta(seconds=5 + number / 10))
        messages.append(json.dumps(frames.ticker(number, time=time)))
    plain = figures(False, False, messages)
    assert len(plain) == 299
    assert figures(True, True, messages) == plain
    assert figures(False, True, messages) == plain


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 100, b"", b"\x07", bytes(range(200))], ids=["ff", "empty", "cut", "noise"]
)
def test_row_23_garbage_instead_of_a_compressed_message_is_outlived(garbage: bytes) -> None:
    async def test(listener: Listener) -> None:
        await listener.quotes(3)
        await listener.until(lambda: listener.lost or sum(listener.pipe.counts.bad.values()))
        assert await listener.seconds_to_quote(listener.log[-1][0]) <= within(2)
        assert len(listener.lost) <= 1
        if listener.lost:
            assert listener.when(Lost)

    play(Exchange(after_a_while(frame(garbage, TEXT, reserved=RSV1)), talk, compression=True), test, compression=True)
