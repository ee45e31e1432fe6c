"""Axes of pictures: where a value lies, and where the ticks stand. Pure: numbers in, numbers and texts out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log, log10
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = 3_600_000_000, 86_400_000_000
STEPS = (60_000_000 * 1, 60_000_000 * 5, 60_000_000 * 15, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY)
"""Between ticks of time, microseconds; beyond, whole days."""


class Axis(NamedTuple):
    """One direction of a picture."""

    label: str
    """With the unit."""
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    is_log: bool = False

    def part(self, value: float) -> float:
        """Tell how far along a value lies: 0 at the low end, 1 at the high one; never outside."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            return log(value / self.low) / log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def plain(label: str, low: float, high: float, unit: str = "", most: int = 6) -> Axis:
    """Make an axis with round ticks, which begins and ends with one.

    >>> [text for _, text in plain("skill", -0.13, 0.62, " %").ticks]
    ['−0.2 %', '0 %', '0.2 %', '0.4 %', '0.6 %', '0.8 %']
    """
    step = _round_step((high - low) / most) if high > low else 1.0
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    last = max(last, first + 1)
    decimals = max(0, -floor(log10(step)))
    ticks = [(i * step, f"{i * step:.{decimals}f}".replace("-", "−") if i else "0") for i in range(first, last + 1)]
    return Axis(label, first * step, last * step, [(at, f"{text}{unit}") for at, text in ticks])


def _round_step(least: float) -> float:
    power = float(10.0 ** floor(log10(least)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def logarithmic(label: str, low: float, high: float, most: int = 7) -> Axis:
    """Make an axis in which equal ratios are equally far.

    >>> [text for _, text in logarithmic("hours", 0.4, 60).ticks]
    ['0.5', '1', '2', '5', '10', '20', '50']
    """
    high = max(high, low * 1.1)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [(at, f"{at:g}") for at in found if low * (1 - 1e-9) <= at <= high * (1 + 1e-9)]
        if len(ticks) <= most:
            break
    return Axis(label, low, high, ticks, is_log=True)


def of_time(first: int, last: int, most: int = 5) -> Axis:
    """Make an axis of time, UTC; times are microseconds since 1970."""
    last = max(last, first + 60_000_000)
    days = ceil((last - first) / DAY / most)
    step = next((each for each in STEPS if (last - first) / each <= most), days * DAY)
    times = range(-(-first // step) * step, last + 1, step)
    form = "%-d %b" if step >= DAY else "%H:%M"
    ticks = [(float(at), written(at, "%-d %b" if at % DAY == 0 else form)) for at in times]
    return Axis("time, UTC", float(first), float(last), ticks)


def written(time: int, form: str = "%Y-%m-%d %H:%M") -> str:
    """Write a time, in microseconds since 1970, as UTC."""
    return (_EPOCH + timedelta(microseconds=time)).strftime(form)
