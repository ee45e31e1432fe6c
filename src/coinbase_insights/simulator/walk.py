"""The fair price of a product: a random walk that is nearly impossible to forecast, as real ones are.

Only the seed of the generator decides; there is no clock.
"""

from math import exp, sqrt
from random import Random

BUSY_SECONDS = 300.0
TREND_SECONDS = 180.0
TILT_SECONDS = 15.0


class Walk:
    """A fair price, in smallest steps, with quiet and busy times, trends, and an imbalance of the book.

    Trend and imbalance explain about one part in a hundred of the next minute's move; the rest is noise.
    """

    def __init__(self, random: Random, price: float, volatility: float, spread: float) -> None:
        self._random = random
        self._volatility = volatility
        self._tilt_pull = spread / price / TILT_SECONDS
        self._log_busy = random.gauss(0, 0.6)
        self._trend = random.gauss(0, 1)
        self.price = price
        self.tilt = _within(random.gauss(0, 0.4), 0.9)
        """Above zero when more is bid than offered; it pulls the price by about one spread before it fades."""

    @property
    def busy(self) -> float:
        """How much more happens than on average, about 0.2 to 5."""
        return exp(_within(self._log_busy, 1.6))

    def step(self, seconds: float) -> None:
        """Let time pass."""
        self._log_busy = self._revert(self._log_busy, seconds / BUSY_SECONDS, 0.6)
        self._trend = self._revert(self._trend, seconds / TREND_SECONDS, 1.0)
        self.tilt = _within(self._revert(self.tilt, seconds / TILT_SECONDS, 0.4), 0.9)
        noise = self._volatility * sqrt(self.busy * seconds) * self._random.gauss(0, 1)
        # A trend of one standard deviation moves the price a tenth of a minute's noise in a minute.
        drift = 0.1 * self._volatility / sqrt(60) * self._trend + self._tilt_pull * self.tilt
        self.price *= exp(noise + drift * seconds)

    def _revert(self, value: float, elapsed: float, deviation: float) -> float:
        """Take one exact step of a process that forgets: same mean and deviation whatever the step's length."""
        kept = exp(-elapsed)
        return value * kept + deviation * sqrt(1 - kept * kept) * self._random.gauss(0, 1)


def _within(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
