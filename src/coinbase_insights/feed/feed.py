"""The live source: one subscription, kept up for ever, over as many connections as it takes.

    connect -> subscribe -> messages ... -> lost -> wait -> connect -> ...

Every ending of a connection, whatever its cause, leads to the next attempt. What a message says is none of its
business, but for the exchange's answer to the subscription, and for whether quotes come at all.
"""

import asyncio
import logging
import random
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException
from websockets.frames import Close

from ..errors import UnreachableError, UsageError
from ..message import Item, Lost, Message, Opened
from .endpoints import channel_name, is_here, parts_of, subscriptions
from .line import BookLine, Line
from .reply import Reply
from .timing import Timing
from .words import harmless

logger = logging.getLogger(__name__)

POLICY_VIOLATION = 1008


class Feed:
    """Gives the messages of Coinbase's feed, and says when the line opened and was lost."""

    def __init__(
        self,
        url: str,
        product_ids: Sequence[str],
        *,
        dialect: str = "exchange",
        channel: str = "ticker_batch",
        compression: bool = False,
        timing: Timing | None = None,
    ) -> None:
        """Prepare; nothing is opened before `items` is read. `dialect` is exchange or advanced.

        Raises UsageError when there can be no such host or port.
        """
        parts_of(url)
        self.url = url
        self.product_ids = tuple(product_ids)
        self.attempt = 0
        """Attempts in a row that have brought no quote."""
        self._dialect = dialect
        self._channel = channel
        self._compression = compression
        self._timing = timing or Timing()
        self._line: Line | None = None
        self._wish = ""
        self._is_up = False
        """Whether a subscription has ever stood."""
        self._quote_at = 0.0
        self._has_quote = False
        """On this connection."""
        self._tried_at = -1e9

    async def items(self) -> AsyncGenerator[Item]:
        """Give what comes, for ever; to end it, close the iterator.

        Raises, and only before a subscription stood: UnreachableError when nothing came up in time, RefusedError and
        UnknownProductError when the exchange says no.
        """
        began = time.monotonic()
        while True:
            reason, penalty, least = "the connection broke off", 1, 0.0
            self._tried_at = time.monotonic()
            try:
                async with self._open() as line:
                    yield Opened(time.time_ns(), self.url)
                    async for message in self._messages(line):
                        yield message
                    reason, penalty = self._wish or line.reason, _penalty(line.protocol.close_rcvd)
            except InvalidStatus as error:
                reason, least = f"HTTP status {error.response.status_code}", _retry_after(error)
            except ssl.SSLCertVerificationError as error:
                reason = f"certificate not trusted: {error.verify_message}"
                if not self._is_up:
                    raise UnreachableError(
                        f"{self.url} does not prove who it is: {error.verify_message}.",
                        "If you trust its certificate, name it in SSL_CERT_FILE.",
                    ) from error
            except ConnectionClosed as error:  # It ended while we subscribed.
                reason, penalty = _words(error), _penalty(error.rcvd)
            except (OSError, TimeoutError, InvalidHandshake, WebSocketException) as error:
                reason = _words(error)
            self.attempt += penalty
            delay = self._delay(least)
            logger.info("lost: %s; next attempt in %.1f s", reason, delay)
            left = began + self._timing.give_up - time.monotonic()
            delay = delay if self._is_up else max(0.0, min(delay, left))
            if not self._is_up and left <= 0.0:
                raise UnreachableError(
                    f"The feed at {self.url} did not come up: {reason}.",
                    "Check the network, and the address after --url.",
                )
            yield Lost(time.time_ns(), reason, self.attempt, delay)
            await asyncio.sleep(delay)

    def reconnect(self, reason: str) -> None:
        """Give this connection up and make a new one: something in it was lost that only a new one brings back."""
        if self._line is not None:
            self._wish = reason
            self._line.transport.abort()

    def _delay(self, least: float) -> float:
        """Seconds to wait: random between half a bound that doubles and the bound.

        The jitter keeps many clients from coming back at once (Brooker, Exponential Backoff and Jitter, 2015). At the
        end it is small: an exchange that stays away sees no more than 60 attempts in 5 minutes.
        """
        timing = self._timing
        bound = timing.backoff_first * 2.0 ** min(self.attempt - 1, 30)
        low, high = min(bound / 2, 0.8 * timing.backoff_most), min(bound, timing.backoff_most)
        since = time.monotonic() - self._tried_at
        return max(random.uniform(low, high), timing.attempt_interval - since, least)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Line]:
        """Connect and subscribe; at the end, say goodbye shortly or not at all."""
        kind = BookLine if self._channel == "level2" else Line
        try:
            line = await connect(
                self.url,
                create_connection=kind,
                compression="deflate" if self._compression else None,
                open_timeout=self._timing.open_timeout,
                ping_interval=None,
                close_timeout=self._timing.close,
                max_size=kind.most_bytes,
                proxy=None if is_here(self.url) else True,
            )
        except ImportError as error:
            raise UsageError(
                f"The proxy that the environment names cannot be used: {error}.", "pip install python-socks[asyncio]"
            ) from error
        except ssl.SSLError:  # One of them is a ValueError too.
            raise
        except (InvalidURI, ValueError) as error:
            raise InvalidHandshake("the server sent us to an address that is none") from error
        if not isinstance(line, Line):
            raise TypeError("websockets made another kind of connection than it was asked for")
        self._line, self._wish = line, ""
        try:
            await self._subscribe(line)
            yield line
        finally:
            self._line = None
            with suppress(TimeoutError, WebSocketException):
                await asyncio.wait_for(line.close(), self._timing.close)
            line.transport.abort()

    async def _subscribe(self, line: Line) -> None:
        for text in subscriptions(self._dialect, self.product_ids, self._channel):
            await line.send(text)

    async def _messages(self, line: Line) -> AsyncGenerator[Message]:
        """Give the messages of one connection until it ends, or has been silent for too long."""
        reply = Reply(self._dialect, channel_name(self._dialect, self._channel), self.product_ids)
        line.heard_at = self._quote_at = time.monotonic()
        self._has_quote = False
        watchdog = asyncio.create_task(self._watch(line, reply))
        try:
            while batch := await line.batch():
                for message in batch:
                    if not reply.is_settled or message.data.find(b'"error"', 0, 60) >= 0:
                        self._settle(reply, message)
                    if is_quote(message.data):
                        self.attempt = 0
                        self._quote_at = line.heard_at
                        self._has_quote = self._is_up = True
                    yield message
        finally:
            watchdog.cancel()

    def _settle(self, reply: Reply, message: Message) -> None:
        """Read the exchange's answer. A no at the start is final; later the next connection may bring a yes."""
        no = reply.read(message)
        if no is not None and not self._is_up:
            raise no
        if no is not None:
            self.reconnect(no.message)
        self._is_up = self._is_up or reply.is_settled

    async def _watch(self, line: Line, reply: Reply) -> None:
        """Look after one connection: end it when it is silent, and ask again when heartbeats come but no quotes.

        Where it is we who stood still, what came meanwhile is read before anything is held against the line.
        """
        timing = self._timing
        opened_at, asked_at = time.monotonic(), 0.0
        looked_at = opened_at
        while True:
            await asyncio.sleep(timing.stall / 30)
            now = time.monotonic()
            stood_still, looked_at = now - looked_at > timing.stall / 5, now
            if line.is_full or stood_still:
                continue
            if now - line.heard_at > timing.stall:
                self.reconnect(f"no message for {now - line.heard_at:.0f} s")
            elif not reply.is_settled and not self._has_quote and now - opened_at > timing.ack:
                self.reconnect(f"the subscription was not acknowledged within {timing.ack:.0f} s")
            elif now - max(self._quote_at, asked_at) > timing.quiet and asked_at < self._quote_at:
                asked_at = now
                logger.info("no quote for %.0f s; subscribing again", now - self._quote_at)
                with suppress(ConnectionClosed):
                    await self._subscribe(line)


def is_quote(data: bytes) -> bool:
    """Tell, without reading it, whether a message brings prices: only that makes a connection count as good."""
    return b'"best_bid"' in data or b'"l2update"' in data or b'"l2_data"' in data


def _penalty(close: Close | None) -> int:
    """How many attempts a lost connection counts as: one, or two when the exchange says that we broke its rules."""
    return 2 if close is not None and close.code == POLICY_VIOLATION else 1


def _retry_after(error: InvalidStatus) -> float:
    """Seconds that the server asks us to wait (RFC 9110, section 10.2.3); 0 if it does not, or says it as a date."""
    text = "".join(error.response.headers.get_all("Retry-After")[:1])
    return min(float(text), 3600.0) if text.isascii() and text.isdecimal() else 0.0


def _words(error: Exception) -> str:
    """Say in a few words why there is no connection."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror):
        return "the name of the host could not be resolved"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return harmless((str(error) or type(error).__name__).splitlines()[0])
