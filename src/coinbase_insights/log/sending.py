"""The journal's lines into a topic, in their order and once each, however often either is away."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ..errors import StorageError
from ..message import Unstored
from ..wire.label import label
from .journal import encode, is_damage
from .kafka import Address, Reader, Sent, away, client
from .segment_reader import SegmentReader
from .segments import segments

logger = logging.getLogger(__name__)

SENT = "sent"
"""The file beside the journal's segments that says how far a topic has come."""
LINES, BYTES = 5_000, 4 * 2**20
"""What is on its way at once."""
PATIENCE = 5.0
"""Seconds without any acknowledgement after which the broker is said to be away; it is waited for all the same."""


def following(where: Address) -> int:
    """Give where a new journal begins that goes on behind a topic, whose older one was lost.

    That is 0 where the topic holds nothing; and where it is away, for what comes is to be kept all the same.
    """
    try:
        reader = Reader(where)
        try:
            last = reader.last()
        finally:
            reader.close()
    except StorageError as error:
        logger.error("%s", error.message)
        return 0
    return 0 if last is None else last.offset + 1


class Sending:
    """Sends the journal's lines to a topic, in their order, going on behind the last one that is there.

    A broker that is away is waited for; the journal grows meanwhile.
    """

    parts = 0
    """Data files that it has made: a topic has none."""

    def __init__(self, where: Address, journal: Path) -> None:
        """Ask nobody yet: the broker may be away when a service starts."""
        self._where = where
        self._journal, self._sent = journal, journal / SENT
        self._lock = threading.Lock()
        self._is_open = False
        self._failed: KafkaError | None = None
        self._producer: Producer | None = None
        self.landed = min((first for first, _ in segments(journal)), default=0)
        """Offset behind the last line that the broker has acknowledged, as far as is known."""

    def _open(self, until: int) -> None:
        """Look where the topic ends, and go on from there.

        Raises StorageError as `Reader` does, and when the journal, which ends at `until`, is not the topic's.
        """
        if self._producer is not None:  # What it still has would come behind what the next one sends.
            self._producer.purge()
            self._producer.flush(PATIENCE)
            self._producer = None
        reader = Reader(self._where)
        try:
            last, messages = reader.last(), reader.range()[1]
        finally:
            reader.close()
        if last is not None:
            if not self._has(last, until):
                raise StorageError(
                    f"The topic {self._where.topic} ends with line {last.offset} of a journal, and the journal in "
                    f"{self._journal}, which ends at {until}, does not have it: it is not the journal of this topic.",
                    "Name the right one after --journal, or another topic. A new journal goes on behind the topic.",
                )
            self.landed = last.offset + 1
        elif messages:  # It had some, and has forgotten them.
            self.landed = max(self.landed, self._noted())
        self._lines = SegmentReader(self._journal, self.landed)
        self._failed, self._is_open = None, True
        self._producer = Producer(
            client(self._where)
            | {
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                "acks": "all",
                "linger.ms": 20,
                "message.timeout.ms": 0,
                "message.max.bytes": 1_000_000,
            },
            logger=logger,
        )

    def _has(self, last: Sent, until: int) -> bool:
        """Tell whether the journal has this line; yes where nobody can tell, for it was dropped, or is damaged."""
        if last.offset >= until or last.offset < min((first for first, _ in segments(self._journal)), default=0):
            return last.offset < until
        (line,) = SegmentReader(self._journal, last.offset).read(last.offset + 1, 1, BYTES)
        return line.startswith(b"%b\t" % last.received_at) or is_damage(line)

    def land(self, until: int, told: Callable[[int], None] = lambda _: None) -> None:
        """Send all lines below an offset, and wait until they are acknowledged; `told` hears how far it has come.

        Raises StorageError when the broker has been silent for long. What is on its way stays on its way: the next
        call goes on waiting for it.
        """
        with self._lock:
            if not self._is_open or self._failed is not None:
                self._open(until)
            self._settle(told)
            while self._lines.offset < until:
                first = self._lines.offset
                for offset, line in enumerate(self._lines.read(until, LINES, BYTES), first):
                    self._send(offset, line)
                self._settle(told)

    def _open_producer(self) -> Producer:
        if self._producer is None:
            raise RuntimeError("nothing is sent before the topic was looked at")
        return self._producer

    def clean(self) -> None:
        """Nothing is to be cleaned: the broker forgets by itself."""

    def _send(self, offset: int, line: bytes) -> None:
        stamp, _, text = line.rstrip(b"\n").partition(b"\t")
        products = label(text).products
        key = next(iter(products)) if len(products) == 1 else None
        headers: list[tuple[str, str | bytes | None]] = [("received_at", stamp), ("offset", b"%d" % offset)]
        producer = self._open_producer()
        try:
            producer.produce(self._where.topic, text, key, 0, self._acknowledged, headers=headers)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                self._failed = error.args[0]
                raise away(self._where, error.args[0]) from error
            logger.error("a message of %d bytes is too large for the topic, and is left out", len(text))
            left_out = encode(Unstored(int(stamp), 1)).rstrip(b"\n").partition(b"\t")[2]
            producer.produce(self._where.topic, left_out, None, 0, self._acknowledged, headers=headers)

    def _acknowledged(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = self._failed or error
        elif self._failed is None:
            self.landed += 1

    def _settle(self, told: Callable[[int], None]) -> None:
        """Wait until all that is on its way is acknowledged."""
        producer = self._open_producer()
        before = landed = self.landed
        heard_at = time.monotonic()
        while self.landed < self._lines.offset and self._failed is None:
            producer.poll(0.05)
            if self.landed > landed:
                heard_at, landed = time.monotonic(), self.landed
                told(landed)
            if time.monotonic() - heard_at > PATIENCE:
                raise StorageError(f"The broker at {self._where.servers} acknowledges nothing.", "It is tried again.")
        if self._failed is not None:
            raise away(self._where, self._failed)  # Nobody knows what it has; the next call asks the topic.
        if self.landed > before:
            self._note()

    def _note(self) -> None:
        """Keep beside the journal how far the topic has come, for when it will have forgotten that itself."""
        partial = self._sent.with_suffix(".part")
        try:
            partial.write_text(f"{self.landed} {self._where.topic}\n")
            partial.replace(self._sent)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._sent, error.strerror)

    def _noted(self) -> int:
        try:
            landed, _, name = self._sent.read_text().strip().partition(" ")
        except (OSError, UnicodeDecodeError):
            return 0
        return int(landed) if name == self._where.topic and landed.isdecimal() else 0
