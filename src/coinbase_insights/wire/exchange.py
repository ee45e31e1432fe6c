"""The Exchange feed: wss://ws-feed.exchange.coinbase.com, one JSON object a message, told apart by `type`.

    {"type":"ticker","sequence":48147127815,"product_id":"ETH-USD","price":"1660.58", ... "best_bid":"1660.57",
     "best_bid_size":"0.67796111","best_ask":"1660.58","best_ask_size":"20.70876345","side":"buy",
     "time":"2023-08-19T09:31:34.879915Z","trade_id":466390072,"last_size":"0.00299594"}

Formats: docs.cdp.coinbase.com/exchange/websocket-feed/channels. `ticker` and `ticker_batch` look the same. Best bid
and ask of a ticker are those at the trade of its `time`. Holes in `sequence` are normal here and no loss.
"""

from typing import Literal

import msgspec

from ..quote import Bad, Event, Heartbeat, Other, Refusal, Subscribed, read_quote, read_time
from .book import Books, ReaderMemory
from .text import Number, decode

ALIASES = {"ticker_1000": "ticker_batch", "level2_50": "level2_batch", "level2": "level2_batch"}
"""The exchange acknowledges some channels under an older name."""


class _Type(msgspec.Struct):
    type: str


class _Message(msgspec.Struct):
    """The fields of all types that we use; the rest is passed over. `Raw` is read only when its type needs it."""

    type: str
    product_id: str | None = None
    sequence: int | str | None = None
    time: str | None = None
    best_bid: Number = None
    best_bid_size: Number = None
    best_ask: Number = None
    best_ask_size: Number = None
    message: str | None = None
    reason: str | None = None
    channels: msgspec.Raw = msgspec.Raw()
    bids: msgspec.Raw = msgspec.Raw()
    asks: msgspec.Raw = msgspec.Raw()
    changes: msgspec.Raw = msgspec.Raw()


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


_type = msgspec.json.Decoder(_Type)
_message = msgspec.json.Decoder(_Message)
_channels = msgspec.json.Decoder(list[_Channel])
_levels = msgspec.json.Decoder(list[tuple[str, str]])
_changes = msgspec.json.Decoder(list[tuple[Literal["buy", "sell"], str, str]])


class Reader:
    """Reads one connection of the Exchange feed."""

    def __init__(self, *, from_book: bool = False) -> None:
        """Take quotes from tickers, or from the level2 book, which is kept per product."""
        self._from_book = from_book
        self._books = Books()

    @property
    def needs_snapshot(self) -> bool:
        """Whether a change of an order book was lost, so that no quote comes of it before a new snapshot."""
        return self._books.needs_snapshot

    def save(self) -> ReaderMemory:
        """Give all that it remembers."""
        return ReaderMemory(is_advanced=False, books=self._books.save())

    def load(self, memory: ReaderMemory) -> None:
        """Go on where it was saved."""
        self._books.load(memory.books)

    def forget(self) -> None:
        """Messages were lost on the way here: no book is trusted before a new snapshot."""
        self._books.forget()

    def read(self, data: bytes) -> list[Event]:
        """Give what one message says."""
        message = decode(_message, data)
        if isinstance(message, Bad):
            return [self._unreadable(data, message)]
        if message.type == "ticker":
            return [Other("ticker") if self._from_book else _ticker(message)]
        if message.type == "heartbeat":
            return [_heartbeat(message)]
        if message.type in ("snapshot", "l2update") and self._from_book:
            return [self._level2(message)]
        if message.type == "subscriptions":
            return [_subscribed(message)]
        if message.type == "error":
            return [Refusal(message.message or "", message.reason or "")]
        return [Other(message.type)]

    def _unreadable(self, data: bytes, bad: Bad) -> Event:
        """A type that we do not know may use our field names for something else: that is not a fault."""
        head = decode(_type, data)
        known = ("ticker", "heartbeat", "snapshot", "l2update", "subscriptions", "error")
        if not isinstance(head, Bad) and head.type not in known:
            return Other(head.type)
        self._books.forget()
        return bad

    def _level2(self, message: _Message) -> Event:
        product_id = message.product_id
        if not product_id:
            return Bad("product_id: missing")
        book = self._books.of(product_id)
        if message.type == "snapshot":
            bids, asks = decode(_levels, message.bids), decode(_levels, message.asks)
            if isinstance(bids, Bad) or isinstance(asks, Bad):
                book.forget()
                return Bad("bids or asks: not levels", product_id)
            fault = book.start(bids, asks)
        else:
            changes = decode(_changes, message.changes)
            if isinstance(changes, Bad):
                book.forget()
                return Bad("changes: not levels", product_id)
            fault = book.change((side == "buy", price, size) for side, price, size in changes)
        if fault is not None:
            return fault
        time = read_time(message.time or "")
        if time is None:  # Snapshots had no time in 2021; the first update brings one.
            return Other(message.type) if message.type == "snapshot" else Bad(_time_fault(message), product_id)
        return book.quote(time) or Other(message.type)


def _ticker(message: _Message) -> Event:
    product_id = message.product_id
    if not product_id:
        return Bad("product_id: missing" if product_id is None else "product_id: empty")
    sequence = _sequence(message.sequence)
    if sequence is None:
        return Bad("sequence: missing" if message.sequence is None else "sequence: not a number", product_id)
    time = read_time(message.time or "")
    if time is None:
        return Bad(_time_fault(message), product_id)
    return read_quote(
        product_id, time, sequence, message.best_bid, message.best_bid_size, message.best_ask, message.best_ask_size
    )


def _time_fault(message: _Message) -> str:
    if message.time is None:
        return "time: missing"
    return "time: not a time with a zone" if message.time else "time: empty"


def _sequence(value: int | str | None) -> int | None:
    """The number, exactly, whether it came as a number or as text; None when it is neither."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdecimal() and len(value) < 40 else None
    return value if value is not None and value >= 0 else None


def _heartbeat(message: _Message) -> Event:
    time = read_time(message.time or "")
    if not message.product_id:
        return Bad("product_id: missing")
    return Bad(_time_fault(message), message.product_id) if time is None else Heartbeat(message.product_id, time)


def _subscribed(message: _Message) -> Event:
    channels = decode(_channels, message.channels)
    if isinstance(channels, Bad):
        return Bad("channels: not a list of channels")
    return Subscribed(
        frozenset((ALIASES.get(channel.name, channel.name), p) for channel in channels for p in channel.product_ids)
    )
