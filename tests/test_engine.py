"""The laws of the engine."""

from fractions import Fraction
from math import fsum, isnan, nan
from random import Random
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from scipy import stats  # type: ignore[import-untyped]
from sklearn.linear_model import LinearRegression

from coinbase_insights.engine import compiled
from coinbase_insights.engine import state as memory
from coinbase_insights.engine.insight import Insight
from coinbase_insights.engine.skill import student, two_sided_p
from coinbase_insights.engine.state import NEVER, Saved, load, new_state, rescale, save
from coinbase_insights.message import Item, Message
from faults.tape import Tape, play
from quotes import SECOND, START, Row, bits, figures, played, random_rows, take

FORECASTERS = ("last", "trend", "tilt")
LENGTHS = {"1m": 60 * SECOND, "5m": 300 * SECOND, "15m": 900 * SECOND}
seeds = st.integers(0, 10**9)
few = settings(max_examples=20)
"""Each example is hundreds of quotes."""
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, SECOND, 5 * SECOND, 30 * SECOND, 60 * SECOND, 299 * SECOND]),
        st.integers(1, 10**9),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=60,
)


def rows_of(walk: list[tuple[int, int, int]]) -> list[Row]:
    times = np.cumsum([step for step, _, _ in walk]) + START
    return [Row(int(time), bid, bid + spread) for time, (_, bid, spread) in zip(times, walk, strict=True)]


@given(steps)
def test_a_window_holds_what_its_definition_says(walk: list[tuple[int, int, int]]) -> None:
    rows = rows_of(walk)
    *_, newest = played(rows)
    for name, length in LENGTHS.items():
        inside = [row for row in rows if rows[-1].time - length < row.time <= rows[-1].time]
        exact = Fraction(sum(row.bid + row.ask for row in inside), 2 * len(inside))
        assert newest[f"quotes_{name}"] == len(inside)
        assert newest[f"mid_price_mean_{name}"] == pytest.approx(float(exact), rel=1e-12)
        assert newest[f"full_{name}"] == (rows[0].time <= rows[-1].time - length)


@given(steps)
def test_a_window_is_the_last_bin_of_pandas_resample(walk: list[tuple[int, int, int]]) -> None:
    rows = rows_of(walk)
    *_, newest = played(rows)
    index = pd.to_datetime([row.time for row in rows], unit="us")
    mids = pd.Series([(row.bid + row.ask) / 2 for row in rows], index=index)
    for name, length in LENGTHS.items():
        bins = mids.resample(pd.Timedelta(length, "us"), origin="end")
        assert newest[f"mid_price_mean_{name}"] == pytest.approx(bins.mean().iloc[-1], rel=1e-9)
        assert newest[f"quotes_{name}"] == bins.count().iloc[-1]


@given(steps)
def test_the_biggest_spread_is_exact_and_stays(walk: list[tuple[int, int, int]]) -> None:
    rows = rows_of(walk)
    *_, newest = played(rows, new_state(decimals=2))
    assert newest["max_spread"] == float(Fraction(max(row.ask - row.bid for row in rows), 100))
    assert newest["spread"] == float(Fraction(rows[-1].ask - rows[-1].bid, 100))
    assert newest["mid_price"] == float(Fraction(rows[-1].ask + rows[-1].bid, 200))


@few
@given(seeds, st.integers(1, 299), st.sampled_from(FORECASTERS))
def test_a_run_that_is_saved_and_loaded_anywhere_goes_on_bit_for_bit(seed: int, cut: int, forecaster: str) -> None:
    rows = random_rows(seed, 300)
    whole = list(played(rows, forecaster=forecaster))
    state = new_state(forecaster)
    for row in rows[:cut]:
        state = take(state, row)
    state = load(msgspec.msgpack.decode(msgspec.msgpack.encode(save(state)), type=Saved))
    assert bits(list(played(rows[cut:], state))) == bits(whole[cut:])


def test_a_state_that_is_loaded_is_the_one_that_was_saved() -> None:
    state = new_state()
    for row in random_rows(1, 500):
        state = take(state, row)
    assert bits(load(msgspec.msgpack.decode(msgspec.msgpack.encode(save(state)), type=Saved))) == bits(state)


@few
@given(seeds, st.integers(0, 299), st.integers(1, 4), st.sampled_from(FORECASTERS))
def test_finer_units_change_no_figure(seed: int, cut: int, more: int, forecaster: str) -> None:
    rows = random_rows(seed, 300)
    whole = list(played(rows, forecaster=forecaster))
    state = new_state(forecaster)
    for row in rows[:cut]:
        state = take(state, row)
    rescale(state, more)
    finer = [row._replace(bid=row.bid * 10**more, ask=row.ask * 10**more) for row in rows[cut:]]
    assert bits(list(played(finer, state))) == bits(whole[cut:])


@few
@given(seeds, st.sampled_from([4, 64]))
def test_a_ring_that_grows_changes_no_figure(seed: int, size: int) -> None:
    rows = random_rows(seed, 300)
    whole = list(played(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "SMALLEST_RING", size)
        assert bits(list(played(rows))) == bits(whole)


@few
@given(seeds, st.integers(0, 299))
def test_totals_that_start_anew_change_no_figure(seed: int, cut: int) -> None:
    rows = random_rows(seed, 300)
    state = new_state()
    for row in rows[:cut]:
        state = take(state, row)
    memory.rebase(state)
    assert bits(list(played(rows[cut:], state))) == bits(list(played(rows))[cut:])


def test_the_ring_stops_growing_when_it_spans_sixteen_minutes() -> None:
    state = new_state()
    for second in range(20_000):
        state = take(state, Row(START + second * SECOND, 100 + second % 7, 110))
    assert {len(getattr(state, name)) for name in memory._RING} == {1024}
    assert len(msgspec.msgpack.encode(save(state))) < 200_000


def test_a_ring_of_the_largest_size_drops_the_oldest_and_calls_no_window_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SMALLEST_RING", 16)
    monkeypatch.setattr(memory, "LARGEST_RING", 64)
    rows = [Row(START + second * SECOND, 1000 + second, 1001 + second) for second in range(2000)]
    *_, newest = played(rows)
    assert newest["quotes_1m"] == 60
    assert newest["full_1m"]
    assert newest["quotes_5m"] == newest["quotes_15m"] == 64
    assert newest["mid_price_mean_15m"] == pytest.approx(fsum(row.bid + 0.5 for row in rows[-64:]) / 64, rel=1e-12)
    assert not newest["full_5m"]
    assert not newest["full_15m"]


def test_a_ring_too_small_for_the_horizon_scores_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SMALLEST_RING", 16)
    monkeypatch.setattr(memory, "LARGEST_RING", 32)
    *_, newest = played([Row(START + second * SECOND, 1000 + second, 1001 + second) for second in range(200)])
    assert (newest["scored_1m"], newest["scored_15m"]) == (0, 0)
    assert newest["unscored"] == 200 - 32
    assert isnan(newest["forecast_error_mean_15m"])


def million() -> list[Any]:
    """Ten a second for a day; now and then a thousand times the price, for one quote or for a while."""
    random = np.random.default_rng(7)
    count = 1_000_000
    times = START + np.arange(count) * 100_000
    bids = np.maximum(1000, 6_800_000 + np.cumsum(random.integers(-50, 51, count)))
    jumps = random.random(count) < 0.0005
    jumps[500_000:500_300] = True
    bids = np.where(jumps, bids * 1000, bids)
    asks = bids + random.integers(0, 500, count)
    nothing = np.zeros(count)
    never = np.full(count, NEVER)
    return [times, bids, asks, random.random(count) + 0.01, random.random(count) + 0.01, never + nothing.astype(int)]


def test_after_a_million_quotes_no_sum_has_drifted() -> None:
    history = million()
    quotes = compiled.columns(history)
    state = compiled.fold(new_state("tilt", 2), quotes)
    times, newest = quotes.times, figures(state, int(quotes.times[-1]))
    for name, length in LENGTHS.items():
        inside = times > times[-1] - length
        mid2 = int((quotes.bids[inside] + quotes.asks[inside]).sum())
        mean = Fraction(mid2, 200 * int(inside.sum()))
        assert newest[f"mid_price_mean_{name}"] == pytest.approx(float(mean), rel=1e-12)
        due = (times + 60 * SECOND > times[-1] - length) & (times + 60 * SECOND < times[-1])
        assert newest[f"scored_{name}"] == due.sum()
        for figure, errors in (("forecast", quotes.errors[due]), ("baseline", quotes.base_errors[due])):
            assert newest[f"{figure}_error_mean_{name}"] == pytest.approx(fsum(errors) / int(due.sum()), rel=1e-9)
    assert newest["skill"] == pytest.approx(1 - fsum(quotes.errors[due]) / fsum(quotes.base_errors[due]), rel=1e-9)


@few
@given(seeds, st.integers(1, 250), st.sampled_from(FORECASTERS))
def test_another_future_changes_no_figure_of_the_past(seed: int, now: int, forecaster: str) -> None:
    rows = random_rows(seed, 300)
    later = [row for row in random_rows(seed + 1, 300, start=rows[now].time) if row.heard_until == NEVER]
    past = list(played(rows, forecaster=forecaster))[: now + 1]
    assert bits(list(played(rows[: now + 1] + later, forecaster=forecaster))[: now + 1]) == bits(past)


@few
@given(seeds, st.sampled_from(FORECASTERS))
def test_a_forecast_is_judged_as_it_was_made(seed: int, forecaster: str) -> None:
    rows = [row._replace(heard_until=NEVER) for row in random_rows(seed, 200)]
    made = [insight["forecast"] for insight in played(rows, forecaster=forecaster)]
    columns: list[Any] = list(zip(*rows, strict=True))
    quotes = compiled.columns(columns)
    compiled.fold(new_state(forecaster), quotes)
    times = [row.time for row in rows]
    for k, forecast in enumerate(made):
        known = int(np.searchsorted(times, times[k] + 60 * SECOND, side="right"))
        truth = (rows[known - 1].bid + rows[known - 1].ask) / 2
        expected = abs(truth - forecast) if known < len(rows) else nan
        assert quotes.errors[k] == pytest.approx(expected, rel=1e-12, abs=0, nan_ok=True)


@few
@given(seeds, st.integers(2, 300))
def test_trend_is_the_line_of_scikit_learn(seed: int, count: int) -> None:
    rows = random_rows(seed, count)
    *_, newest = played(rows, forecaster="trend")
    seconds = [[(row.time - START) / SECOND] for row in rows]
    line = LinearRegression().fit(seconds, [(row.bid + row.ask) / 2 for row in rows])
    expected = float(line.predict([[seconds[-1][0] + 60.0]])[0])
    assert newest["forecast"] == pytest.approx(expected, rel=1e-9)


def test_without_sizes_tilt_is_last_and_there_is_no_skill_to_speak_of() -> None:
    rows = random_rows(3, 1500, sizes=False)
    tilt, last = list(played(rows)), list(played(rows, forecaster="last"))
    assert bits([insight["forecast"] for insight in tilt]) == bits([insight["mid_price"] for insight in last])
    assert {insight["p_value"] for insight in tilt if not isnan(insight["p_value"])} == {1.0}
    assert {round(insight["skill"], 12) for insight in tilt if not isnan(insight["skill"])} == {0.0}


@given(st.floats(0.0, 40.0), st.integers(1, 14))
def test_students_t_is_that_of_scipy(t: float, freedom: int) -> None:
    assert 1.0 - student(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=15))
def test_the_p_value_of_unequal_minutes_is_between_0_and_1(sums: list[float]) -> None:
    p = two_sided_p(fsum(sums), fsum(value * value for value in sums), len(sums))
    assert isnan(p) or 0.0 <= p <= 1.0


def test_a_minute_alone_proves_nothing() -> None:
    assert isnan(two_sided_p(5.0, 1.0, 1))
    assert two_sided_p(0.0, 0.0, 5) == 1.0
    assert isnan(two_sided_p(5.0, 0.0, 5))


@few
@given(seeds)
def test_heartbeats_change_no_figure_while_the_line_is_up(seed: int) -> None:
    random, tape, seconds = Random(seed), Tape(), 1.0
    for _ in range(60):
        cents, seconds = random.randrange(166_000, 166_100), round(seconds + random.uniform(0.0, 20.0), 6)
        tape.quote(seconds, best_bid=f"{cents / 100:.2f}", best_ask="1661.10").heartbeat(seconds + 0.5)
    quotes: list[Item] = [item for item in tape.items[2:] if isinstance(item, Message) and b'"ticker"' in item.data]
    _, with_beats = play(tape)
    _, without = play(tape.items[:2] + quotes)
    assert [figures_of(insight) for insight in with_beats] == [figures_of(insight) for insight in without]


def figures_of(insight: Insight) -> Insight:
    """All but the count of heartbeats that did not come."""
    return structs.replace(insight, missed=0)


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9), st.integers(2, 10_000))
def test_a_p_value_is_a_share(total: float, variance: float, minutes: int) -> None:
    assert 0.0 <= two_sided_p(total, variance, minutes) <= 1.0
