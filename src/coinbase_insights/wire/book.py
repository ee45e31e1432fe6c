"""The top of an order book, kept from level2 messages.

A quote is given only when the best price or size of a side has changed: the rest of the book is nobody's best.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

import msgspec

from ..quote import CROSSED, Bad, Quote, is_number, read_quote

CROSSED_FOR = 5_000_000
"""Microseconds for which a book may stay crossed before a change must have been lost: Exchange numbers none."""
SLACK = 1024
"""Prices that may lie in a heap after they have left the book, before it is built anew."""


class Side:
    """One side of a book: what is offered at each price, and the best of the prices."""

    def __init__(self, sign: float) -> None:
        """Make an empty side; `sign` is -1 where the highest price is best, 1 where the lowest is."""
        self._sign = sign
        self._levels: dict[float, tuple[str, str]] = {}
        self._heap: list[float] = []

    def change(self, price: str, size: str) -> bool:
        """Set how much there is at a price; zero takes the price away. False when one of them is no number."""
        if not is_number(price) or not (digits := is_number(size)) or len(price) > 40 or len(size) > 40:
            return False
        key = self._sign * float(price)
        if digits.strip("0") == "":
            self._levels.pop(key, None)
        else:
            if key not in self._levels:
                heappush(self._heap, key)
            self._levels[key] = (price, size)
        if len(self._heap) > 2 * len(self._levels) + SLACK:
            self._heap = list(self._levels)
            heapify(self._heap)
        return True

    def levels(self) -> list[tuple[str, str]]:
        """Give every price with its size."""
        return list(self._levels.values())

    def best(self) -> tuple[str | None, str | None]:
        """Give the best price and its size, as text; None where the side is empty."""
        while self._heap and self._heap[0] not in self._levels:
            heappop(self._heap)
        return self._levels[self._heap[0]] if self._heap else (None, None)


class BookMemory(msgspec.Struct):
    """All that a book remembers, to go on with it later."""

    is_whole: bool
    needs_snapshot: bool
    crossed_since: int | None
    told: tuple[str | None, ...]
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Book:
    """The order book of one product, from a snapshot on."""

    def __init__(self, product_id: str) -> None:
        """Make a book that waits for its snapshot."""
        self._product_id = product_id
        self._is_whole = False
        self.needs_snapshot = False
        """Whether a change was lost since the last snapshot."""
        self.forget()

    def forget(self) -> None:
        """A message was lost: the book can no longer be trusted and gives no quote until the next snapshot."""
        self._bids, self._asks = Side(-1.0), Side(1.0)
        self.needs_snapshot = self.needs_snapshot or self._is_whole
        self._is_whole = False
        self._crossed_since: int | None = None
        self._told: tuple[str | None, ...] = ()

    def start(self, bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]) -> Bad | None:
        """Begin with a snapshot."""
        self.forget()
        self._is_whole, self.needs_snapshot = True, False
        levels = [(True, *level) for level in bids] + [(False, *level) for level in asks]
        return self.change(levels)

    def change(self, changes: Iterable[tuple[bool, str, str]]) -> Bad | None:
        """Apply (is a bid, price, new size) in their order; one that cannot be read ends the trust in the book."""
        for is_bid, price, size in changes:
            if not (self._bids if is_bid else self._asks).change(price, size):
                self.forget()
                return Bad("level: price or size not a number", self._product_id)
        return None

    def save(self) -> BookMemory:
        """Give all that it remembers."""
        bids, asks = self._bids.levels(), self._asks.levels()
        return BookMemory(self._is_whole, self.needs_snapshot, self._crossed_since, self._told, bids, asks)

    def load(self, memory: BookMemory) -> None:
        """Go on where it was saved."""
        self.start(memory.bids, memory.asks)
        self._is_whole, self.needs_snapshot = memory.is_whole, memory.needs_snapshot
        self._crossed_since, self._told = memory.crossed_since, memory.told

    def quote(self, time: int) -> Quote | Bad | None:
        """Give the best prices if they are not those given last; None also while there is no snapshot."""
        if not self._is_whole:
            return None
        top = (*self._bids.best(), *self._asks.best())
        if top == self._told:
            return None
        self._told = top
        quote = read_quote(self._product_id, time, None, *top)
        if not isinstance(quote, Bad) or quote.reason != CROSSED:
            self._crossed_since = None
        elif self._crossed_since is None:
            self._crossed_since = time
        elif time - self._crossed_since > CROSSED_FOR:
            self.forget()
        return quote


class Books:
    """The books of one connection, by product."""

    def __init__(self) -> None:
        """Begin with none."""
        self._books: dict[str, Book] = {}

    def of(self, product_id: str) -> Book:
        """Give the book of a product; one that waits for its snapshot if there was none."""
        return self._books.get(product_id) or self._books.setdefault(product_id, Book(product_id))

    def save(self) -> dict[str, BookMemory]:
        """Give all that they remember."""
        return {product_id: book.save() for product_id, book in self._books.items()}

    def load(self, memory: dict[str, BookMemory]) -> None:
        """Go on where they were saved."""
        for product_id, book in memory.items():
            self.of(product_id).load(book)

    def forget(self) -> None:
        """A message was lost, and nobody knows of which book it was."""
        for book in self._books.values():
            book.forget()

    @property
    def needs_snapshot(self) -> bool:
        """Whether any of the books has lost a change."""
        return any(book.needs_snapshot for book in self._books.values())


class ReaderMemory(msgspec.Struct):
    """All that a reader of either feed remembers; the numbers are those of Advanced Trade's messages."""

    is_advanced: bool
    books: dict[str, BookMemory]
    next_number: int | None = None
    due: int = 0
    told_at: str = ""
    leapt_to: int | None = None
