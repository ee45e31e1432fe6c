"""A local Coinbase on one port: both WebSocket feeds and their REST, from a market or from a recording.

The feed is told from the client's first message, so one address serves clients of both. Nothing is sent before a
subscription. It listens on this machine only unless told otherwise, and it needs no key.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ..listening import address, listen
from . import rest
from .faults import Faults
from .line import Line
from .live import Live, LiveDesk
from .market import Market
from .playback import Playback, PlaybackDesk
from .recorded import Recording

CLOSE_SECONDS = 60.0
"""How long a client may take to read to the end after a close; a recording is not cut short."""

STOP_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How the server behaves where Coinbase leaves a choice, or where a test wants another one."""

    speed: float = 1.0
    """Seconds of the market per second; `inf` plays a recording as fast as the client reads."""
    deadline: float = 5.0
    """Seconds that a client has for its first valid subscription.

    https://docs.cdp.coinbase.com/exchange/websocket-feed/overview
    """
    client_id: bool = False
    """Whether Advanced Trade frames carry the `client_id` of 2024; the typed helper of the official SDK needs it."""
    grace: float = 0.1
    """Seconds that a recording waits after the first subscription to data, for those that come next."""


class Server:
    """A server that listens; made by `serve`."""

    def __init__(self, stage: Live | Playback, faults: Faults, options: Options) -> None:
        self._stage = stage
        self._faults = faults
        self._options = options
        self._connections = 0
        self.host, self.port = "", 0

    @property
    def url(self) -> str:
        """The address of both feeds."""
        return f"ws://{self._address}"

    @property
    def rest_url(self) -> str:
        """The address that REST paths are added to."""
        return f"http://{self._address}"

    @property
    def _address(self) -> str:
        return address(self.host, self.port)

    @property
    def connections(self) -> int:
        """How many clients have connected since the start."""
        return self._connections

    def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer REST; None lets a WebSocket in."""
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return None
        answer = rest.answer(self._stage.market, request.path)
        headers = Headers({"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(answer.body))})
        headers["Connection"] = "close"
        return Response(answer.status, HTTPStatus(answer.status).phrase, headers, answer.body)

    async def handle(self, socket: ServerConnection) -> None:
        """Serve one client until it goes or is sent away."""
        line = Line(socket, self._next_faults())
        desk = self._stage.join(line)
        log.info("client %s connected", self._connections)
        tasks = [asyncio.create_task(line.run()), asyncio.create_task(self._hurry(socket, desk))]
        try:
            with suppress(ConnectionClosed):
                async for text in socket:
                    desk.answer(text)
        finally:
            for task in tasks:
                task.cancel()
            desk.leave()
            log.info("client gone: %s", socket.close_code)

    def _next_faults(self) -> Faults:
        self._connections += 1
        healthy = 0 < self._faults.connections < self._connections
        return Faults() if healthy else self._faults

    async def _hurry(self, socket: ServerConnection, desk: LiveDesk | PlaybackDesk) -> None:
        """Send a client away that has not subscribed in time; which code Coinbase uses is not documented."""
        await asyncio.sleep(self._options.deadline)
        if not desk.subscribed:
            await socket.close(1008, "no subscription")


@asynccontextmanager
async def serve(
    market: Market | Recording,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Faults = Faults(),
    options: Options = Options(),
) -> AsyncIterator[Server]:
    """Listen while the context lasts; port 0 takes a free one. Raises UsageError when the port is taken."""
    stage = _stage(market, options)
    server = Server(stage, faults, options)
    listening = await serve_websockets(
        server.handle,
        sock=listen(host, port),
        process_request=server.process_request,
        compression=None if faults.no_compression else "deflate",
        # A client of a recording may read as slowly as it likes; a missed ping would cut it off.
        ping_interval=None,
        close_timeout=CLOSE_SECONDS,
        max_size=2**20,
    )
    server.host, server.port = listening.sockets[0].getsockname()[:2]
    moving = asyncio.create_task(stage.run())
    # A market that fails takes its clients along, or they would wait for ever.
    moving.add_done_callback(lambda task: listening.close())
    try:
        yield server
    finally:
        moving.cancel()
        await _stop(listening)
        with suppress(asyncio.CancelledError):
            await moving


def _stage(market: Market | Recording, options: Options) -> Live | Playback:
    if isinstance(market, Recording):
        return Playback(market, options.speed, options.grace)
    return Live(market, options.speed, options.client_id)


async def _stop(listening: WebSocketServer) -> None:
    """Say 1001 to every client, and cut off those that do not hear it."""
    connections = list(listening.connections)
    listening.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await listening.wait_closed()
            return
    for connection in connections:
        connection.transport.abort()
    await listening.wait_closed()
