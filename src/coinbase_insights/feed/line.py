"""One connection: whole messages in the order in which they came, and why it ended.

The handshake, TLS, proxies, control frames, fragments and compression are websockets' work. Only the one case that
makes up the feed, a whole uncompressed text frame, is cut out of the bytes here: that costs a tenth of the general way.
"""

import asyncio
import time
from collections import deque
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

from ..message import Message
from .words import harmless

MOST_WAITING = 1000
"""Messages that wait to be taken before we stop reading from the socket: then TCP holds the exchange back."""
MOST_BYTES_WAITING = 16 * 2**20
"""The same in bytes; a single message may be larger."""
WHOLE_TEXT = 0x81
"""First byte of a frame that is a whole text message (RFC 6455, section 5.2)."""
MASKED = 0x80
"""Bit of the second byte that no server may set."""
HEAD_END = b"\r\n\r\n"
"""Ends an HTTP response without a body, such as the 101 of a handshake (RFC 9112, section 2.1)."""


class Line(ClientConnection):
    """A connection whose messages are taken in batches."""

    most_bytes = 4 * 2**20
    """The largest message that is taken: a ticker is half a kilobyte."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever websockets passes
        """Made by websockets' `connect(create_connection=...)`."""
        super().__init__(*args, **kwargs)
        self.heard_at = time.monotonic()
        """When the last whole message came."""
        self.is_full = False
        """Whether so many messages wait to be taken that we do not listen."""
        self._messages: deque[Message] = deque()
        self._news = asyncio.Event()
        self._head = b""
        self._parts: list[bytes] = []
        self._needed = 0
        self._fragments: list[bytes] = []

    async def batch(self) -> list[Message]:
        """Wait for messages and give all that are there; an empty list when the connection has ended."""
        if not self._messages and not self.connection_lost_waiter.done():
            self._news.clear()
            await self._news.wait()
        messages = list(self._messages)
        self._messages.clear()
        if self.is_full:
            self.is_full = False
            self.heard_at = time.monotonic()  # It was not silent: we did not listen.
            self.transport.resume_reading()
        return messages

    @property
    def reason(self) -> str:
        """Why the connection ended, for a person."""
        sent, received = self.protocol.close_sent, self.protocol.close_rcvd
        close = received or sent
        if close is None:
            return "the connection broke off"
        said = f" ({harmless(close.reason)})" if close.reason else ""
        return f"closed by {'us' if received is None else 'the exchange'}, code {close.code}{said}"

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        super().connection_lost(exc)
        self._news.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self.protocol.state is State.CONNECTING:
            data = self._shake_hands(data)
        if self._is_general():
            super().data_received(b"".join((*self._parts, data)))
            self._parts.clear()
        else:
            self._gather(data)
        if self._are_many() and not self.is_full and not self.transport.is_closing():
            self.is_full = True
            self.transport.pause_reading()
        if self._messages:
            self._news.set()

    def _are_many(self) -> bool:
        """Whether so much waits to be taken that no more should come."""
        count = len(self._messages)
        return count >= MOST_WAITING or (
            count > 1 and sum(len(message.data) for message in self._messages) > MOST_BYTES_WAITING
        )

    def process_event(self, event: Event) -> None:
        """Take a frame that websockets has read: put fragments together, leave the rest to it."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._fragments.append(bytes(event.data))
        if event.fin:
            self._messages.append(Message(time.time_ns(), b"".join(self._fragments)))
            self._fragments.clear()
            self.heard_at = time.monotonic()

    def _shake_hands(self, data: bytes) -> bytes:
        """Leave the answer to our handshake to websockets; give what stands behind it, the first frames."""
        head = self._head + data
        end = head.find(HEAD_END) + len(HEAD_END) - len(self._head)
        if HEAD_END not in head:
            end, self._head = len(data), head[-len(HEAD_END) + 1 :]
        super().data_received(data[:end])
        return data[end:]

    def _is_general(self) -> bool:
        """Whether all bytes must go to websockets: before and after the life of the line, and when it is compressed."""
        return self.protocol.state is not State.OPEN or bool(self.protocol.extensions)

    def _gather(self, data: bytes) -> None:
        """Wait until the frame that has begun is whole; a large one is joined once, not at each of its parts."""
        self._parts.append(data)
        self._needed -= len(data)
        if self._needed > 0:
            return
        data = b"".join(self._parts) if len(self._parts) > 1 else data
        rest = data[self._cut(data) :]
        self._parts = [rest] if rest else []

    def _cut(self, data: bytes) -> int:
        """Cut whole frames off the bytes; tell how many bytes are done with, and note how many more are needed."""
        at, end, received_at, before = 0, len(data), time.time_ns(), len(self._messages)
        self._needed = 1
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length in {126, 127}:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                length = int.from_bytes(data[at + 2 : start])
                is_wrong = length > self.most_bytes
            else:
                is_wrong = length >= MASKED
            stop = start + length
            if stop > end and not is_wrong:
                self._needed = stop - end
                break
            if data[at] != WHOLE_TEXT or is_wrong or self._fragments:
                if self._leave(data, at, end if is_wrong else stop):
                    return end
            else:
                self._messages.append(Message(received_at, data[start:stop]))
            at = stop
        if len(self._messages) > before:
            self.heard_at = time.monotonic()
        return at

    def _leave(self, data: bytes, start: int, stop: int) -> bool:
        """Leave a frame to websockets: it answers, closes, or says what is wrong. Tell whether it took the rest too."""
        super().data_received(data[start:stop])
        if not self._is_general():
            return stop == len(data)
        super().data_received(data[stop:])
        return True


class BookLine(Line):
    """A connection that brings order books."""

    most_bytes = 64 * 2**20
    """The snapshot of a whole book is several megabytes."""
