"""The pipe between a source and a sink: messages in, insights out. No clock, no I/O.

    message -> wire -> quote -> engine -> insight

What is not folded is counted by its reason. Every message is counted once: received = good + duplicates + bad + other.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from msgspec import structs

from .clock import Clock
from .counts import Counts
from .engine.product import Product
from .memory import PipeMemory
from .message import Item, Line, Message, Opened, Unstored
from .quote import Bad, Event, Heartbeat, Missed, Other, Quote, Refusal, Stale, Subscribed, book_of, is_product_id
from .wire import Reader, is_advanced, reader

HOLD = 3_000_000_000
"""Nanoseconds for which the first quotes wait for a heartbeat to tell the exchange's time of the start."""
MOST_HELD = 1000
SILENCE = 60_000_000_000
"""Nanoseconds without any message after which the line must have been down, whatever the source says."""
BATCH = 5_000_000
"""Microseconds that a quote of `ticker_batch` may wait at the exchange before it is sent."""
TOO_MANY_DIGITS = "price: too many digits"


class Pipe:
    """Takes what a source gives and keeps every product's figures."""

    def __init__(
        self,
        product_ids: Sequence[str] = (),
        *,
        channel: str = "ticker_batch",
        forecaster: str = "tilt",
        product: Callable[[str, str], Product] = Product,
        holds: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Follow these products, or all that come if none is named; `channel` level2 takes quotes from the book.

        `product` makes what folds the quotes of a product with a forecaster. Where `holds` says no of a product,
        somebody else folds it, and its quotes only tell what time it is.
        """
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
        for product_id in product_ids:
            self._wanted.setdefault(book_of(product_id), product_id)
        self._by_own_name: set[str] = set()
        """Of the wanted, those that came under their own name: no alias is taken for them any more."""
        self._from_book = channel == "level2"
        self._lag = BATCH if channel == "ticker_batch" else 0
        self._forecaster = forecaster
        self._product = product
        self._holds = holds
        self._reader: Reader | None = None
        self._is_advanced: bool | None = None
        self._clock = Clock()
        self._held: list[tuple[Quote | None, int, int]] = []
        """Quotes, when they reached us, and the number of their message; without a quote, until when (exchange time) a
        lost line was heard."""
        self.first_received = 0
        """When the first item reached us, and the newest: nanoseconds, 0 before."""
        self.last_received = 0
        self._opened_at: int | None = None
        """When we began to listen, by our clock (microseconds)."""
        self._start: int | None = None
        self._is_start_guessed = False
        """Whether it is by our own clock, for want of a heartbeat; the first that comes puts it right."""
        self._beats: dict[str | None, Heartbeat] = {}
        self._missed_since_beat = 0
        self._unbelieved_beats: Counter[str | None] = Counter()
        self._is_up = False
        self._is_silent = False

    def take(self, item: Item) -> Iterator[Product]:
        """Take one item, and give a product right after each of its quotes that was folded."""
        if not self.first_received:
            self.first_received = item.received_at
        received_at, before = item.received_at, self.last_received
        self.last_received = received_at
        if not isinstance(item, Message):
            self._line(item)
            return
        if self._opened_at is None:
            self._opened_at = received_at // 1000
        if received_at - before > SILENCE and before:
            self._is_silent = True
        quotes = self._read(item)
        if self._start is None:
            yield from self._hold(quotes, received_at)
            return
        for quote in quotes:
            if quote.time <= self._start:
                self.counts.before_start += 1
            else:
                yield from self._fold(quote, received_at)

    def save(self) -> PipeMemory:
        """Give all that it remembers, but for its products and how it counted."""
        return PipeMemory(
            last_known=self.last_known,
            by_own_name=sorted(self._by_own_name),
            reader=None if self._reader is None else self._reader.save(),
            is_advanced=self._is_advanced,
            clock=self._clock.save(),
            held=self._held,
            first_received=self.first_received,
            last_received=self.last_received,
            opened_at=self._opened_at,
            start=self._start,
            is_start_guessed=self._is_start_guessed,
            beats=list(self._beats.values()),
            missed_since_beat=self._missed_since_beat,
            unbelieved_beats=sorted(self._unbelieved_beats.items(), key=str),
            is_up=self._is_up,
            is_silent=self._is_silent,
            received=self.counts.received,
            reconnects=self.counts.reconnects,
            missed=self.counts.missed,
        )

    def load(self, memory: PipeMemory) -> None:
        """Go on where a pipe for the same channel was saved; its products are made anew, by their makers."""
        for product_id in memory.last_known:
            self._make(product_id)
        self.last_known = memory.last_known
        self._by_own_name = set(memory.by_own_name)
        if memory.reader is not None:
            self._reader = reader(memory.reader.is_advanced, from_book=self._from_book)
            self._reader.load(memory.reader)
        self._is_advanced = memory.is_advanced
        self._clock.load(memory.clock)
        self._held = memory.held
        self.first_received, self.last_received = memory.first_received, memory.last_received
        self._opened_at, self._start = memory.opened_at, memory.start
        self._is_start_guessed = memory.is_start_guessed
        self._beats = {beat.product_id: beat for beat in memory.beats}
        self._missed_since_beat = memory.missed_since_beat
        self._unbelieved_beats = Counter(dict(memory.unbelieved_beats))
        self._is_up, self._is_silent = memory.is_up, memory.is_silent
        self.counts.received, self.counts.reconnects = memory.received, memory.reconnects
        self.counts.missed = memory.missed

    @property
    def needs_snapshot(self) -> bool:
        """Whether a change of an order book was lost, so that there will be no quote before a new connection."""
        return self._from_book and self._reader is not None and self._reader.needs_snapshot

    @property
    def heard_until(self) -> int:
        """The newest time of the exchange that was believed, in microseconds; 0 before any."""
        return self._clock.heard_until

    def finish(self) -> Iterator[Product]:
        """The source has ended: fold what still waits for a heartbeat, and give each product right after."""
        if self._start is None:
            yield from self._begin()

    @property
    def followed(self) -> tuple[str, ...]:
        """The products to be shown here: those that were named, else all that have come; of others' products none."""
        return tuple(filter(self._holds, self.product_ids)) if self.product_ids else tuple(self.products)

    def _make(self, product_id: str) -> Product | None:
        if not self._holds(product_id):
            return None
        product = self.products[product_id] = self._product(product_id, self._forecaster)
        return product

    def _fold(self, quote: Quote, received_at: int) -> Iterator[Product]:
        product = self.products.get(quote.product_id)
        if product is not None:
            product.update(quote, received_at)
            self.counts.quotes += 1
            yield product

    def _hold(self, quotes: list[Quote], received_at: int) -> Iterator[Product]:
        """Let quotes wait until the exchange's time of our start is known."""
        self._held += [(quote, received_at, self.counts.received) for quote in quotes]
        is_over = received_at - (self._opened_at or 0) * 1000 >= HOLD or len(self._held) >= MOST_HELD
        if self._clock.start is not None or is_over:
            yield from self._begin()

    def _begin(self) -> Iterator[Product]:
        """Fold the quotes that waited, but for those of the time before the start."""
        start = self._clock.start
        self._start = (self._opened_at or 0) if start is None else start
        self._is_start_guessed = start is None
        held, self._held = self._held, []
        refused: set[int] = set()
        for quote, received_at, number in held:
            if quote is None:
                self._break_products(received_at)
            elif quote.time <= self._start:
                self.counts.before_start += 1
            elif quote.product_id not in self.products or self.products[quote.product_id].accepts(quote):
                yield from self._fold(quote, received_at)
            else:  # One that came after it, and waited too, has finer decimals than it can be counted in.
                self.counts.good -= number not in refused
                self.counts.bad[TOO_MANY_DIGITS] += number not in refused
                refused.add(number)

    def _line(self, item: Line) -> None:
        """A connection has begun, or has ended, or its messages were not kept."""
        if isinstance(item, Unstored):
            self.counts.missed += item.count
            if self._reader is not None:
                self._reader.forget()
        if not isinstance(item, Opened):
            self._break()
            return
        if not self.counts.received:
            self._opened_at = item.received_at // 1000
        if self._reader is not None:
            self.counts.reconnects += 1
            self._break()
        self._reader = None
        self._beats.clear()
        self._unbelieved_beats.clear()
        self._missed_since_beat = 0

    def _break(self) -> None:
        """The line was down: until what was heard last, the last quotes held; after it nothing is known.

        A quote of `ticker_batch` may come 5 seconds after its time, so of the last ones nothing is known either.
        """
        if self._is_up:
            self.counts.gaps += 1
            self._is_up = False
        if self._start is None:
            self._held.append((None, self._clock.heard_until - self._lag, 0))
        else:
            self._break_products(self._clock.heard_until - self._lag)

    def _break_products(self, heard_until: int) -> None:
        for product in self.products.values():
            product.break_line(heard_until)

    def _read(self, message: Message) -> list[Quote]:
        """Read one message, count it, and give its quotes that are new, believed and wanted."""
        self.counts.received += 1
        self._is_up = True
        if self._reader is None:
            self._reader = self._new_reader(message.data)
        read = self._reader or reader(is_advanced=False)
        received_at = message.received_at
        events = read.read(message.data)
        if isinstance(events[0], Bad) and self._speaks_otherwise(message.data):
            self._break()
            self._reader = self._new_reader(message.data)
            events = events if self._reader is None else self._reader.read(message.data)
        outcomes = [
            self._check(event, received_at) if isinstance(event, Quote) else self._note(event, received_at)
            for event in events
        ]
        self.counts.add(outcomes)
        return [outcome for outcome in outcomes if isinstance(outcome, Quote)]

    def _speaks_otherwise(self, data: bytes) -> bool:
        """Whether a message is of the other feed: a recording of several connections need not say where each begins."""
        return self._is_advanced is not None and is_advanced(data) is (not self._is_advanced)

    def _new_reader(self, data: bytes) -> Reader | None:
        """Make the connection's reader, as soon as a message tells which feed it is of."""
        self._is_advanced = is_advanced(data)
        return None if self._is_advanced is None else reader(self._is_advanced, from_book=self._from_book)

    def _check(self, quote: Quote, received_at: int) -> Event:
        """See whether the quote is of a product that is wanted, new, and of a time that can be."""
        product_id = self._wanted.get(quote.product_id) if self._wanted else quote.product_id
        if product_id is None:
            return Other("another product")
        if product_id != quote.product_id:
            if product_id in self._by_own_name:
                return Other("another product")
            quote = structs.replace(quote, product_id=product_id)
        elif self._wanted:
            self._by_own_name.add(product_id)
        last = self.last_known.get(product_id)
        if last is not None and _is_old(quote, last):
            return Stale()
        self._end_silence(quote.time, is_now=False)
        if not self._clock.believes(quote.time, received_at // 1000):
            return Bad("time: more than 60 s in the future", product_id)
        product = self.products.get(product_id)
        if product is None:
            if not is_product_id(product_id):
                return Bad("product_id: not BASE-QUOTE")
            product = self._make(product_id)
        if product is not None and not product.accepts(quote):
            return Bad(TOO_MANY_DIGITS, product_id)
        self.last_known[product_id] = quote
        self._clock.heard_until = max(self._clock.heard_until, quote.time)
        return quote

    def _end_silence(self, time: int, *, is_now: bool) -> None:
        """Nothing came for long by our clock; if as much time has passed at the exchange, the line was down.

        Only a heartbeat is sent when it says: a quote may be of a trade from before the silence, and proves nothing.
        """
        if self._is_silent and (time - self._clock.heard_until) * 1000 > SILENCE:
            self._break()
            self._is_silent = False
        elif is_now:
            self._is_silent = False

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
        self._end_silence(beat.time, is_now=True)
        if not self._clock.heard(beat.time, received_at // 1000):
            self._unbelieved_beats[beat.product_id] += 1
            return Bad("time: more than 60 s off", beat.product_id)
        if self._start is not None and self._is_start_guessed:
            self._start = min(self._start, self._clock.start or self._start)
            self._is_start_guessed = False
        last = self._beats.get(beat.product_id)
        if last is not None and beat.time <= last.time:
            return Stale()
        if last is not None:
            known = self._missed_since_beat + self._unbelieved_beats[beat.product_id]
            self.counts.missed += max(0, _beats_between(last, beat) - known)
        self._missed_since_beat = 0
        self._unbelieved_beats.pop(beat.product_id, None)
        self._beats[beat.product_id] = beat
        return beat


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
