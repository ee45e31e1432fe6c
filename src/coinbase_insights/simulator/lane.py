"""The trading of one product: makers move their prices after the fair price, takers trade with them.

One rule keeps the book from ever crossing: every bid is below the fair price and every ask above it.
Time is the caller's; what happens depends on the seed alone, not on how the time was cut.
"""

from math import ceil, floor
from random import Random

from .book import DEPTH, Book
from .digits import SECOND
from .events import BookChange, Event, Trade
from .history import History
from .product import Character, Product
from .walk import Walk

BATCH = 50_000
"""Changes of the book are told every 50 ms (https://docs.cdp.coinbase.com/exchange/websocket-feed/channels)."""

WARM_UP = 30
"""Seconds that a lane trades before anybody looks."""


class Lane:
    """One product's book, its trades, and the time of what comes next (microseconds)."""

    def __init__(self, product: Product, character: Character, start: int, seed: int) -> None:
        self.product_id = product.product_id
        self._random = random = Random(f"{seed} {product.product_id}")
        self._character = character
        self._walk = Walk(random, float(character.price), character.volatility, character.spread)
        volume = int(character.size * 20 / character.seconds_per_trade)
        self.history = History(random, character.price, character.volatility, volume, start - WARM_UP * SECOND)
        self.book = Book()
        self.sequence, self.trade_id = character.sequence, character.trade_id
        self._batch_at: int | None = None
        self._begin(start)

    def _begin(self, start: int) -> None:
        self._time = self._change_at = self._trade_at = start - WARM_UP * SECOND
        self._change_book()
        self._trade()
        while self.next_time < start:
            self.step()

    @property
    def next_time(self) -> int:
        """When `step` will have something to do."""
        soonest = min(self._change_at, self._trade_at)
        return soonest if self._batch_at is None else min(soonest, self._batch_at)

    def step(self) -> list[Event]:
        """Go to `next_time` and do what is due there; return what the feeds tell of it, in order."""
        time = self.next_time
        if time == self._batch_at:
            return self._batch(time)
        return self._trade_at_time(time) if time == self._trade_at else self._change_at_time(time)

    def _change_at_time(self, time: int) -> list[Event]:
        self._time_to(time)
        self._change_book()
        return []

    def _trade_at_time(self, time: int) -> list[Event]:
        self._time_to(time)
        self._keep_apart()
        return self._trade()

    def _time_to(self, time: int) -> None:
        self._walk.step((time - self._time) / SECOND)
        self._time = time

    def _batch(self, time: int) -> list[Event]:
        self._batch_at = None
        if not self.book.changed:
            return []
        return [BookChange(time, self.product_id, *self.book.take_changes())]

    # -- takers --

    def _trade(self) -> list[Event]:
        """Let one taker come; an order larger than the best price's size goes on to the next price."""
        buy = self._random.random() < 0.5 + 0.35 * self._walk.tilt
        left = int(self._character.size * 0.3 * self._random.lognormvariate(0, 1.4)) + 1
        events: list[Event] = []
        for _ in range(3):
            if left:
                left = self._match(buy, left, events)
        self._trade_at = self._time + self._until_trade()
        return events

    def _until_trade(self) -> int:
        if self._character.quiet:
            return int(self._random.uniform(40, 100) * SECOND)
        return int(self._random.expovariate(self._walk.busy / self._character.seconds_per_trade) * SECOND) + 1

    def _match(self, buy: bool, left: int, events: list[Event]) -> int:
        """Trade with the best price; return what the taker still wants. The book is told before its trade."""
        book = self.book
        price = book.best_ask if buy else book.best_bid
        standing = book.asks[price] if buy else book.bids[price]
        size = min(left, standing)
        (book.ask if buy else book.bid)(price, standing - size)
        events += self._batch(self._time)
        events.append(self._matched("buy" if buy else "sell", price, size))
        return left - size

    def _matched(self, side: str, price: int, size: int) -> Trade:
        self.trade_id += 1
        self._count()
        trade = Trade(
            time=self._time,
            product_id=self.product_id,
            sequence=self.sequence,
            trade_id=self.trade_id,
            price=price,
            size=size,
            side=side,
            best_bid=self.book.best_bid,
            best_bid_size=self.book.bids[self.book.best_bid],
            best_ask=self.book.best_ask,
            best_ask_size=self.book.asks[self.book.best_ask],
            day=self.history.add(self._time, price, size),
        )
        self.history.trades.append(trade)
        return trade

    def _count(self) -> None:
        """Grow `sequence` as the matching engine does: it counts every order, so it skips for everyone else."""
        self.sequence += 2 + int(self._random.expovariate(0.1))

    # -- makers --

    def _change_book(self) -> None:
        self._keep_apart()
        self._improve()
        self._resize()
        self._fill()
        self._count()
        if self._batch_at is None and self.book.changed:
            self._batch_at = (self._time // BATCH + 1) * BATCH
        pause = self._random.expovariate(self._walk.busy / self._character.seconds_per_change)
        self._change_at = self._time + int(pause * SECOND) + 1

    def _keep_apart(self) -> None:
        """Take back the orders that the fair price has reached."""
        fair = self._walk.price
        for price in [price for price in self.book.bids if price >= fair]:
            self.book.bid(price, 0)
        for price in [price for price in self.book.asks if price <= fair]:
            self.book.ask(price, 0)
        self._fill()

    def _improve(self) -> None:
        """Let makers come near the fair price where nobody stands."""
        fair, spread = self._walk.price, self._character.spread
        bid = ceil(fair) - 1 - int(self._random.expovariate(1 / spread))
        if bid > self.book.best_bid and self._random.random() < 0.9:
            self.book.bid(bid, self._size(self._walk.tilt))
        ask = floor(fair) + 1 + int(self._random.expovariate(1 / spread))
        if ask < self.book.best_ask and self._random.random() < 0.9:
            self.book.ask(ask, self._size(-self._walk.tilt))

    def _resize(self) -> None:
        """Change the size at one price a side, most often near the best one."""
        depth = min(DEPTH - 1, int(self._random.expovariate(0.4)))
        bids, asks = self.book.levels()
        if self._random.random() < 0.5:
            self.book.bid(bids[depth][0], self._size(self._walk.tilt))
        else:
            self.book.ask(asks[depth][0], self._size(-self._walk.tilt))

    def _fill(self) -> None:
        """Keep fifty prices a side, adding and removing at the far end."""
        book, fair = self.book, self._walk.price
        worst = min(book.bids, default=ceil(fair))
        while len(book.bids) < DEPTH and worst > 1:
            worst = max(1, worst - self._distance())
            book.bid(worst, self._size(self._walk.tilt))
        while len(book.bids) > DEPTH:
            book.bid(min(book.bids), 0)
        worst = max(book.asks, default=floor(fair))
        while len(book.asks) < DEPTH:
            worst += self._distance()
            book.ask(worst, self._size(-self._walk.tilt))
        while len(book.asks) > DEPTH:
            book.ask(max(book.asks), 0)

    def _distance(self) -> int:
        return 1 + int(self._random.expovariate(1 / self._character.level_distance) * 0.7)

    def _size(self, tilt: float) -> int:
        return int(self._character.size * self._random.lognormvariate(0, 1) * (1 + tilt)) + 1
