"""The way out to one client: frames in order, through the faults, and never more waiting than allowed.

`put` never waits, so that a slow client cannot hold up another one; who leaves too much waiting is cut off.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from .faults import Faults
from .request import Frame
from .trouble import Close, Outgoing, Trouble

LOW_WATER = 65_536
"""Bytes waiting below which a recording goes on reading."""

CUT_SECONDS = 0.5
"""How long a closing frame may take to leave before the line is cut."""

ABNORMAL = 1006

log = logging.getLogger(__name__)


class Line:
    """Frames on their way to one client."""

    def __init__(self, socket: ServerConnection, faults: Faults) -> None:
        self._socket = socket
        self._faults = faults
        self._trouble = Trouble(faults)
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._overflowed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Send a frame when its turn comes."""
        for outgoing in self._trouble.send(frame):
            self._append(outgoing)

    def finish(self, code: int) -> None:
        """Close with this code when everything before is sent; a line that has stalled stays open."""
        if not self._trouble.stalled:
            self._append(Close(code))

    def _append(self, outgoing: Outgoing) -> None:
        # The frame itself does not count: a single book may be larger than the limit.
        if self._bytes > self._faults.backlog:
            self._overflowed.set()
            return
        self._bytes += len(outgoing) if isinstance(outgoing, bytes) else 0
        self._waiting.append(outgoing)
        self._filled.set()

    async def room(self) -> None:
        """Wait until the client has taken most of what was put."""
        while self._bytes > min(LOW_WATER, self._faults.backlog):
            self._drained.clear()
            await self._drained.wait()

    async def run(self) -> None:
        """Send what is put until the line closes, whoever closes it."""
        sender = asyncio.create_task(self._send_all())
        overflow = asyncio.create_task(self._overflowed.wait())
        try:
            timeout = self._faults.close_seconds
            await asyncio.wait({sender, overflow}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if sender.done():
                await self._close(sender.result())
            elif overflow.done():
                await self._kick()
            else:
                await self._close(self._faults.close_code)
        finally:
            sender.cancel()
            overflow.cancel()

    async def _send_all(self) -> int | None:
        """Send until told to close; return the closing code, or None when the client has gone."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                outgoing = self._waiting.popleft()
                if isinstance(outgoing, Close):
                    return outgoing.code
                try:
                    await self._socket.send(outgoing, text=True)
                except ConnectionClosed:
                    return None
                self._sent(outgoing)

    def _sent(self, frame: Frame) -> None:
        self._bytes -= len(frame)
        if self._bytes <= LOW_WATER:
            self._drained.set()

    async def _close(self, code: int | None) -> None:
        if code == ABNORMAL:
            self._socket.transport.abort()
        elif code is not None:
            await self._socket.close(code)

    async def _kick(self) -> None:
        """Close on a client that does not read, and do not wait for it to read that."""
        log.info("slow reader cut off with more than %s bytes waiting", self._faults.backlog)
        # https://docs.cdp.coinbase.com/exchange/websocket-feed/errors: a slow reader gets ErrSlowConsume.
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_SECONDS):
                await self._socket.close(1008, "ErrSlowConsume")
        self._socket.transport.abort()
