"""The Advanced Trade feed: wss://advanced-trade-ws.coinbase.com, an envelope around a list of events.

    {"channel":"ticker","timestamp":"2026-04-05T22:35:13.92532762Z","sequence_num":0,"events":[{"type":"snapshot",
     "tickers":[{"type":"ticker","product_id":"BTC-USD","price":"67468.26", ... "best_bid":"67468.26",
     "best_ask":"67469.62","best_bid_quantity":"0.00275905","best_ask_quantity":"0.17950856"}]}]}

Formats: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket. `sequence_num` counts every message of the
connection from 0: a hole is a lost message. A ticker has no time of its own; the envelope's is the server's at
sending. `ticker_batch` carries no best bid and ask here, so it can give no quote.
"""

from typing import Literal

import msgspec

from ..quote import Bad, Event, Heartbeat, Missed, Other, Refusal, Stale, Subscribed, read_quote, read_time
from .book import Books, ReaderMemory
from .text import Number, decode


class _Ticker(msgspec.Struct, gc=False):
    product_id: str = ""
    best_bid: Number = None
    best_bid_quantity: Number = None
    best_ask: Number = None
    best_ask_quantity: Number = None


class _Event(msgspec.Struct, gc=False):
    """The fields of the events of all channels; `Raw` is read only when its channel is wanted."""

    type: str = ""
    product_id: str = ""
    tickers: list[_Ticker] = []
    updates: msgspec.Raw = msgspec.Raw(b"[]")
    subscriptions: dict[str, list[str]] = {}
    heartbeat_counter: int | str | None = None


class _Head(msgspec.Struct, gc=False):
    channel: str = ""
    timestamp: str = ""
    sequence_num: int | None = None
    type: str = ""
    message: str = ""


class _Envelope(_Head, gc=False):
    events: list[_Event] = []


class _Level(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: str
    new_quantity: str


_envelope = msgspec.json.Decoder(_Envelope)
_head = msgspec.json.Decoder(_Head)
_levels = msgspec.json.Decoder(list[_Level])
KNOWN = ("ticker", "l2_data", "heartbeats", "subscriptions")
SAME_AS_BEFORE = -1
MOST_MISSED = 10_000
"""Messages that can have been lost at once without the connection being lost too."""


class Reader:
    """Reads one connection of the Advanced Trade feed."""

    def __init__(self, *, from_book: bool = False) -> None:
        """Take quotes from tickers, or from the level2 book, which is kept per product."""
        self._from_book = from_book
        self._books = Books()
        self._next: int | None = None
        self._due = 0
        self._told_at = ""
        """The timestamp of the newest message."""
        self._leapt_to: int | None = None

    @property
    def needs_snapshot(self) -> bool:
        """Whether a change of an order book was lost, so that no quote comes of it before a new snapshot."""
        return self._books.needs_snapshot

    def save(self) -> ReaderMemory:
        """Give all that it remembers."""
        books = self._books.save()
        return ReaderMemory(True, books, self._next, self._due, self._told_at, self._leapt_to)

    def load(self, memory: ReaderMemory) -> None:
        """Go on where it was saved."""
        self._books.load(memory.books)
        self._next, self._due = memory.next_number, memory.due
        self._told_at, self._leapt_to = memory.told_at, memory.leapt_to

    def forget(self) -> None:
        """Messages were lost on the way here: no book is trusted before a new snapshot, and numbers begin anew."""
        self._books.forget()
        self._next = self._leapt_to = None

    def read(self, data: bytes) -> list[Event]:
        """Give what one message says; a message that was lost before it comes first."""
        envelope = decode(_envelope, data)
        head: _Head | Bad = envelope
        if isinstance(envelope, Bad):
            head = decode(_head, data)
        if isinstance(head, Bad):
            self._books.forget()
            return [envelope if isinstance(envelope, Bad) else head]
        if head.type == "error":
            return [Refusal(head.message, "")]
        if not head.channel:
            return [Bad("channel: missing")]
        missed = self._count(head.sequence_num, head.timestamp)
        if missed == SAME_AS_BEFORE:
            return [Stale()]
        if missed > MOST_MISSED and not self._is_confirmed(head.sequence_num or 0):
            return [Bad("sequence_num: a leap")]
        events = [self._unreadable(head, envelope)] if isinstance(envelope, Bad) else self._events(envelope)
        return [Missed(missed), *events] if missed else events

    def _unreadable(self, head: _Head, bad: Bad) -> Event:
        """A channel that we do not know may use our field names for something else: that is not a fault."""
        if head.channel not in KNOWN:
            return Other(head.channel)
        self._books.forget()
        return bad

    def _count(self, number: int | None, timestamp: str) -> int:
        """How many messages were lost before this one; -1 when it came before.

        0 begins a new connection, unless it is older than what has come: then it came again.
        """
        if number is None:
            return 0
        due, self._next = self._next, number + 1
        before, self._told_at = self._told_at, timestamp
        if due is None or number == due or (number == 0 and _is_later(timestamp, before)):
            return 0
        if number < due:
            self._next, self._told_at = due, before
            return SAME_AS_BEFORE
        self._books.forget()
        self._due = due
        return number - due

    def _is_confirmed(self, number: int) -> bool:
        """A number far ahead is believed when the next message goes on from it; till then nothing is called lost."""
        if self._leapt_to is not None and number == self._leapt_to + 1:
            return True
        self._leapt_to, self._next = number, self._due
        return False

    def _events(self, envelope: _Envelope) -> list[Event]:
        channel = envelope.channel
        if channel == "subscriptions":
            pairs = ((name, p) for event in envelope.events for name, ids in event.subscriptions.items() for p in ids)
            return [Subscribed(frozenset(pairs))]
        wanted = "l2_data" if self._from_book else "ticker"
        if channel not in (wanted, "heartbeats"):
            return [Other(channel)]
        time = read_time(envelope.timestamp)
        if time is None:
            return [Bad("timestamp: not a time with a zone" if envelope.timestamp else "timestamp: missing")]
        if channel == "heartbeats":
            return [_heartbeat(envelope, time)]
        return (self._level2(envelope, time) if self._from_book else _quotes(envelope, time)) or [Other(channel)]

    def _level2(self, envelope: _Envelope, time: int) -> list[Event]:
        return [top for event in envelope.events if (top := self._top(event, time)) is not None]

    def _top(self, event: _Event, time: int) -> Event | None:
        levels = decode(_levels, event.updates)
        if isinstance(levels, Bad):
            self._books.forget()
            return Bad("updates: " + levels.reason, event.product_id)
        book = self._books.of(event.product_id)
        if event.type == "snapshot":
            book.start((), ())
        fault = book.change((level.side == "bid", level.price_level, level.new_quantity) for level in levels)
        return fault or book.quote(time)


def _is_later(timestamp: str, before: str) -> bool:
    return (read_time(timestamp) or 0) > (read_time(before) or 0)


def _quotes(envelope: _Envelope, time: int) -> list[Event]:
    return [
        read_quote(t.product_id, time, None, t.best_bid, t.best_bid_quantity, t.best_ask, t.best_ask_quantity)
        for event in envelope.events
        for t in event.tickers
        if t.product_id  # Entries without a product have been seen.
    ]


def _heartbeat(envelope: _Envelope, time: int) -> Event:
    counter = envelope.events[0].heartbeat_counter if envelope.events else None
    if isinstance(counter, str):  # The docs once showed it as text.
        counter = int(counter) if counter.isascii() and counter.isdecimal() and len(counter) < 20 else None
    return Heartbeat(None, time, counter)
