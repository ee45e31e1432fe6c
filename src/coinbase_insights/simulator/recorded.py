"""A market that is a recording: what it holds, for REST, for refusals, and for whoever plays it.

The recording is read through once at the start and again for every client; it is never kept in memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import RecordingError
from ..log import journal
from ..message import Item, Message
from ..wire.label import ACKNOWLEDGEMENT, ERROR, HEARTBEATS, Label, label
from .digits import SIZE_DECIMALS, whole
from .events import Day, Trade
from .history import Bar
from .market import Standing
from .product import Product

EARLY = 2_000_000_000
"""Nanoseconds in which the recorded client was still subscribing."""


class _Ticker(msgspec.Struct):
    product_id: str = ""
    sequence: int = 0
    price: str = ""
    best_bid: str = ""
    best_ask: str = ""
    best_bid_size: str = ""
    best_ask_size: str = ""
    best_bid_quantity: str = ""
    best_ask_quantity: str = ""
    side: str = "buy"
    trade_id: int = 0
    last_size: str = "0"
    volume_24h: str = "0"
    volume_24_h: str = "0"


class _Event(msgspec.Struct):
    tickers: list[_Ticker] = []


class _Frame(_Ticker):
    events: list[_Event] = []


class Recording:
    """The frames of one connection, or of several in a row, to one of the two feeds."""

    def __init__(self, path: Path, read: Callable[[Path], Iterator[Item]] = journal.read) -> None:
        """Read through a recording, with what can read it. Raises RecordingError when no frame of Coinbase is in it."""
        self._path = path
        self._read = read
        self.dialect = ""
        self.heartbeats = False
        self.acknowledgements = 0
        """How many acknowledgements stand in the first two seconds."""
        self.first: dict[str, Label] = {}
        """The first label of each product that carries a sequence."""
        self._decimals: dict[str, int] = {}
        self._tickers: dict[str, tuple[int, _Ticker]] = {}
        self._scan()
        if not self.dialect:
            raise RecordingError(f"{path} holds no frame of Coinbase.", "Recordings are made with `run --record PATH`.")
        self.products = {name: Product(name, decimals) for name, decimals in self._decimals.items()}

    def _scan(self) -> None:
        started_at = None
        for message in self.messages():
            if started_at is None:
                started_at = message.received_at
            read = label(message.data)
            self.dialect = self.dialect or read.dialect
            self.heartbeats = self.heartbeats or read.channel in HEARTBEATS
            early = message.received_at - started_at < EARLY
            self.acknowledgements += read.channel == ACKNOWLEDGEMENT and early
            if read.channel not in (ACKNOWLEDGEMENT, ERROR):
                self._note(message, read)
        self.started_at = started_at or 0
        self.time = self.started_at // 1000

    def _note(self, message: Message, read: Label) -> None:
        for product_id in read.products:
            self._decimals.setdefault(product_id, 0)
            if read.sequence:
                self.first.setdefault(product_id, read)
        if read.channel in ("ticker", "ticker_batch"):
            for ticker in _tickers(message.data):
                self._note_ticker(message.received_at, ticker)

    def _note_ticker(self, received_at: int, ticker: _Ticker) -> None:
        if ticker.product_id not in self._decimals:
            return
        self._tickers.setdefault(ticker.product_id, (received_at, ticker))
        seen = max(_decimals(ticker.best_bid), _decimals(ticker.best_ask))
        self._decimals[ticker.product_id] = max(self._decimals[ticker.product_id], seen)

    def messages(self) -> Iterator[Message]:
        """Give every frame in order. Raises RecordingError when the file has gone."""
        return (item for item in self._read(self._path) if isinstance(item, Message))

    def find(self, product_id: str) -> Product | None:
        """Give a product that the recording shows; None for any other."""
        return self.products.get(product_id)

    def standing(self, product_id: str) -> Standing | None:
        """Say where a product stands at its first ticker; None when it has none, or one without prices."""
        found = self._tickers.get(product_id)
        if found is None:
            return None
        received_at, ticker = found
        try:
            trade = _trade(received_at // 1000, ticker, self._decimals[product_id])
        except ValueError:
            return None
        bids, asks = ((trade.best_bid, trade.best_bid_size),), ((trade.best_ask, trade.best_ask_size),)
        return Standing(trade, bids, asks, (trade,))

    def candles(self, product_id: str, seconds: int) -> list[Bar]:
        """Give nothing: a recording does not know what was before it."""
        return []


_decoder = msgspec.json.Decoder(_Frame)


def _tickers(data: bytes) -> list[_Ticker]:
    """Read the tickers of a frame of either feed; none when a field is not what it should be."""
    try:
        frame = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return [frame] if frame.product_id else [ticker for event in frame.events for ticker in event.tickers]


def _decimals(price: str) -> int:
    return len(price.partition(".")[2])


def _trade(time: int, ticker: _Ticker, decimals: int) -> Trade:
    """Take a ticker for the trade that it tells of. Raises ValueError when a price is missing."""
    price = whole(ticker.price, decimals)
    volume = whole(ticker.volume_24h if ticker.volume_24h != "0" else ticker.volume_24_h, SIZE_DECIMALS)
    return Trade(
        time=time,
        product_id=ticker.product_id,
        sequence=ticker.sequence,
        trade_id=ticker.trade_id,
        price=price,
        size=whole(ticker.last_size, SIZE_DECIMALS),
        side=ticker.side,
        best_bid=whole(ticker.best_bid, decimals),
        best_bid_size=whole(ticker.best_bid_size or ticker.best_bid_quantity or "0", SIZE_DECIMALS),
        best_ask=whole(ticker.best_ask, decimals),
        best_ask_size=whole(ticker.best_ask_size or ticker.best_ask_quantity or "0", SIZE_DECIMALS),
        day=Day(price, price, price, volume, volume),
    )
