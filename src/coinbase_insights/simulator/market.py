"""A synthetic market that is moved by a clock of its own: same seed, same start, same events.

It never sleeps and never asks what time it is: `Market.advance` may run a day in a test or follow the wall clock.
"""

from collections.abc import Mapping
from heapq import heapify, heapreplace

import msgspec

from .digits import SECOND
from .events import Event, Levels, SecondPassed, Trade
from .history import Bar, candles
from .lane import Lane
from .product import ALSO_LISTED, CHARACTERS, Character, Product


class Standing(msgspec.Struct, frozen=True):
    """Where a product stands now, for first messages and REST."""

    trade: Trade
    bids: Levels
    asks: Levels
    trades: tuple[Trade, ...]
    """The last hundred at most, oldest first."""


class Market:
    """Several products that trade; `time` is microseconds since 1970 UTC."""

    def __init__(self, start: int, seed: int = 1, traded: Mapping[Product, Character] = CHARACTERS) -> None:
        """Open a market at `start`, in microseconds since 1970 UTC; it has a day of candles behind it."""
        self.time = start
        self._lanes = {each.product_id: Lane(each, character, start, seed) for each, character in traded.items()}
        listed = (*traded, *(each for each in ALSO_LISTED if not each.alias or each.alias in self._lanes))
        self.products = {product.product_id: product for product in listed}
        self._next = [(lane.next_time, product_id) for product_id, lane in self._lanes.items()]
        heapify(self._next)
        self._second_at = (start // SECOND + 1) * SECOND

    def advance(self, until: int) -> list[Event]:
        """Let time pass up to and with `until`; give what happened since, in order of time.

        How the time is cut makes no difference: many short steps give the events of one long one.
        """
        events: list[Event] = []
        while (due := min(self._next[0][0], self._second_at)) <= until:
            events += [self._second()] if due == self._second_at else self._step()
        self.time = max(self.time, until)
        return events

    def _second(self) -> Event:
        standing = {name: (lane.sequence, lane.trade_id) for name, lane in self._lanes.items()}
        passed = SecondPassed(self._second_at, standing)
        self._second_at += SECOND
        return passed

    def _step(self) -> list[Event]:
        product_id = self._next[0][1]
        lane = self._lanes[product_id]
        events = lane.step()
        heapreplace(self._next, (lane.next_time, product_id))
        return events

    def find(self, product_id: str) -> Product | None:
        """Give the product of that name, traded or only listed; None when there is none."""
        return self.products.get(product_id)

    def standing(self, product_id: str) -> Standing | None:
        """Say where a product stands now; another name gives its book; None when it does not trade."""
        product = self.products.get(product_id)
        lane = self._lanes.get(product.alias or product_id) if product else None
        if lane is None:
            return None
        trades = tuple(lane.history.trades)
        return Standing(trades[-1], *lane.book.levels(), trades)

    def candles(self, product_id: str, seconds: int) -> list[Bar]:
        """Give the last day in bars of so many seconds, oldest first; none for what does not trade."""
        product = self.products.get(product_id)
        lane = self._lanes.get(product.alias or product_id) if product else None
        return candles(lane.history.bars, seconds) if lane else []
