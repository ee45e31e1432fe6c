"""The Advanced Trade feed: wss://advanced-trade-ws.coinbase.com, an envelope around a list of events.

    {"channel":"ticker","timestamp":"2026-04-05T22:35:13.92532762Z","sequence_num":0,"events":[{"type":"snapshot",
     "tickers":[{"type":"ticker","product_id":"BTC-USD","price":"67468.26", ... "best_bid":"67468.26",
     "best_ask":"67469.62","best_bid_quantity":"0.00275905","best_ask_quantity":"0.17950856"}]}]}

Formats: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket. `sequence_num` counts every message of the
connection from 0: a hole is a lost message. A ticker has no time of its own; the envelope's is the server's at
sending. `ticker_batch` carries no best bid and ask here, so it can give no quote.
"""

import msgspec

from ..quote import Bad, Event, Heartbeat, Missed, Other, Refusal, Stale, Subscribed, read_quote, read_time
from .book import Book
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


class _Envelope(msgspec.Struct, gc=False):
    channel: str = ""
    timestamp: str = ""
    sequence_num: int | None = None
    events: list[_Event] = []
    type: str = ""
    message: str = ""


class _Head(msgspec.Struct):
    channel: str


class _Level(msgspec.Struct, gc=False):
    side: str
    price_level: str
    new_quantity: str


_envelope = msgspec.json.Decoder(_Envelope)
_head = msgspec.json.Decoder(_Head)
_levels = msgspec.json.Decoder(list[_Level])
KNOWN = ("ticker", "l2_data", "heartbeats", "subscriptions")
SAME_AS_BEFORE = -1


class Reader:
    """Reads one connection of the Advanced Trade feed."""

    def __init__(self, *, from_book: bool = False) -> None:
        """Take quotes from tickers, or from the level2 book, which is kept per product."""
        self._from_book = from_book
        self._books: dict[str, Book] = {}
        self._next: int | None = None

    def read(self, data: bytes) -> list[Event]:
        """Give what one message says; a message that was lost before it comes first."""
        envelope = decode(_envelope, data)
        if isinstance(envelope, Bad):
            return [self._unreadable(data, envelope)]
        if envelope.type == "error":
            return [Refusal(envelope.message, "")]
        if not envelope.channel:
            return [Bad("channel: missing")]
        missed = self._count(envelope.sequence_num)
        if missed == SAME_AS_BEFORE:
            return [Stale()]
        events = self._events(envelope)
        return [Missed(missed), *events] if missed else events

    def _unreadable(self, data: bytes, bad: Bad) -> Event:
        """A channel that we do not know may use our field names for something else: that is not a fault."""
        head = decode(_head, data)
        return bad if isinstance(head, Bad) or head.channel in KNOWN else Other(head.channel)

    def _count(self, number: int | None) -> int:
        """How many messages were lost before this one; -1 when it came before. 0 begins a new connection."""
        if number is None:
            return 0
        due, self._next = self._next, number + 1
        if due is None or number in (due, 0):
            return 0
        if number < due:
            self._next = due
            return SAME_AS_BEFORE
        for book in self._books.values():
            book.forget()
        return number - due

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
            return Bad("updates: " + levels.reason, event.product_id)
        book = self._books.setdefault(event.product_id, Book(event.product_id))
        if event.type == "snapshot":
            book.start((), ())
        fault = book.change((level.side == "bid", level.price_level, level.new_quantity) for level in levels)
        return fault or book.quote(time)


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
