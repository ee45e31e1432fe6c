"""The orders that stand: fifty prices a side, and which of them changed since somebody asked.

Keeps what it is told; that nothing crosses is the caller's rule (see `lane.py`).
"""

from .events import Levels

DEPTH = 50


class Book:
    """Bids and asks: price to size, in the product's smallest step and in 10^-8."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._changed_bids: set[int] = set()
        self._changed_asks: set[int] = set()

    @property
    def best_bid(self) -> int:
        """The highest price bid. Raises ValueError when nothing is bid."""
        return max(self.bids)

    @property
    def best_ask(self) -> int:
        """The lowest price asked. Raises ValueError when nothing is asked."""
        return min(self.asks)

    @property
    def changed(self) -> bool:
        """Whether there is something for `take_changes` to give."""
        return bool(self._changed_bids or self._changed_asks)

    def bid(self, price: int, size: int) -> None:
        """Set the size bid at a price; 0 removes it."""
        _set(self.bids, price, size)
        self._changed_bids.add(price)

    def ask(self, price: int, size: int) -> None:
        """Set the size asked at a price; 0 removes it."""
        _set(self.asks, price, size)
        self._changed_asks.add(price)

    def levels(self) -> tuple[Levels, Levels]:
        """All bids and all asks, best first."""
        return tuple(sorted(self.bids.items(), reverse=True)), tuple(sorted(self.asks.items()))

    def take_changes(self) -> tuple[Levels, Levels]:
        """Give the new sizes of the bids and asks that changed since the last call, 0 for a removed price."""
        bids = tuple((price, self.bids.get(price, 0)) for price in sorted(self._changed_bids, reverse=True))
        asks = tuple((price, self.asks.get(price, 0)) for price in sorted(self._changed_asks))
        self._changed_bids.clear()
        self._changed_asks.clear()
        return bids, asks


def _set(side: dict[int, int], price: int, size: int) -> None:
    if size:
        side[price] = size
    else:
        side.pop(price, None)
