"""What a product did until now: bars of one minute over a day, the last hundred trades, the last 24 hours.

The market starts a day old, so that candles and the 24-hour figures have something to say.
"""

from collections import deque
from random import Random

import msgspec

from .digits import SECOND
from .events import Day, Trade

DAY_MINUTES = 1440
TRADES = 100
"""As many as Advanced Trade's `market_trades` sends at the start."""


class Bar(msgspec.Struct, gc=False):
    """One clock-aligned stretch of time: [start, start + length)."""

    start: int
    """Seconds since 1970 UTC."""
    low: int
    high: int
    open: int
    close: int
    volume: int


class History:
    """A day of one-minute bars, never more, and the last trades."""

    def __init__(self, random: Random, price: int, volatility: float, volume: int, start: int) -> None:
        """Make up the day before `start` (microseconds); it ends at `price`."""
        self.trades: deque[Trade] = deque(maxlen=TRADES)
        self.bars = deque(_past(random, price, volatility, volume, start), maxlen=DAY_MINUTES)
        self._volume_before = 29 * sum(bar.volume for bar in self.bars)
        self._closed_day()

    def add(self, time: int, price: int, size: int) -> Day:
        """Take in one trade; return the 24 hours that end with it."""
        start = time // SECOND // 60 * 60
        if self.bars[-1].start != start:
            self.bars.append(Bar(start, price, price, price, price, 0))
            self._closed_day()
        bar = self.bars[-1]
        bar.low, bar.high = min(bar.low, price), max(bar.high, price)
        bar.close, bar.volume = price, bar.volume + size
        return self.day()

    def day(self) -> Day:
        """The last 24 hours."""
        bar = self.bars[-1]
        volume = self._volume + bar.volume
        low, high = min(self._low, bar.low), max(self._high, bar.high)
        return Day(self.bars[0].open, low, high, volume, self._volume_before + volume)

    def _closed_day(self) -> None:
        """Add up every bar but the last, once a minute and not once a trade."""
        closed = list(self.bars)[:-1]
        self._low = min(bar.low for bar in closed)
        self._high = max(bar.high for bar in closed)
        self._volume = sum(bar.volume for bar in closed)


def _past(random: Random, price: int, volatility: float, volume: int, start: int) -> list[Bar]:
    """Walk back from `price` a minute at a time; `volume` is what a minute trades on average."""
    minute = start // SECOND // 60 * 60
    bars: list[Bar] = []
    close = price
    for age in range(1, DAY_MINUTES + 1):
        opened = max(1, round(close * (1 + volatility * 7.7 * random.gauss(0, 1))))
        reach = round(close * volatility * abs(random.gauss(0, 3)))
        low, high = max(1, min(opened, close) - reach), max(opened, close) + reach
        bars.append(Bar(minute - 60 * age, low, high, opened, close, int(volume * random.expovariate(1)) + 1))
        close = opened
    return bars[::-1]


def candles(bars: deque[Bar], seconds: int) -> list[Bar]:
    """Join one-minute bars into longer ones, oldest first; `seconds` is a multiple of 60."""
    joined: list[Bar] = []
    for bar in bars:
        start = bar.start // seconds * seconds
        if not joined or joined[-1].start != start:
            joined.append(Bar(start, bar.low, bar.high, bar.open, bar.close, bar.volume))
            continue
        last = joined[-1]
        last.low, last.high = min(last.low, bar.low), max(last.high, bar.high)
        last.close, last.volume = bar.close, last.volume + bar.volume
    return joined
