"""A Coinbase that does what a test's script says: a WebSocket server on a raw socket, every frame written by hand.

A script is an async function of one connection. But for the handshake and the answers to pings and closes, nothing
happens on the wire that it did not ask for, so it may break every rule there is. It ends when the client is gone;
when it returns, the line stays open in silence.
"""

import asyncio
import base64
import hashlib
import json
import re
import socket
import ssl
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import frames

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1 = 0x40
"""The bit that says: this message is compressed."""

Json = dict[str, Any]
Script = Callable[["Connection"], Awaitable[None]]
Upgrade = Callable[["Connection"], Awaitable[bool]]


def frame(payload: bytes, opcode: int, *, final: bool = True, reserved: int = 0) -> bytes:
    """One unmasked frame, as a server sends it (RFC 6455, 5.2)."""
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


class Connection:
    """One client's line: what the script may do with it, and what the client did."""

    def __init__(self, exchange: "Exchange", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.exchange = exchange
        self.number = len(exchange.connections)
        self.opened_at = time.monotonic()
        self.subscribes: list[Json] = []
        self.close_code: int | None = None
        """What the client's closing frame said; None when it sent none."""
        self.is_open = True
        self.path = ""
        self.headers: dict[str, str] = {}
        self.window_bits = 0
        """Of the compression agreed on; 0 is none."""
        self._messages: asyncio.Queue[Json] = asyncio.Queue()
        self._reader, self._writer = reader, writer

    # What a script may do.

    async def subscribed(self, *, ack: bool = True) -> Json:
        """Wait for the client's next subscription, and answer it."""
        message = await self._messages.get()
        if ack:
            await self.send(frames.ack(message))
        return message

    async def ticker(self, **fields: Any) -> Json:
        """Send the exchange's next quote; a field given as `...` is left out."""
        self.exchange.sent += 1
        ticker = frames.ticker(self.exchange.sent, **fields)
        await self.send(json.dumps(ticker))
        return ticker

    async def heartbeat(self, **fields: Any) -> None:
        await self.send(json.dumps(frames.heartbeat(self.exchange.sent, **fields)))

    async def talk(self, *, every: float = 0.02, count: int | None = None) -> None:
        """Send quotes, each with a heartbeat."""
        while count is None or (count := count - 1) >= 0:
            await self.heartbeat()
            await self.ticker()
            await asyncio.sleep(every)

    async def send(self, data: str | bytes, opcode: int = TEXT) -> None:
        """Send a whole message, compressed if that was agreed on."""
        payload = data.encode() if isinstance(data, str) else data
        if self.window_bits and opcode in (TEXT, BINARY):
            await self.send_raw(frame(self.deflate(payload), opcode, reserved=RSV1))
        else:
            await self.send_raw(frame(payload, opcode))

    def deflate(self, payload: bytes) -> bytes:
        """Compress one message by itself (RFC 7692, 7.2.1)."""
        compressor = zlib.compressobj(wbits=-self.window_bits)
        return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are; waits while the client does not take them."""
        self._writer.write(data)
        await self._writer.drain()

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a closing frame, wait for the client's, and hang up."""
        await self.send(b"" if code is None else struct.pack("!H", code) + reason.encode(), CLOSE)
        await self.gone()

    async def fin(self) -> None:
        """Hang up without a closing frame."""
        self._writer.close()
        await self.gone()

    async def reset(self) -> None:
        """Tear the line: the client gets a TCP reset."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        await self.gone()

    async def stall(self, *, reading: bool = True) -> None:
        """Say nothing more, for ever; without reading not even pings are answered: the line is half open."""
        if not reading:
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed as a transport that only writes
        await self.gone()

    def resume(self) -> None:
        """Read again after a stall: now it shows whether the client has gone meanwhile."""
        if self.is_open:
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # typed as a transport that only writes

    async def gone(self) -> None:
        """Wait for the end; the script ends with the client."""
        await asyncio.Event().wait()

    # The handshake, and what the client says.

    async def read_request(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.path = head[0].split(" ")[1]
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}

    async def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        await self.send_raw("\r\n".join(lines).encode("latin-1") + body)

    def upgrade_headers(self) -> dict[str, str]:
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
        offer = self.headers.get("sec-websocket-extensions", "")
        if self.exchange.compression and "permessage-deflate" in offer:
            limit = re.search(r"server_max_window_bits=(\d+)", offer)
            self.window_bits = int(limit[1]) if limit else 15
            headers["Sec-WebSocket-Extensions"] = (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
                + (f"; server_max_window_bits={self.window_bits}" if limit else "")
            )
        return headers

    async def listen(self) -> None:
        """Read what the client sends until it is gone."""
        while True:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
            mask = await self._reader.readexactly(4)
            masked = await self._reader.readexactly(length)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
            if first & RSV1:
                payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
            await self._take(first & 0x0F, payload)

    async def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            message = json.loads(payload)
            self.subscribes.append(message)
            self._messages.put_nowait(message)
        elif opcode == PING:
            await self.send(payload, PONG)
        elif opcode == CLOSE:
            self.close_code = int.from_bytes(payload[:2]) if payload else 1005
            await self.send(payload, CLOSE)
            self._writer.close()

    def cut(self) -> None:
        self.is_open = False
        self._writer.transport.abort()


async def accept(connection: Connection) -> bool:
    """Agree to speak WebSocket."""
    await connection.answer(101, connection.upgrade_headers())
    return True


async def silence(connection: Connection) -> bool:
    """Take the TCP connection and say nothing at all."""
    await connection.gone()
    return False


async def dribble(connection: Connection) -> bool:
    """Agree, one byte in a while; never done before the client's patience is."""
    for byte in b"HTTP/1.1 101 Switching Protocols\r\nServer: " + b"a" * 10_000:
        await connection.send_raw(bytes([byte]))
        await asyncio.sleep(0.1)
    return False


def refuse(status: int, **headers: str) -> Upgrade:
    """Answer with an HTTP error; `Retry_After="3"` becomes a header."""

    async def answer(connection: Connection) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await connection.answer(status, {"Content-Length": "0", "Connection": "close", **named})
        return False

    return answer


async def talk(connection: Connection) -> None:
    """The script of an exchange on a good day."""
    await connection.subscribed()
    await connection.talk()


class Exchange:
    """The server: the nth connection is played the nth script, and all later ones the last.

    `upgrade` answers a client that asks for WebSocket. REST has the answers in `rest`, a status and JSON by path; any
    other path gets a 404 that says nothing, as from a server that knows no REST.
    """

    def __init__(
        self, *scripts: Script, upgrade: Upgrade = accept, compression: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.scripts = scripts or (talk,)
        self.upgrade = upgrade
        self.compression = compression
        self.tls = tls
        self.rest: dict[str, tuple[int, Any]] = {}
        self.requests: list[str] = []
        self.connections: list[Connection] = []
        """Every connection that asked for WebSocket."""
        self.sent = 0
        """How many quotes were sent; their sequence goes on over all connections."""
        self.port = 0
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[Exception] = []

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}" if self.tls else f"ws://127.0.0.1:{self.port}"

    async def open_connections(self) -> int:
        """How many lines the client has left open, those included that a script has stalled."""
        for connection in self.connections:
            connection.resume()
        await asyncio.sleep(0.05)  # time for the ends of the others to be read
        return sum(connection.is_open for connection in self.connections)

    async def connection(self, number: int) -> Connection:
        """Give the connection of this number, counted from 0, as soon as it has come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.connections) > number)
        return self.connections[number]

    async def start(self) -> None:
        """Listen; on the same port as before, if there was one."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.tls, limit=2**24, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every line and stop listening: connections are refused from now on.

        First those that have come are taken: asyncio leaks what is half taken (python/cpython issue 109564).
        """
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(0)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()
        if self._errors:
            raise ExceptionGroup("a script of the exchange failed", self._errors)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play a connection in a task of its own; whenever that ends, even before its first step, the line is cut."""
        connection = Connection(self, reader, writer)
        task = asyncio.ensure_future(self._kept(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: connection.cut())

    async def _kept(self, connection: Connection) -> None:
        try:
            await self._play(connection)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client went
        except Exception as error:  # noqa: BLE001 (kept for the test, which must fail)
            self._errors.append(error)

    async def _play(self, connection: Connection) -> None:
        await connection.read_request()
        if "upgrade" not in connection.headers.get("connection", "").lower():
            return await self._answer_rest(connection)
        async with self._came:
            connection.number = len(self.connections)
            self.connections.append(connection)
            self._came.notify_all()
        if await self.upgrade(connection):
            await self._run_script(connection)
        return None

    async def _answer_rest(self, connection: Connection) -> None:
        self.requests.append(connection.path)
        status, answer = self.rest.get(connection.path, (404, None))
        body = b"" if answer is None else json.dumps(answer).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        await connection.answer(status, headers, body)

    async def _run_script(self, connection: Connection) -> None:
        script = asyncio.ensure_future(self._guarded(connection))
        try:
            await connection.listen()
        finally:
            script.cancel()
            await asyncio.wait([script])

    async def _guarded(self, connection: Connection) -> None:
        script = self.scripts[min(connection.number, len(self.scripts) - 1)]
        try:
            await script(connection)
        except ConnectionError:
            pass  # the client went while the script spoke
        except Exception as error:  # noqa: BLE001 (kept for the test, which must fail)
            self._errors.append(error)
