"""A consumer group: whose share of the products is whose, and what is kept of each. Knows the broker, and no product.

The broker gives the partitions of a topic, TOPIC.GROUP, to the members; each is a share. What a member remembers of a
share is a set of bytes, written into its partition. The offset that the group commits is where the newest whole set
begins; its metadata says up to which message of TOPIC the figures of the share were shown.
"""

import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from secrets import token_hex
from typing import NamedTuple

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from ..errors import StorageError
from .kafka import ANSWER, WAIT, Address, Reader, away, client, logger

PATIENCE = 1.0
"""Seconds that the broker gets to take a set."""
SESSION = 6.0
"""Seconds of silence after which the broker gives a member up; it takes no less."""
PART = 500_000
"""Bytes of a message of a set."""


class Kept(NamedTuple):
    """What a member has left of a share."""

    data: bytes
    """What it remembered."""
    begins: int
    """Offset of the set in its partition."""
    shown: int
    """Offset behind the last message of the topic whose figures were shown."""


class Position(NamedTuple):
    """What is remembered of a share, and up to which message of the topic."""

    data: bytes
    offset: int


class Group:
    """Our place in the group: which shares are ours, and what is kept of them."""

    def __init__(
        self, where: Address, name: str, remember: Callable[[int], Position], forget: Callable[[int], None]
    ) -> None:
        """Ask to join. Raises StorageError when there is no topic for the shares, or no broker.

        When a share is taken away, `remember` is asked for its set first, if there is time; then `forget` is told.
        """
        self.own: set[int] = set()
        """The shares that are ours, and taken up."""
        self.given: list[int] = []
        """Those that the broker has given us, to be taken up."""
        self._where = Address(where.servers, f"{where.topic}.{name}")
        self._remember, self._forget = remember, forget
        self._begins: dict[int, int] = {}
        self._consumer = Consumer(
            client(where)
            | {
                "group.id": self._where.topic,
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(1000 * SESSION),
                "heartbeat.interval.ms": 1000,
            },
            logger=logger,
        )
        self._producer = Producer(client(where) | {"enable.idempotence": True, "acks": "all"}, logger=logger)
        self.shares = self._partitions()
        """How many there are."""
        self._consumer.subscribe(
            [self._where.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def _partitions(self) -> int:
        try:
            found = self._consumer.list_topics(self._where.topic, timeout=ANSWER).topics[self._where.topic]
        except KafkaException as error:
            raise away(self._where, error.args[0]) from error
        if found.error is not None or not found.partitions:
            raise StorageError(
                f"The topic {self._where.topic} at {self._where.servers} does not exist.",
                "Make it, with as many partitions as the group will ever have members, or more.",
            )
        return len(found.partitions)

    def poll(self) -> None:
        """Hear what the broker says of the shares."""
        with suppress(KafkaException):  # It is away; it will be back, or give our shares to others.
            self._consumer.poll(0.0)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self.given += [each.partition for each in partitions]

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        leaving = [each.partition for each in partitions if each.partition in self.own]
        self.keep(leaving)
        self._drop(partitions)
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._drop(partitions)
        consumer.incremental_unassign(partitions)

    def _drop(self, partitions: list[TopicPartition]) -> None:
        for share in (each.partition for each in partitions):
            self.given = [each for each in self.given if each != share]
            self._begins.pop(share, None)
            self.own.discard(share)
            self._forget(share)

    def kept(self, share: int) -> Kept | None:
        """Give what another member has left of a share; None where nobody has had it. Raises StorageError."""
        try:
            (found,) = self._consumer.committed([TopicPartition(self._where.topic, share)], ANSWER)
        except KafkaException as error:
            raise away(self._where, error.args[0]) from error
        if found.offset == OFFSET_INVALID or not found.metadata:
            return None
        data = _read_set(self._where, share, found.offset)
        return None if data is None else Kept(data, found.offset, int(found.metadata))

    def take(self, share: int, kept: Kept | None, shown: int) -> bool:
        """Call a share ours that was given to us, whose figures up to a message may be shown then; else ask again."""
        if kept is None:
            self.keep([share])
        elif self._commit({share: kept.begins}, shown):
            self._begins[share] = kept.begins
        if share not in self._begins:
            return False
        self.given.remove(share)
        self.own.add(share)
        return True

    def vouch(self, shown: int) -> bool:
        """Tell the broker that figures up to a message are shown; if it is told, they may be. Else ask again."""
        if not self.own or self._commit({share: self._begins[share] for share in self.own}, shown):
            return True
        self.poll()
        return False

    def _commit(self, begins: dict[int, int], shown: int) -> bool:
        """Commit where sets begin, and up to where is shown. False when the broker does not take it of us."""
        offsets = [TopicPartition(self._where.topic, share, each, str(shown)) for share, each in begins.items()]
        try:
            found = self._consumer.commit(offsets=offsets, asynchronous=False) or []
        except KafkaException:
            return False
        return not any(each.error for each in found)

    def keep(self, shares: Iterable[int]) -> None:
        """Write the sets of these shares of ours, and commit them. What cannot be kept now, is kept the next time."""
        remembered = {share: self._remember(share) for share in sorted(shares)}
        for share, begins in self._write({share: each.data for share, each in remembered.items()}).items():
            self._commit({share: begins}, remembered[share].offset)
            self._begins[share] = begins

    def _write(self, sets: dict[int, bytes]) -> dict[int, int]:
        """Give the offsets at which the sets of shares begin, of those that the broker took in time."""
        taken: dict[int, list[int]] = {share: [] for share in sets}
        counts = {share: self._produce(share, data, taken[share]) for share, data in sets.items()}
        self._producer.flush(PATIENCE)
        return {share: min(taken[share]) for share, count in counts.items() if len(taken[share]) == count}

    def _produce(self, share: int, data: bytes, taken: list[int]) -> int:
        """Send the parts of a set, and give how many there are; `taken` gets the offset of each that is there."""
        packed, name = zlib.compress(data, 1), token_hex(8)
        parts = [packed[start : start + PART] for start in range(0, len(packed), PART)]

        def acknowledged(error: KafkaError | None, message: Message) -> None:
            if error is None:
                taken.append(int(message.offset() or 0))

        for number, part in enumerate(parts):
            key = f"{name} {number} {len(parts)}"
            self._producer.produce(self._where.topic, part, key, share, acknowledged)
        return len(parts)

    def close(self) -> None:
        """Keep what is ours, and leave, so that others take it over at once."""
        self._consumer.close()


def _read_set(where: Address, share: int, begins: int) -> bytes | None:
    """Read the set that begins at an offset; None when the topic no longer has it. Raises StorageError."""
    reader = Reader(where, share)
    try:
        low, _ = reader.range()
        if begins < low:
            return None
        reader.seek(begins)
        name, parts = b"", []
        deadline = time.monotonic() + ANSWER
        while time.monotonic() < deadline:
            for key, part in reader.keyed(100, WAIT):
                own, _, count = key.split()
                name = name or own
                parts += [part] if own == name else []  # Another one is of a member that had been given up.
                if len(parts) == int(count):
                    return zlib.decompress(b"".join(parts))
    finally:
        reader.close()
    raise StorageError(f"The topic {where.topic} at {where.servers} does not give what is kept of share {share}.")
