"""Open the port, and keep the board up to date as long as the source lasts."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from ..running import race, until_signal
from ..source import Source
from ..watch import Watch
from .board import Board

FRAME = 0.25
"""Seconds between two frames at the least."""
SLOWEST = 1.0
"""Seconds between two frames at the most: how old a quote is changes too."""
PATIENCE = 30.0
"""Seconds that a connection gets to send a whole request."""
MOST_CONNECTIONS = 2000
GRACE = 1
"""Seconds that pages get at the end."""


class Patience(H11Protocol):
    """A connection that is closed when it has asked nothing for long; h11 alone would wait for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn, too, is only ever given this kind
        """Take it, if there are not too many."""
        super().connection_made(transport)
        self._due = self.loop.call_later(PATIENCE, self._give_up)
        if len(self.connections) > most_connections():
            transport.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._due.cancel()
        self._due = self.loop.call_later(PATIENCE, self._give_up)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._due.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.abort()


def most_connections() -> int:
    """Give how many may be open at once, so that files and the lake can be opened all the same."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return MOST_CONNECTIONS
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if allowed == resource.RLIM_INFINITY else max(10, min(MOST_CONNECTIONS, allowed - 100))


class Server(uvicorn.Server):
    """Answers until it is told to end; signals are none of its business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs it."""
        yield


async def serve(app: ASGIApp, listener: socket.socket, work: "Work") -> None:
    """Answer until the work is done. Raises what the work raises."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        http=Patience,
        ws="none",
    )
    server = Server(config)
    answering = asyncio.create_task(server.serve([listener]))
    try:
        await work.run()
    finally:
        work.board.end()
        server.should_exit = True
        await answering


class Watched(NamedTuple):
    """What is shown live."""

    watch: Watch
    source: Source


class Work:
    """What goes on behind the page: nothing but waiting where only a lake is shown."""

    def __init__(self, board: Board, watched: Watched | None, seconds: float | None) -> None:
        """Start nothing yet."""
        self.board = board
        self._watched = watched
        self._seconds = seconds

    async def run(self) -> None:
        """Work until a signal, or until the time is over; what a recording ended with stays to be seen until then."""
        if self._watched is None:
            await until_signal(self._seconds)
            return
        began = time.monotonic()
        watch, source = self._watched
        await race([watch.run(source.items(watch), self._seconds, source.check), self._show(watch)], None)
        if not watch.ended_by:
            left = None if self._seconds is None else max(0.0, self._seconds - (time.monotonic() - began))
            await race([until_signal(left), self._show(watch)], None)

    async def _show(self, watch: Watch) -> None:
        shown_at = -SLOWEST
        while True:
            now = time.monotonic()
            if self.board.is_changed or now - shown_at >= SLOWEST:
                shown_at = now
                self.board.show(watch.seen())
            await asyncio.sleep(FRAME)
