"""The rules by themselves: `update` interpreted, with insights, and compiled; and the notebook they replace."""

import time
from typing import Any

import numpy as np

from coinbase_insights.engine import compiled
from coinbase_insights.engine.fold import Columns
from coinbase_insights.engine.fold import fold as interpreted_fold
from coinbase_insights.engine.product import Product
from coinbase_insights.engine.state import NEVER, is_tidy, new_state, tidy
from coinbase_insights.engine.update import update
from coinbase_insights.quote import Quote, read_quote

from .notebook import microseconds
from .programs.slices import Slices
from .row import Row, at_most, best

START = 1_775_000_000_000_000
SLOW, BUSY = 5_000_000, 50_000
"""Microseconds between quotes: `ticker_batch`, and twenty a second."""
INTERPRETED = 40_001
WITH_INSIGHTS = 15_001
COMPILED = 100_000
EQUAL = 50_000
FASTEST = 1e6
HISTORIES = (1_000, 10_000)


def rows() -> list[Row]:
    """Measure all of them, one after the other."""
    slow, busy = quotes(INTERPRETED, SLOW), quotes(INTERPRETED, BUSY)
    update_cost = best(lambda: interpreted(slow))
    old_way = " and ".join(_notebook(history) for history in HISTORIES)
    assert_equal()
    return [
        at_most("update, a quote every 5 s", update_cost, 12, "us", f"notebook: {old_way}"),
        at_most("update, 20 quotes a second", best(lambda: interpreted(busy)), 12, "us"),
        Row("update + insight(), a quote every 5 s", f"{best(with_insights):.1f} us"),
        _speed("compiled, a quote every 5 s", SLOW, False),
        _speed("compiled, 20 quotes a second", BUSY, False),
        _speed("compiled with all figures, a quote every 5 s", SLOW, True),
        Row("interpreted equals compiled, bit for bit", f"{EQUAL:,} quotes, all columns", "equal", "", True),
    ]


def _notebook(history: int) -> str:
    return f"{best(lambda: microseconds(history)):,.0f} us at {history:,} rows"


def quotes(count: int, apart: int) -> dict[str, Any]:
    """A random walk in cents with varied spreads and sizes, as columns."""
    random = np.random.default_rng(1)
    bids = 6_746_900 + np.cumsum(random.integers(-300, 301, count))
    return {
        "times": START + apart * np.arange(count, dtype=np.int64) + random.integers(0, apart // 2, count),
        "bids": bids,
        "asks": bids + random.integers(1, 30, count),
        "bid_sizes": random.random(count) + 0.01,
        "ask_sizes": random.random(count) + 0.01,
    }


def interpreted(columns: dict[str, Any]) -> float:
    """Microseconds of CPU a quote, as the live tool folds it."""
    state, slices = new_state("tilt", 2), Slices()
    for moment, bid, ask, bid_size, ask_size in zip(*(column.tolist() for column in columns.values()), strict=True):
        slices.add()
        if not is_tidy(state):
            state = tidy(state)
        update(state, moment, bid, ask, bid_size, ask_size)
    return slices.least


def with_insights() -> float:
    """The same with every figure told as an `Insight` after each quote."""
    some = [_quote(*row) for row in zip(*(c.tolist() for c in quotes(WITH_INSIGHTS, SLOW).values()), strict=True)]
    product, slices = Product("BTC-USD"), Slices()
    for quote in some:
        slices.add()
        if product.accepts(quote):
            product.update(quote, quote.time * 1000)
            product.insight()
    return slices.least


def _quote(moment: int, bid: int, ask: int, bid_size: float, ask_size: float) -> Quote:
    sides = (f"{bid / 100:.2f}", f"{bid_size:.8f}", f"{ask / 100:.2f}", f"{ask_size:.8f}")
    quote = read_quote("BTC-USD", moment, None, *sides)
    assert isinstance(quote, Quote)
    return quote


def _columns(count: int, apart: int, with_figures: bool) -> Columns:
    heard_until = np.full(count, NEVER, dtype=np.int64)
    return compiled.columns([*quotes(count, apart).values(), heard_until], with_figures=with_figures)


def _speed(what: str, apart: int, with_figures: bool) -> Row:
    """Quotes a second on one core; that it is compiled first is not measured."""
    compiled.fold(new_state("tilt", 2), _columns(1000, apart, with_figures))

    def seconds() -> float:
        columns = _columns(COMPILED, apart, with_figures)
        began = time.process_time()
        compiled.fold(new_state("tilt", 2), columns)
        return time.process_time() - began

    speed = COMPILED / best(seconds, 20)
    return Row(what, f"{speed / 1e6:.2f} M quotes/s", f">= {FASTEST / 1e6:.0f} M quotes/s", "", speed >= FASTEST)


def assert_equal() -> None:
    """Fold the same quotes both ways and compare every number."""
    fast = _columns(EQUAL, SLOW, True)
    slow = Columns(*(column.tolist() for column in _columns(EQUAL, SLOW, True)))
    compiled.fold(new_state("tilt", 2), fast)
    state, row = new_state("tilt", 2), 0
    while (row := interpreted_fold(state, slow, row)) < EQUAL:
        state = tidy(state)
    for name, ours, theirs in zip(Columns._fields, fast, slow, strict=True):
        assert np.array_equal(ours, np.array(theirs), equal_nan=True), f"{name} differs"
