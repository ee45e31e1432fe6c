"""The log at scale: a topic of Kafka, or of Event Hubs, which speaks the same protocol.

A message's value is the untouched frame, or a line about the connection as the journal has it; its key the product; its
headers `received_at` (nanoseconds) and `offset` (that of the journal). Order over all products is kept in one
partition, so a topic has one. Client: librdkafka, idempotent, acknowledged by all replicas.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ..azure import token
from ..errors import StorageError, UsageError
from ..message import Item, Unstored
from ..running import in_background
from .journal import encode
from .topic_line import item_of, line_of

logger = logging.getLogger(__name__)

CONNECTION_STRING = "COINBASE_INSIGHTS_CONNECTION_STRING"
"""The variable with the connection string of an Event Hubs namespace, for who cannot sign in; it is never shown."""
_EVENT_HUBS = re.compile(r"([a-z0-9-]+\.servicebus\.windows\.net):9093", re.ASCII | re.IGNORECASE).fullmatch
_ADDRESS = re.compile(r"kafka://([A-Za-z0-9.\-:,]{1,500})/([A-Za-z0-9._\-]{1,249})", re.ASCII).fullmatch
LINES = 5_000
"""What is read at once."""
WAIT = 0.2
"""Seconds that a reader waits for messages at once."""
ANSWER = 10.0
"""Seconds for the broker to say what it has."""


class Address(NamedTuple):
    """Where a topic is."""

    servers: str
    topic: str


def address(url: str) -> Address:
    """Take kafka://HOST:PORT/TOPIC apart. Raises UsageError for anything else."""
    match = _ADDRESS(url)
    if match is None:
        shown = re.sub(r"//[^/]*@", "//***@", url[:100])
        raise UsageError(f"{shown!a} is no address of a topic.", "Write it as kafka://HOST:PORT/TOPIC.")
    return Address(match[1], match[2])


def client(where: Address) -> dict[str, Any]:
    """Give what every client of a broker is told. Raises StorageError when Azure does not say who we are.

    Event Hubs wants TLS, and to know who we are (learn.microsoft.com/azure/event-hubs/apache-kafka-configurations).
    """
    told: dict[str, Any] = {"bootstrap.servers": where.servers, "log_level": 2}  # What matters we say ourselves, once.
    namespace = _EVENT_HUBS(where.servers)
    if namespace is None:
        return told
    told["security.protocol"] = "SASL_SSL"
    secret = os.environ.get(CONNECTION_STRING, "")
    if secret:
        return told | {"sasl.mechanisms": "PLAIN", "sasl.username": "$ConnectionString", "sasl.password": secret}
    return told | signed_in(f"https://{namespace[1]}/.default")


def signed_in(scope: str) -> dict[str, Any]:
    """Give what a client is told that shows a token of Entra, and gets another one before it expires."""
    token(scope)  # What the client says when this fails, nobody hears.
    return {"sasl.mechanisms": "OAUTHBEARER", "oauth_cb": lambda _: tuple(token(scope))}


class Sent(NamedTuple):
    """What a message says of the journal's line that it was."""

    offset: int
    """Of the line, in the journal."""
    received_at: bytes
    """Nanoseconds, as they stand there."""


class Reader:
    """Reads a partition of a topic from an offset on, in its order."""

    def __init__(self, where: Address, partition: int | None = None) -> None:
        """Look whether there is such a topic; where no partition is named, it must have one. Raises StorageError."""
        self._where = where
        self._number = partition or 0
        self._next = 0
        """Offset of the message that is to come."""
        self._consumer = Consumer(
            client(where)
            | {
                "group.id": "coinbase_insights",  # It must be given; nothing is ever committed to it.
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": False,
                "fetch.message.max.bytes": 2**20,
                "queued.max.messages.kbytes": 16 * 1024,
            },
            logger=logger,
        )
        partitions = self._ask(lambda: self._consumer.list_topics(where.topic, timeout=ANSWER)).topics[where.topic]
        if partitions.error is not None or (partition is None and len(partitions.partitions) != 1):
            has = "does not exist" if partitions.error else f"has {len(partitions.partitions)} partitions"
            raise StorageError(f"The topic {where.topic} at {where.servers} {has}.", "Make it, with one partition.")

    def range(self) -> tuple[int, int]:
        """Give the offset of the oldest message, and that behind the newest."""
        partition = TopicPartition(self._where.topic, self._number)
        low, high = self._ask(lambda: self._consumer.get_watermark_offsets(partition, timeout=ANSWER))
        return int(low), int(high)

    def seek(self, offset: int) -> None:
        """Go on reading from an offset."""
        self._next = offset
        self._consumer.assign([TopicPartition(self._where.topic, self._number, offset)])

    def read(self, most_lines: int, seconds: float) -> list[tuple[int, bytes]]:
        """Wait for messages for so long, and give them with their offsets, each as a line of a journal.

        Messages that the topic has no longer are one line, which says how many, with the offset of the last of them.
        """
        lines: list[tuple[int, bytes]] = []
        for message in self._ask(lambda: self._consumer.consume(most_lines, seconds)):
            error = message.error()
            if error is not None and lines:
                self.seek(self._next)  # The error comes again; these lines would not.
                break
            if error is not None:
                return [self._gone(error)]
            offset, line = int(message.offset() or 0), _line(message)
            if offset > self._next:
                lines.append(self._missing(offset, int(line.partition(b"\t")[0])))
            lines.append((offset, line))
            self._next = offset + 1
        return lines

    def _gone(self, error: KafkaError) -> tuple[int, bytes]:
        """Go on with the oldest message where the broker has the next one no longer. Raises StorageError otherwise."""
        low = self.range()[0] if error.code() == KafkaError._AUTO_OFFSET_RESET else 0
        if low <= self._next:
            raise away(self._where, error)
        missing = self._missing(low, time.time_ns())
        self.seek(low)
        return missing

    def _missing(self, offset: int, stamp: int) -> tuple[int, bytes]:
        """Give the line for the messages before an offset, which nobody will ever have."""
        logger.warning("the topic %s has its messages %d to %d no longer", self._where.topic, self._next, offset - 1)
        return offset - 1, encode(Unstored(stamp, offset - self._next, is_damage=True))

    def keyed(self, most: int, seconds: float) -> list[tuple[bytes, bytes]]:
        """Wait for messages for so long, and give their keys and values."""
        return [(message.key() or b"", message.value() or b"") for message in self._consume(most, seconds)]

    def _consume(self, most: int, seconds: float) -> list[Message]:
        messages: list[Message] = self._ask(lambda: self._consumer.consume(most, seconds))
        for error in (message.error() for message in messages):
            if error is not None:
                raise away(self._where, error)
        return messages

    def last(self) -> Sent | None:
        """Give what is known of the newest message; None when there is no message."""
        low, high = self.range()
        if low == high:
            return None
        message = self._message(high - 1)
        headers = dict(message.headers() or [])
        offset, received_at = headers.get("offset"), headers.get("received_at")
        if not isinstance(offset, bytes) or not offset.isdigit() or not isinstance(received_at, bytes):
            raise StorageError(
                f"The topic {self._where.topic} holds messages that are not ours.", "Name a topic of its own."
            )
        return Sent(int(offset), received_at)

    def line(self, offset: int) -> bytes | None:
        """Give one message as a line; None where the topic does not have it. Reading goes on at the next `seek`."""
        message = self._message(offset)
        return _line(message) if message.offset() == offset else None

    def _message(self, offset: int) -> Message:
        """Wait for the message at an offset, or the first behind it. Raises StorageError when it does not come."""
        self.seek(offset)
        deadline = time.monotonic() + ANSWER
        while time.monotonic() < deadline:
            messages: list[Message] = self._ask(lambda: self._consumer.consume(1, 1.0))
            for message in messages:
                if message.error() is None:
                    return message
        raise StorageError(f"The topic {self._where.topic} at {self._where.servers} does not give message {offset}.")

    def _ask(self, question: Callable[[], Any]) -> Any:  # noqa: ANN401 - the client's types are what it gives
        try:
            return question()
        except KafkaException as error:
            raise away(self._where, error.args[0]) from error

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()


def _line(message: Message) -> bytes:
    stamp = dict(message.headers() or []).get("received_at")
    return line_of(message.value(), stamp, message.timestamp()[1])


async def newest(where: Address) -> AsyncGenerator[Item]:
    """Give all that comes to a topic from now on. Raises StorageError where there is none, or no broker."""
    reader = await in_background(partial(_at_the_end, where))
    thread = ThreadPoolExecutor(1)
    try:
        while True:
            for _, line in await asyncio.get_running_loop().run_in_executor(thread, reader.read, LINES, WAIT):
                yield item_of(line)
    finally:
        thread.shutdown()  # Nobody may close what is read from.
        reader.close()


def _at_the_end(where: Address) -> Reader:
    reader = Reader(where)
    reader.seek(reader.range()[1])
    return reader


def away(where: Address, error: KafkaError) -> StorageError:
    """Say what a broker says."""
    return StorageError(f"The topic {where.topic} at {where.servers} cannot be used: {error.str()}.")
