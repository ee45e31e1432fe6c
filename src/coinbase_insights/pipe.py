"""The pipe between a source and a sink: messages in, insights out. No clock, no I/O.

    message -> wire -> quote -> engine -> insight

What is not folded is counted by its reason. Every message is counted once: received = good + duplicates + bad + other.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from .clock import Clock
from .engine.product import Product
from .message import Item, Line, Lost, Message


from .quote import Bad, Event, Heartbeat, Missed, Other, Quote, Refusal, Stale, Subscribed
from .wire import Reader, is_advanced, reader

HOLD = 3_000_000_000
"""Nanoseconds for which the first quotes wait for a heartbeat to tell the exchange's time of the start."""
MOST_HELD = 1000
SILENCE = 60_000_000_000
"""Nanoseconds without any message after which the line must have been down, whatever the source says."""
MOST_KINDS = 50
"""Names of kinds of messages that are counted one by one."""

@dataclass(slots=True)
class Counts:
    """What has come in since the start, by what became of it."""

    received: int = 0
    """Messages; each is counted in exactly one of the next four."""
    good: int = 0
    duplicates: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    """By reason."""
    other: Counter[str] = field(default_factory=Counter)
    """Fine, but not about our prices; by kind."""
    quotes: int = 0
    """Folded."""
    before_start: int = 0
    """Quotes of the time before the start: shown as last known, not folded."""
    missed: int = 0
    """Messages that the exchange sent, by its own count, and that did not reach us."""
    reconnects: int = 0
    gaps: int = 0
    """Times that the line was down, or a message was lost."""


class Pipe:
    """Takes what a source gives and keeps every product's figures."""

    def __init__(
        self, product_ids: Sequence[str] = (), *, channel: str = "ticker_batch", forecaster: str = "tilt"
    ) -> None:
        """Follow these products, or all that come if none is named; `channel` level2 takes quotes from the book."""
        self.counts = Counts()
        self.products: dict[str, Product] = {}
        self.last_known: dict[str, Quote] = {}
        """The newest valid quote of each product, folded or not."""
        self.subscribed: Subscribed | None = None
        self.refusal: Refusal | None = None
        """The newest word of the exchange about what it will not do."""
        self.product_ids = tuple(product_ids)
        """Those that were named; empty where all that come are followed."""
        self._wanted = {product_id: product_id for product_id in product_ids}
        for product_id in product_ids:  # X-USDC and X-USD are one book, and Advanced Trade calls it X-USD.
            if product_id.endswith("-USDC"):
                self._wanted.setdefault(product_id.removesuffix("C"), product_id)
        self._from_book = channel == "level2"
        self._forecaster = forecaster
        self._reader: Reader | None = None
        self._clock = Clock()
        self._held: list[tuple[Quote, int]] = []
        self._first_received = 0
        self._last_received = 0
        self._start: int | None = None
        self._heard_until = 0
        self._beats: dict[str | None, Heartbeat] = {}
        self._missed_since_beat = 0
        self._is_up = False

    def take(self, item: Item) -> Iterator[Product]:
        """Take one item, and give a product right after each of its quotes that was folded."""
        for quote, received_at in self._quotes(item):
            product = self.products[quote.product_id]
            product.update(quote, received_at)
            self.counts.quotes += 1
            yield product

    def finish(self) -> Iterator[Product]:
        """The source has ended: fold what still waits for a heartbeat, and give each product right after."""
        held = [] if self._start is not None else self._begin()
        for quote, received_at in held:
            self.products[quote.product_id].update(quote, received_at)
            self.counts.quotes += 1
            yield self.products[quote.product_id]

    def _quotes(self, item: Item) -> list[tuple[Quote, int]]:
        """Give the quotes to be folded now."""
        if not self._first_received:
            self._first_received = item.received_at
        if not isinstance(item, Message):
            self._line(item)
            return []
        if item.received_at - self._last_received > SILENCE and self._last_received:
            self._break()
        self._last_received = item.received_at
        quotes = self._read(item)
        if self._start is not None:
            return quotes
        self._held += quotes
        is_over = item.received_at - self._first_received >= HOLD or len(self._held) >= MOST_HELD
        if self._clock.start is not None or is_over:
            return self._begin()
        return []

    def _begin(self) -> list[tuple[Quote, int]]:
        """Now the exchange's time of our start is known: let go the quotes that waited for it."""
        start = self._clock.start
        self._start = self._first_received // 1000 if start is None else start
        held, self._held = self._held, []
        return [(quote, at) for quote, at in held if self._is_after_start(quote)]

    def _is_after_start(self, quote: Quote) -> bool:
        if self._start is None or quote.time > self._start:
            return True
        self.counts.before_start += 1
        return False

    def _line(self, item: Line) -> None:
        """A connection has begun, or has ended."""
        if isinstance(item, Lost):
            self._break()
            return
        if self._reader is not None:
            self.counts.reconnects += 1
            self._break()
        self._reader = None
        self._beats.clear()
        self._missed_since_beat = 0

    def _break(self) -> None:
        """The line was down: until what was heard last, the last quotes held; after it nothing is known."""
        if self._is_up:
            self.counts.gaps += 1
            self._is_up = False
        for product in self.products.values():
            product.break_line(self._heard_until)

    def _read(self, message: Message) -> list[tuple[Quote, int]]:
        """Read one message, count it, and give its quotes that are new, believed and wanted."""
        self.counts.received += 1
        if self._reader is None:
            self._reader = reader(is_advanced(message.data), from_book=self._from_book)
        self._is_up = True
        received_at = message.received_at
        quotes = []
        worst: Event | None = None
        for event in self._reader.read(message.data):
            outcome = self._check(event, received_at) if isinstance(event, Quote) else self._note(event, received_at)
            if isinstance(outcome, Quote):
                quotes.append((outcome, received_at))
            if worst is None or _WEIGHT[type(outcome)] > _WEIGHT[type(worst)]:
                worst = outcome
        self._count(worst)
        return quotes if self._start is None else [pair for pair in quotes if self._is_after_start(pair[0])]

    def _count(self, outcome: Event | None) -> None:
        counts = self.counts
        if isinstance(outcome, Bad):
            counts.bad[outcome.reason] += 1
        elif isinstance(outcome, Stale):
            counts.duplicates += 1
        elif isinstance(outcome, Other):
            kind = outcome.kind[:40]
            counts.other[kind if kind in counts.other or len(counts.other) < MOST_KINDS else "others"] += 1
        else:
            counts.good += 1

    def _check(self, quote: Quote, received_at: int) -> Event:
        """Is the quote of a product that is wanted, new, and of a time that can be?"""
        product_id = self._wanted.get(quote.product_id) if self._wanted else quote.product_id
        if product_id is None:
            return Other("another product")
        if product_id != quote.product_id:
            quote = structs.replace(quote, product_id=product_id)
        last = self.last_known.get(product_id)
        if last is not None and _is_old(quote, last):
            return Stale()
        if not self._clock.believes(quote.time, received_at // 1000):
            return Bad("time: more than 60 s in the future", product_id)
        product = self.products.get(product_id)
        if product is None:
            product = self.products[product_id] = Product(product_id, self._forecaster)
        if not product.accepts(quote):
            return Bad("price: too many digits", product_id)
        self.last_known[product_id] = quote
        if quote.time > self._heard_until:
            self._heard_until = quote.time
        return quote

    def _note(self, event: Event, received_at: int) -> Event:
        """Take note of what is no quote."""
        if isinstance(event, Heartbeat):
            return self._beat(event, received_at)
        if isinstance(event, Missed):
            self.counts.missed += event.count
            self._missed_since_beat += event.count
            self._break()
        elif isinstance(event, Subscribed):
            self.subscribed = event
        elif isinstance(event, Refusal):
            self.refusal = event
        return event

    def _beat(self, beat: Heartbeat, received_at: int) -> Event:
        if not self._clock.heard(beat.time, received_at // 1000):
            return Bad("time: more than 60 s off", beat.product_id)
        last = self._beats.get(beat.product_id)
        if last is not None and beat.time <= last.time:
            return Stale()
        if last is not None:
            self.counts.missed += max(0, _beats_between(last, beat) - self._missed_since_beat)
        self._missed_since_beat = 0
        self._beats[beat.product_id] = beat
        self._heard_until = max(self._heard_until, beat.time)
        return beat


_WEIGHT: dict[type[Event], int] = {
    Other: 0, Missed: 0, Stale: 1, Subscribed: 2, Refusal: 2, Heartbeat: 2, Quote: 2, Bad: 3,
}  # fmt: skip
"""Which of several things that one message says decides what the message is counted as."""


def _is_old(quote: Quote, last: Quote) -> bool:
    """Tell whether the quote says nothing new: its sequence is not above the last one of its product.

    A lower sequence with a later time is the exchange counting anew, not an old message.
    """
    if quote.sequence is None or last.sequence is None or quote.sequence > last.sequence:
        return False
    return quote.sequence == last.sequence or quote.time <= last.time


def _beats_between(last: Heartbeat, beat: Heartbeat) -> int:
    """How many heartbeats, one a second, should have come between two that did."""
    if beat.counter is not None and last.counter is not None:
        return max(0, beat.counter - last.counter - 1)
    return max(0, round((beat.time - last.time) / 1e6) - 1)
