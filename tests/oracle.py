"""Every figure of an insight by its slowest definition: whole histories, exact fractions, nothing kept from before.

Nothing here comes from the engine. Weights are written out, lines are fitted anew, windows are cut by time, and the
truth of a forecast is looked up by time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from math import ceil, exp, fsum, log, sqrt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats  # type: ignore[import-untyped]
from sklearn.linear_model import LinearRegression, Ridge

SECOND = 1_000_000
MINUTE = 60 * SECOND
LENGTHS = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE}
MARK = 5 * SECOND


class Seen(NamedTuple):
    """A quote that was folded: exchange time in microseconds, prices and sizes as text."""

    time: int
    bid: str
    ask: str
    bid_size: str | None = None
    ask_size: str | None = None


class Gap(NamedTuple):
    """The line went down after so many quotes; it was last heard at this exchange time."""

    after: int
    heard_until: int


class Learned(NamedTuple):
    """What is known once a mark has passed."""

    usual_imbalance: float
    beta: float
    sigma: float | None
    returns: int
    factor: float


class MarkSeen(NamedTuple):
    """What stood at a mark, and what was forecast then."""

    number: int
    mid: Fraction
    tilt: float | None
    forecast: float
    band: float | None


class Oracle:
    """All figures of one product after each of its quotes."""

    def __init__(self, quotes: Sequence[Seen], gaps: Sequence[Gap] = (), forecaster: str = "tilt") -> None:
        self.quotes = quotes
        self.forecaster = forecaster
        self.times: list[int] = [int(t) for t in np.maximum.accumulate([quote.time for quote in quotes])]
        self.bids = [Fraction(quote.bid) for quote in quotes]
        self.asks = [Fraction(quote.ask) for quote in quotes]
        self.mids = [(bid + ask) / 2 for bid, ask in zip(self.bids, self.asks, strict=True)]
        self.spreads = [ask - bid for bid, ask in zip(self.bids, self.asks, strict=True)]
        self.imbalances = [imbalance(quote) for quote in quotes]
        self.gaps: dict[int, int] = {}
        for gap in gaps:
            if gap.after:
                self.gaps.setdefault(gap.after, gap.heard_until)
        self.common = 10 ** max(decimals(text) for quote in quotes for text in (quote.bid, quote.ask))
        """Mid-prices are whole numbers of half of one over this, so that sums are exact and quick."""
        self.halves = np.array([int(2 * mid * self.common) for mid in self.mids], dtype=np.int64)
        self.line = [(a, b) for a, b in self._lines()] if forecaster == "trend" else []
        self.marks: list[int] = []
        self.learned: list[Learned] = []
        self.pairs = Aged()
        """Of each mark whose 60 seconds have passed: the tilt then, and the move since, in basis points."""
        self._learn()
        self.forecasts, self.bands = self._forecasts()
        self.errors, self.base_errors = self._errors()
        self.base_halves = [0 if error is None else int(2 * self.common * error) for error in self.base_errors]
        self._p_values: dict[int, float | None] = {}

    # What stands, and the windows.

    def figures(self, k: int) -> dict[str, Any]:
        """Everything that is known right after quote k."""
        due = self.due(k)
        last = due[-1] if due and due[-1] >= self.given_up(k) else None
        windows = {name: self.window(k, length) for name, length in LENGTHS.items()}
        scores = {name: self.scored(k, length) for name, length in LENGTHS.items()}
        widest = max(self.spreads[: k + 1])
        error = None if last is None else self.errors[last]
        base = None if last is None else self.base_errors[last]
        banded = [j for j in scores["15m"] if self.bands[j] is not None]
        hits = sum(self.error(j) <= (self.bands[j] or 0.0) for j in banded)
        mean, base_mean = self.error_mean(scores["15m"]), self.base_error_mean(scores["15m"])
        half = self.bands[k]
        return {
            "time": rfc3339(self.times[k]),
            "spread": float(self.spreads[k]),
            "max_spread": {"value": float(widest), "time": self.first_seen(widest)},
            "mid_price": float(self.mids[k]),
            "mid_price_mean": windows,
            "forecast": {
                "value": self.forecasts[k],
                "low": None if half is None else self.forecasts[k] - half,
                "high": None if half is None else self.forecasts[k] + half,
                "target_time": rfc3339(self.times[k] + MINUTE),
                "forecaster": self.forecaster,
            },
            "forecast_error": error,
            "baseline_error": None if base is None else float(base),
            "forecast_error_mean": {n: {"value": self.error_mean(s), "count": len(s)} for n, s in scores.items()},
            "baseline_error_mean": {n: {"value": self.base_error_mean(s), "count": len(s)} for n, s in scores.items()},
            "band_hit_rate": {"value": hits / len(banded) if banded else None, "count": len(banded)},
            "skill": {
                "value": 1.0 - mean / base_mean if mean is not None and base_mean else None,
                "count": len(scores["15m"]),
                "p_value": self.p_value(k),
            },
            "unscored": sum(self.errors[j] is None for j in due),
        }

    def first_seen(self, widest: Fraction) -> str:
        """When the widest spread was first seen; without any spread, the start."""
        return rfc3339(self.times[self.spreads.index(widest) if widest else 0])

    def window(self, k: int, length: int) -> dict[str, Any]:
        """Mean of the mid-prices with t - length < time <= t, how many they are, and whether the line held."""
        first = bisect_right(self.times, self.times[k] - length, 0, k + 1)
        count = k + 1 - first
        total = int(self.halves[first : k + 1].sum())
        since = self.times[max([0, *(after for after in self.gaps if after <= k)])]
        return {
            "value": float(Fraction(total, 2 * self.common * count)),
            "count": count,
            "full": since <= self.times[k] - length,
        }

    # Forecasts.

    def _lines(self) -> list[tuple[Fraction, Fraction]]:
        """Height at the start and slope per microsecond of the line of least squares, in exact fractions."""
        lines = []
        n = sum_x = sum_y = sum_xx = sum_xy = 0
        for time, y in zip(self.times, (int(half) for half in self.halves), strict=True):
            x = time - self.times[0]
            n, sum_x, sum_y, sum_xx, sum_xy = n + 1, sum_x + x, sum_y + y, sum_xx + x * x, sum_xy + x * y
            spread_x = n * sum_xx - sum_x * sum_x
            slope = Fraction(n * sum_xy - sum_x * sum_y, spread_x) if spread_x else Fraction(0)
            unit = Fraction(1, 2 * self.common)
            lines.append(((sum_y - slope * sum_x) / n * unit, slope * unit))
        return lines

    def trend_by_scikit_learn(self, k: int) -> float:
        """The same line fitted anew to everything up to quote k, 60 seconds ahead."""
        seconds = [[(time - self.times[0]) / SECOND] for time in self.times[: k + 1]]
        first = float(self.mids[0])
        heights = [float(mid - self.mids[0]) for mid in self.mids[: k + 1]]
        ahead = [[(self.times[k] - self.times[0] + MINUTE) / SECOND]]
        return first + float(LinearRegression().fit(seconds, heights).predict(ahead)[0])

    def beta_by_scikit_learn(self) -> float:
        """The slope of a ridge regression without an intercept, held back by an hour of marks, on all pairs."""
        weights = self.pairs.weights(DAY)
        tilts, moves = np.array(self.pairs.rows).T
        ridge = Ridge(alpha=3 * (weights.sum() + 720), fit_intercept=False)
        return float(ridge.fit(tilts[:, None], moves, sample_weight=weights).coef_[0])

    def forecast(self, k: int, time: int, known: Learned) -> float:
        """What is expected 60 seconds after `time`, quote k being the last."""
        mid = float(self.mids[k])
        if self.forecaster == "last":
            return mid
        if self.forecaster == "trend":
            height, slope = self.line[k]
            return float(height + slope * (time - self.times[0] + MINUTE))
        i = self.imbalances[k] or 0.0
        u = clip(1e4 * i * float(self.spreads[k] / (2 * self.mids[k])), 20.0)
        return mid * exp((u / 2 + known.beta * tilt(i, known)) / 1e4)

    def band(self, k: int, known: Learned) -> float | None:
        """m q sigma, sigma being at least the spread."""
        if known.sigma is None:
            return None
        return float(self.mids[k]) * known.factor * max(known.sigma, float(self.spreads[k] / self.mids[k]))

    def _forecasts(self) -> tuple[list[float], list[float | None]]:
        nothing = Learned(0.0, 0.0, None, 0, 1.645)
        known = [nothing, *self.learned]
        places = [bisect_left(self.marks, time) for time in self.times]
        values = [self.forecast(k, self.times[k], known[place]) for k, place in enumerate(places)]
        return values, [self.band(k, known[place]) for k, place in enumerate(places)]

    # Learning, on the marks.

    def _segments(self) -> list[tuple[int, int, int]]:
        """(first quote, last quote, heard until) of each time that the line was up."""
        ends = sorted(after for after in self.gaps if after < len(self.quotes))
        firsts = [0, *ends]
        lasts = [*(end - 1 for end in ends), len(self.quotes) - 1]
        until = [max(self.gaps[end], self.times[end - 1]) for end in ends]
        return list(zip(firsts, lasts, [*until, self.times[-1]], strict=True))

    def _learn(self) -> None:
        marks: list[MarkSeen] = []
        moves, imbalances, pairs = Aged(), Aged(), self.pairs
        factor, beta, down = 1.645, 0.0, self.times[0]
        for first, last, until in self._segments():
            before: Fraction | None = None
            for values in (moves, imbalances, pairs):
                values.gap += (self.times[first] - down) / SECOND
            down = until
            for number in range(ceil(Fraction(self.times[first], MARK)), ceil(Fraction(until, MARK))):
                k = bisect_right(self.times, number * MARK, first, last + 1) - 1
                mid = self.mids[k]
                earlier = next((mark for mark in marks if mark.number == number - 12), None)
                if earlier is not None:
                    if earlier.band is not None:
                        miss = float(abs(float(mid) - earlier.forecast) > earlier.band)
                        factor = max(0.05, factor * (1 + 0.03 * (miss - 0.1)))
                    move = log(mid / earlier.mid)
                    if earlier.tilt is not None and abs(move) <= 0.2:
                        pairs.add(earlier.tilt, 1e4 * move)
                        beta = slope(pairs)
                if before is not None and abs(log(mid / before)) <= 0.2:
                    moves.add(log(mid / before))
                before = mid
                i = self.imbalances[k]
                if i is not None:
                    imbalances.add(i)
                usual = root_mean_square(imbalances)
                known = Learned(usual, beta, sigma(moves), len(moves.rows), factor)
                time = number * MARK
                z = None if i is None else tilt(i, known)
                marks.append(MarkSeen(number, mid, z, self.forecast(k, time, known), self.band(k, known)))
                self.marks.append(time)
                self.learned.append(known)

    # Scores.

    def due(self, k: int) -> range:
        """The forecasts whose target time quote k has passed."""
        return range(bisect_left(self.times, self.times[k] - MINUTE, 0, k + 1))

    def given_up(self, k: int) -> int:
        """How many forecasts were due, or had lost their chance, when the line came back for the last time."""
        back = max((after for after in self.gaps if after <= k), default=None)
        return 0 if back is None else len(self.due(back))

    def _errors(self) -> tuple[list[float | None], list[Fraction | None]]:
        """Of each forecast, against the last quote at or before its target time; None if the line was down then."""
        known = pd.Series(self.times).searchsorted([time + MINUTE for time in self.times], side="right")
        errors: list[float | None] = []
        base_errors: list[Fraction | None] = []
        for j, later in enumerate(known):
            truth = int(later) - 1
            was_down = int(later) in self.gaps and self.gaps[int(later)] <= self.times[j] + MINUTE
            errors.append(None if was_down else abs(float(self.mids[truth]) - self.forecasts[j]))
            base_errors.append(None if was_down else abs(self.mids[truth] - self.mids[j]))
        return errors, base_errors

    def error(self, j: int) -> float:
        error = self.errors[j]
        assert error is not None
        return error

    def base_error(self, j: int) -> Fraction:
        error = self.base_errors[j]
        assert error is not None
        return error

    def scored(self, k: int, length: int) -> list[int]:
        """The scored forecasts with their target time in (t - length, t]."""
        first = bisect_right(self.times, self.times[k] - length - MINUTE)
        return [j for j in self.due(k)[first:] if self.errors[j] is not None]

    def error_mean(self, scored: list[int]) -> float | None:
        return fsum(self.error(j) for j in scored) / len(scored) if scored else None

    def base_error_mean(self, scored: list[int]) -> float | None:
        if not scored:
            return None
        total = sum(int(self.base_halves[j]) for j in scored)
        return float(Fraction(total, 2 * self.common * len(scored)))

    def p_value(self, k: int) -> float | None:
        """The test of Diebold and Mariano on the last fifteen complete minutes of target time."""
        due = [j for j in self.due(k) if self.errors[j] is not None]
        if not due:
            return None
        newest = (self.times[due[-1]] + MINUTE) // MINUTE
        if self.times[k] // MINUTE - newest >= 15:
            return None
        if newest not in self._p_values:
            self._p_values[newest] = self._p_value(due, newest)
        return self._p_values[newest]

    def _p_value(self, due: list[int], newest: int) -> float | None:
        rows = pd.DataFrame(
            {
                "minute": [(self.times[j] + MINUTE) // MINUTE for j in due],
                "difference": [float(Fraction(self.forecast_error_exactly(j)) - self.base_error(j)) for j in due],
            }
        )
        complete = rows[rows.minute < newest]
        if complete.empty:
            return None
        complete = complete[complete.minute > newest - 1 - 15]
        if complete.empty:
            return None
        return diebold_mariano(complete)

    def forecast_error_exactly(self, j: int) -> Fraction:
        """The error without a difference's rounding; exactly the baseline's where the forecast is the mid-price."""
        if self.forecasts[j] == float(self.mids[j]):
            return self.base_error(j)
        return Fraction(self.error(j))


def diebold_mariano(rows: pd.DataFrame) -> float | None:
    """Two-sided p of (minute, difference) rows: a sum over minutes, its neighbours at half weight, Student's t."""
    minutes = rows.groupby("minute").difference.agg(["sum", "count"])
    if len(minutes) < 2:
        return None
    mean = rows.difference.mean()
    from_mean = (minutes["sum"] - mean * minutes["count"]).reindex(
        range(minutes.index.min(), minutes.index.max() + 1), fill_value=0.0
    )
    here = from_mean.to_numpy()
    variance = float((here**2).sum() + 2 * 0.5 * (here[1:] * here[:-1]).sum())
    total = float(minutes["sum"].sum())
    if variance <= 0.0:
        return 1.0 if total == 0.0 else None
    t = total / sqrt(variance * len(minutes) / (len(minutes) - 1))
    return float(2 * stats.t.sf(abs(t), len(minutes) - 1))


def imbalance(quote: Seen) -> float | None:
    """(bid size - ask size) / (bid size + ask size); None without both sizes."""
    if not quote.bid_size or not quote.ask_size:
        return None
    bid, ask = Fraction(quote.bid_size), Fraction(quote.ask_size)
    return float((bid - ask) / (bid + ask))


def tilt(i: float, known: Learned) -> float:
    """z: the imbalance in units of its usual size, within 4."""
    return clip(i / known.usual_imbalance, 4.0) if known.usual_imbalance > 0 else 0.0


def clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))


class Aged:
    """What was learned from, in its order, and how many seconds of gaps had passed before each."""

    def __init__(self) -> None:
        self.gap = 0.0
        self.rows: list[tuple[float, ...]] = []
        self.gaps: list[float] = []

    def add(self, *values: float) -> None:
        self.rows.append(values)
        self.gaps.append(self.gap)

    def weights(self, seconds: float) -> "np.ndarray[Any, Any]":
        """The newest counts one; each older one less, by 5 seconds a row and by the gaps since."""
        rows = 5.0 * np.arange(len(self.rows) - 1, -1, -1)
        weights: np.ndarray[Any, Any] = np.exp(-(rows + self.gap - np.array(self.gaps)) / seconds)
        return weights


DAY = 86_400 / log(2)


def root_mean_square(values: Aged) -> float:
    if not values.rows:
        return 0.0
    w, squares = values.weights(DAY), np.square(np.array(values.rows)[:, 0])
    return sqrt(float((w * squares).sum() / w.sum()))


def slope(pairs: Aged) -> float:
    """beta = sum(w z d) / (sum(w z^2) + 3 (sum(w) + 720))."""
    z, d = np.array(pairs.rows).T
    w = pairs.weights(DAY)
    return float((w * z * d).sum() / ((w * z * z).sum() + 3 * (w.sum() + 720)))


def sigma(moves: Aged) -> float | None:
    """Of a minute: half the variance of about 5 minutes, half of about an hour; None before twelve returns."""
    if len(moves.rows) < 12:
        return None
    squares = np.square(np.array(moves.rows)[:, 0])
    fast, slow = moves.weights(300), moves.weights(3600)
    per_second = 0.5 * ((fast * squares).sum() / (5 * fast.sum()) + (slow * squares).sum() / (5 * slow.sum()))
    return sqrt(float(60 * per_second))


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


@cache
def rfc3339(time: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
