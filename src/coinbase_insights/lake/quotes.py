"""From `raw` to `quotes`: what the exchange said, read once, in the order in which it came.

The same pipe reads it that reads it live; only here quotes are kept instead of folded, and where the line was down
before one is noted beside it, so that folding can come later, elsewhere and by product.
"""

from decimal import Decimal

import msgspec
import pyarrow as pa

from ..counts import Counts
from ..engine.product import Product
from ..engine.state import LARGEST_MID2, NEVER
from ..errors import UsageError
from ..memory import PipeMemory
from ..pipe import Pipe
from ..quote import Quote, cut_size
from .gaps import Gap, Gaps, GapsMemory
from .rows import items
from .tables import PRICE, QUOTES, SIZE, schema

SCHEMA = schema(QUOTES)
TIME = pa.timestamp("us", "UTC")


class Kept(Product):
    """Keeps the quotes of a product until they are taken."""

    def __init__(self, product_id: str, forecaster: str) -> None:
        """As Product."""
        super().__init__(product_id, forecaster)
        self.taken = 0
        """How many quotes were taken."""
        self.rows: list[tuple[Quote, int]] = []
        """Quotes, and until when the line was heard that was down before them; NEVER where it was not."""
        self.heard_until = NEVER
        self.has_quote = False
        self.largest = 0
        """The highest price so far, in units of 10^-decimals."""

    def accepts(self, quote: Quote) -> bool:
        """As Product, for all prices so far in common units."""
        more = quote.decimals - self.unit_decimals
        if more <= 0:
            return super().accepts(quote)
        if 2 * self.largest * 10**more > LARGEST_MID2:
            return False
        self.unit_decimals = quote.decimals
        self.largest *= 10**more
        return True

    def update(self, quote: Quote, received_at: int) -> None:
        """Keep one quote."""
        self.rows.append((quote, self.heard_until))
        self.heard_until, self.has_quote = NEVER, True
        self.largest = max(self.largest, quote.ask * int(10 ** (self.unit_decimals - quote.decimals)))

    def number(self) -> range:
        """Give the numbers of the quotes that are taken now."""
        numbers = range(self.taken, self.taken + len(self.rows))
        self.taken, self.rows = numbers.stop, []
        return numbers

    def break_line(self, heard_until: int) -> None:
        """Remember the gap for the next quote."""
        if self.has_quote and self.heard_until == NEVER:
            self.heard_until = heard_until


class KeptMemory(msgspec.Struct):
    """What is kept of a product between two quotes."""

    taken: int
    decimals: int
    largest: int
    heard_until: int
    has_quote: bool


class ReadingMemory(msgspec.Struct):
    """What the reading of a log remembers between two builds."""

    channel: str
    pipe: PipeMemory
    kept: dict[str, KeptMemory]
    gaps: GapsMemory


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ReadingMemory).decode


class Reading:
    """Reads the rows of `raw` in their order, and gives rows of `quotes` and the gaps."""

    def __init__(self, channel: str, memory: bytes | None = None) -> None:
        """Begin, or go on where another one was saved. Raises UsageError when that was of another channel."""
        self._channel = channel
        self._products: dict[str, Kept] = {}
        self._pipe = Pipe(channel=channel, product=self._kept)
        self._gaps = Gaps()
        if memory is not None:
            self._load(_decode(memory))

    def _kept(self, product_id: str, forecaster: str) -> Kept:
        return self._products.setdefault(product_id, Kept(product_id, forecaster))

    def _load(self, memory: ReadingMemory) -> None:
        if memory.channel != self._channel:
            raise UsageError(
                f"The tables were built from the channel {memory.channel}, and not from {self._channel}.",
                f"Go on with --channel {memory.channel}, or begin with --anew.",
            )
        self._pipe.load(memory.pipe)
        self._gaps.load(memory.gaps)
        for product_id, kept in memory.kept.items():
            product = self._kept(product_id, "last")
            product.taken, product.unit_decimals, product.largest = kept.taken, kept.decimals, kept.largest
            product.heard_until, product.has_quote = kept.heard_until, kept.has_quote

    def save(self) -> bytes:
        """Give all that is remembered; the quotes must have been taken."""
        kept = {
            name: KeptMemory(each.taken, each.unit_decimals, each.largest, each.heard_until, each.has_quote)
            for name, each in sorted(self._products.items())
        }
        return _encode(ReadingMemory(self._channel, self._pipe.save(), kept, self._gaps.save()))

    @property
    def counts(self) -> Counts:
        """What has become of the messages; of what was left out, those since it began or went on."""
        return self._pipe.counts

    def add(self, table: pa.Table) -> list[Gap]:
        """Read rows of `raw`; give the gaps that have ended with them."""
        for batch in table.to_batches():
            for item in items(batch):
                for _ in self._pipe.take(item):
                    pass
        return list(self._gaps.add(table))

    def take(self) -> pa.Table:
        """Give the quotes that were read since the last time, by product and in their order."""
        products = [product for _, product in sorted(self._products.items())]
        found = [row for product in products for row in product.rows]
        numbers = [number for product in products for number in product.number()]
        quotes = [quote for quote, _ in found]
        heard = [None if heard_until == NEVER else heard_until for _, heard_until in found]
        columns = [
            numbers,
            [quote.product_id for quote in quotes],
            pa.array([quote.time for quote in quotes], pa.int64()).cast(TIME),
            [quote.sequence for quote in quotes],
            _decimals([quote.best_bid for quote in quotes], PRICE),
            _decimals([_size(quote.best_bid_size) for quote in quotes], SIZE),
            _decimals([quote.best_ask for quote in quotes], PRICE),
            _decimals([_size(quote.best_ask_size) for quote in quotes], SIZE),
            pa.array(heard, pa.int64()).cast(TIME),
        ]
        return pa.table(columns, schema=SCHEMA)


def _size(text: str | None) -> str | None:
    return None if text is None else cut_size(text)


def _decimals(texts: list[str | None] | list[str], digits: tuple[int, int]) -> pa.Array:
    """Make a column of exact decimals; zeros that only pad a text are no digits."""
    return pa.array([None if text is None else Decimal(text).normalize() for text in texts], pa.decimal128(*digits))
