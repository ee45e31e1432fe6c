"""Made-up quotes for the engine, and the plainest way to fold them."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from coinbase_insights.engine.fold import FIGURES, write_figures
from coinbase_insights.engine.state import (
    NEVER,
    UNSCORED,
    WINDOW_1M,
    WINDOW_5M,
    WINDOW_15M,
    State,
    is_tidy,
    new_state,
    tidy,
)  # fmt: skip
from coinbase_insights.engine.update import break_line, update
from coinbase_insights.engine.window import is_full

START = 1_795_352_400_000_000
SECOND = 1_000_000


class Row(NamedTuple):
    """One quote as the engine takes it; `heard_until` where the line was down before it."""

    time: int
    bid: int
    ask: int
    bid_size: float = 0.0
    ask_size: float = 0.0
    heard_until: int = NEVER


def random_rows(seed: int, count: int, step: float = 5.0, *, sizes: bool = True, start: int = START) -> list[Row]:
    """A walk with quiet stretches, equal times, gaps, locked quotes, and now and then a price that is far off."""
    random = Random(seed)
    rows: list[Row] = []
    time, bid = start, 166_000
    for _ in range(count):
        heard_until = NEVER
        chance = random.random()
        if chance < 0.01 and rows:
            heard_until = time + random.randrange(20 * SECOND)
            time = heard_until + random.choice([1, 3, 70, 1000]) * SECOND
        elif chance > 0.1:
            time += random.randrange(1 + int(step * 2e6))
        bid = max(1000, bid + random.randrange(-30, 31))
        price = bid * random.choice([10, 1000]) if random.random() < 0.005 else bid
        known = sizes and random.random() < 0.95
        pair = (random.uniform(0.01, 9.0), random.uniform(0.01, 9.0)) if known else (0.0, 0.0)
        rows.append(Row(time, price, price + random.choice([0, 1, 1, 2, 50]), *pair, heard_until))
    return rows


def take(state: State, row: Row) -> State:
    """Fold one quote; give the state, which may have grown."""
    if not is_tidy(state):
        state = tidy(state)
    if row.heard_until != NEVER:
        break_line(state, row.heard_until)
    update(state, row.time, row.bid, row.ask, row.bid_size, row.ask_size)
    return state


def figures(state: State, time: int) -> dict[str, float]:
    """Every figure by its name, with how many forecasts are without a score, and which windows are full."""
    values = [0.0] * len(FIGURES)
    write_figures(state, values)
    named = dict(zip(FIGURES, values, strict=True)) | {"unscored": state.whole[UNSCORED]}
    lengths = {"1m": WINDOW_1M, "5m": WINDOW_5M, "15m": WINDOW_15M}
    return named | {f"full_{name}": is_full(state, time, length) for name, length in lengths.items()}


def played(rows: Sequence[Row], state: State | None = None, forecaster: str = "tilt") -> Iterator[dict[str, float]]:
    """Fold quote after quote, and give the figures after each."""
    state = state or new_state(forecaster)
    for row in rows:
        state = take(state, row)
        yield figures(state, row.time)


def bits(insights: object) -> str:
    """What two runs must have the same of: every bit of every number, NaN too."""
    return repr(insights)
