"""What there is to see at one moment: the state of the line, the counts, and each product.

A view is made by the pipe's owner and only ever read here; the screen and the lines are pure functions of it.
"""

from typing import Literal

import msgspec

from ..engine.insight import Insight
from ..quote import Quote

LineState = Literal["CONNECTING", "LIVE", "QUIET", "STALE", "REPLAY", "SIMULATED", "ENDED"]

SYMBOLS: dict[LineState, str] = {
    "CONNECTING": "○", "LIVE": "●", "QUIET": "●", "STALE": "●", "REPLAY": "●", "SIMULATED": "●", "ENDED": "■",
}  # fmt: skip


class ProductView(msgspec.Struct, frozen=True):
    """One product as it stands now."""

    product_id: str
    decimals: int
    """Of the product's prices; the mid-price is shown with one more."""
    insight: Insight | None = None
    """None until a quote has been folded."""
    last_known: Quote | None = None
    """The newest quote, folded or not: what is shown, with its time, when nothing is live."""
    quote_age: float | None = None
    """Seconds since the newest quote reached us, by the monotonic clock; None while there is none.

    Of a product that was taken over from another process, and had no quote since, by our own clock.
    """
    history: tuple[tuple[float, float], ...] = ()
    """(seconds before now, mid-price), oldest first, of the last 15 minutes."""
    gaps: int = 0
    """How often the line had been down, or had lost a message, when the newest quote was folded."""


class View(msgspec.Struct, frozen=True):
    """Everything to be seen at one moment."""

    state: LineState
    detail: str
    """What to say beside the state, as: last quote 2 s ago; no data for 47 s, reconnecting in 4 s (try 3)."""
    now: int
    """Microseconds since 1970 UTC."""
    since: int
    """When this run began, in the same."""
    products: tuple[ProductView, ...]
    speed: str = ""
    """Of a replay: 1x, 10x, max."""
    received: int = 0
    """Messages since the start."""
    quotes: int = 0
    """Quotes that were folded since the start, of all products."""
    bad: int = 0
    """Messages that could not be used."""
    duplicates: int = 0
    missed: int = 0
    """Messages that the exchange numbered and that did not reach us."""
    reconnects: int = 0
    is_known: bool = True
    """Whether what was known last is still what holds: not while the line is down, nor when it ended so."""
    notes: tuple[str, ...] = ()
    """Things that a person must be told as long as they hold, as: the exchange's clock differs from ours."""

    @property
    def is_live(self) -> bool:
        """Whether the current values may be shown as current."""
        return self.is_known and self.state not in ("CONNECTING", "STALE")
