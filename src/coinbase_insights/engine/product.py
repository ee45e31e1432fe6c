"""One product: its state, and the newest quote as it was sent."""

from typing import NamedTuple, Self

from ..quote import MOST_UNITS, Quote, cut_size
from .insight import Insight, insight
from .state import (
    COUNT,
    FORECASTERS,
    TAIL,
    TIME,
    UNIT2,
    Saved,
    State,
    can_rescale,
    decimals,
    is_tidy,
    load,
    new_state,
    rescale,
    save,
    tidy,
)  # fmt: skip
from .update import break_line, update


def sizes(quote: Quote) -> tuple[float, float]:
    """Give the sizes at best bid and ask; zeros where one is missing, for one alone says nothing of the balance.

    They count to `SIZE_DECIMALS`, as the lake keeps them; no product of Coinbase is traded in finer steps.
    """
    if quote.best_bid_size is None or quote.best_ask_size is None:
        return 0.0, 0.0
    return float(cut_size(quote.best_bid_size)), float(cut_size(quote.best_ask_size))


class ProductMemory(NamedTuple):
    """What `Product.save` gives and `Product.loaded` takes."""

    product_id: str
    state: Saved
    quote: Quote | None
    received_at: int
    decimals: int


class Product:
    """Folds the quotes of one product, and tells every figure right after the newest."""

    def __init__(self, product_id: str, forecaster: str = "tilt", state: State | None = None) -> None:
        """Start with nothing, or with a state that was saved. `forecaster` is one of last, trend, tilt."""
        if forecaster not in FORECASTERS:
            raise ValueError(f"there is no forecaster {forecaster!r}")
        self.product_id = product_id
        self.state = new_state(forecaster) if state is None else state
        self.unit_decimals = decimals(self.state)
        """Of the units that the state counts prices in."""
        self.decimals = 0
        """Of the prices so far as they were written: those to show prices with."""
        self._width = 0
        self.quote: Quote | None = None
        """The newest quote that was folded; None before the first."""
        self.received_at = 0
        """When it reached us, in nanoseconds."""

    def save(self) -> ProductMemory:
        """Give all that is remembered of the product."""
        return ProductMemory(self.product_id, save(self.state), self.quote, self.received_at, self.decimals)

    @classmethod
    def loaded(cls, memory: ProductMemory) -> Self:
        """Go on where a product was saved. Raises ValueError for what another version of the rules has saved."""
        product = cls(memory.product_id, state=load(memory.state))
        product.quote, product.received_at, product.decimals = memory.quote, memory.received_at, memory.decimals
        return product

    def accepts(self, quote: Quote) -> bool:
        """Make ready for the quote's decimals. False when its price has more digits than can be counted in exactly."""
        more = quote.decimals - self.unit_decimals
        if more <= 0:
            return quote.ask * int(10**-more) <= MOST_UNITS
        if not can_rescale(self.state, more):
            return False
        rescale(self.state, more)
        self.unit_decimals = quote.decimals
        return True

    def update(self, quote: Quote, received_at: int) -> None:
        """Fold one quote that `accepts` has let in, received at this time (ns)."""
        if not is_tidy(self.state):
            self.state = tidy(self.state)
        bid, ask = quote.bid, quote.ask
        if quote.decimals != self.unit_decimals:
            unit = 10 ** (self.unit_decimals - quote.decimals)
            bid, ask = bid * unit, ask * unit
        if quote.decimals > self.decimals or not self._width == len(quote.best_bid) == len(quote.best_ask):
            self._see_decimals(quote)
        bid_size, ask_size = sizes(quote)
        update(self.state, quote.time, bid, ask, bid_size, ask_size)
        self.quote = quote
        self.received_at = received_at

    def _see_decimals(self, quote: Quote) -> None:
        """Look how many decimals the prices are written with; those of one width have as many."""
        self._width = len(quote.best_bid)
        self.decimals = max(self.decimals, quote.written_decimals)

    def break_line(self, heard_until: int) -> None:
        """Nothing is known of the product after this exchange time, until its next quote."""
        break_line(self.state, heard_until)

    def insight(self, missed: int = 0, reconnects: int = 0) -> Insight:
        """Tell every figure. Raises ValueError before the first quote."""
        if self.quote is None:
            raise ValueError(f"{self.product_id} has no quote yet")
        return insight(self.state, self.quote, self.received_at, missed, reconnects)

    def history(self) -> list[tuple[int, float]]:
        """Give (exchange time in microseconds, mid-price) of the quotes in the last 15 minutes, oldest first."""
        state = self.state
        mask = len(state.times) - 1
        slots = (i & mask for i in range(state.whole[TAIL + 2], state.whole[COUNT]))
        return [(state.times[slot], state.mids[slot] / state.real[UNIT2]) for slot in slots]

    @property
    def time(self) -> int:
        """Exchange time of the newest quote, in microseconds; far in the past before the first."""
        return self.state.whole[TIME]
