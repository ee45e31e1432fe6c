"""Interpreted equals compiled, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinbase_insights.engine import compiled
from coinbase_insights.engine import state as memory
from coinbase_insights.engine.fold import FIGURES, Columns, fold
from coinbase_insights.engine.insight import Insight
from coinbase_insights.engine.product import Product
from coinbase_insights.engine.state import State, new_state, save, tidy
from coinbase_insights.log.journal import read
from coinbase_insights.models.history import histories
from coinbase_insights.pipe import Pipe
from quotes import SECOND, START, Row, bits, random_rows
from test_figures import RECORDINGS

LOADED = "from coinbase_insights.engine import compiled; print(compiled.is_compiled())"
FORECASTERS = ("last", "trend", "tilt")


def interpreted(state: State, quotes: Columns) -> State:
    """What `compiled.fold` does, without the compiler."""
    plain = quotes._replace(**{name: getattr(quotes, name).tolist() for name in Columns._fields[:6]})
    row = fold(state, plain, 0)
    while row < len(plain.times):
        state = tidy(state)
        row = fold(state, plain, row)
    return state


def assert_same_bits(history: Any, forecaster: str, decimals: int = 0) -> Columns:
    slow, fast = (compiled.columns(history, with_figures=True) for _ in range(2))
    slow_state = interpreted(new_state(forecaster, decimals), slow)
    fast_state = compiled.fold(new_state(forecaster, decimals), fast)
    for name in Columns._fields:
        assert np.array_equal(getattr(slow, name).view(np.int64), getattr(fast, name).view(np.int64)), name
    assert bits(save(slow_state)) == bits(save(fast_state))
    return fast


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize(("name", "channel"), RECORDINGS)
def test_compiled_equals_interpreted_on_a_recording(
    name: str, channel: str, forecaster: str, shared_data: Path
) -> None:
    for history in histories(shared_data / name, channel):
        assert_same_bits(history[2:], forecaster, history.decimals)


@settings(max_examples=20)  # Each of hundreds of quotes.
@given(st.integers(0, 10**9), st.sampled_from(FORECASTERS))
def test_compiled_equals_interpreted_on_anything(seed: int, forecaster: str) -> None:
    assert_same_bits(list(zip(*random_rows(seed, 500), strict=True)), forecaster)


def test_compiled_equals_interpreted_when_totals_come_near_64_bits() -> None:
    rows = [row._replace(bid=row.bid + 10**12 - 10**9, ask=row.ask + 10**12 - 10**9) for row in random_rows(1, 3000)]
    assert_same_bits(list(zip(*[row for row in rows if row.ask <= 10**12], strict=True)), "tilt")


def test_a_forecast_without_a_score_has_no_error_of_nothing_changes_either() -> None:
    rows = random_rows(3, 3000)
    columns = assert_same_bits(list(zip(*rows, strict=True)), "tilt")
    unscored = columns.errors == -1.0
    assert unscored.any()
    assert np.array_equal(columns.base_errors == -1.0, unscored)
    assert np.array_equal(np.isnan(columns.base_errors), np.isnan(columns.errors))


def test_a_forecast_that_was_dropped_to_make_room_is_unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SMALLEST_RING", 16)
    monkeypatch.setattr(memory, "LARGEST_RING", 32)
    rows = [Row(START + second * SECOND, 1000 + second, 1001 + second) for second in range(200)]
    columns = assert_same_bits(list(zip(*rows, strict=True)), "tilt")
    assert columns.errors[:168].tolist() == columns.base_errors[:168].tolist() == [-1.0] * 168
    assert np.isnan(columns.errors[168:]).all()


def by_name(insight: Insight) -> dict[str, float | None]:
    """The figures of `fold` that an insight has too."""
    names = ("one", "five", "fifteen")
    lengths = ("1m", "5m", "15m")
    values: dict[str, float | None] = {
        "mid_price": insight.mid_price, "spread": insight.spread, "max_spread": insight.max_spread.value,
        "forecast": insight.forecast.value, "p_value": insight.skill.p_value, "skill": insight.skill.value,
        "band_hit_rate": insight.band_hit_rate.value, "bands_15m": insight.band_hit_rate.count,
    }  # fmt: skip
    for name, length in zip(names, lengths, strict=True):
        values[f"mid_price_mean_{length}"] = getattr(insight.mid_price_mean, name).value
        values[f"quotes_{length}"] = getattr(insight.mid_price_mean, name).count
        values[f"forecast_error_mean_{length}"] = getattr(insight.forecast_error_mean, name).value
        values[f"baseline_error_mean_{length}"] = getattr(insight.baseline_error_mean, name).value
        values[f"scored_{length}"] = getattr(insight.forecast_error_mean, name).count
    return values


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize(("name", "channel"), RECORDINGS)
def test_what_is_seen_live_is_what_backtest_computes(
    name: str, channel: str, forecaster: str, shared_data: Path
) -> None:
    live: dict[str, list[Insight]] = {}
    pipe = Pipe(channel=channel, forecaster=forecaster)
    for item in read(shared_data / name):
        for product in pipe.take(item):
            live.setdefault(product.product_id, []).append(product.insight())
    for history in histories(shared_data / name, channel):
        quotes = compiled.columns(history[2:], with_figures=True)
        compiled.fold(new_state(forecaster, history.decimals), quotes)
        seen = live.get(history.product_id, [])
        for insight, row in zip(seen, quotes.figures, strict=True):
            past = dict(zip(FIGURES, row.tolist(), strict=True))
            for figure, value in by_name(insight).items():
                assert bits(past[figure]) == bits(float("nan") if value is None else float(value)), figure


def test_a_product_gives_the_figures_of_its_state() -> None:
    with pytest.raises(ValueError, match="there is no forecaster 'best'"):
        Product("ETH-USD", "best")
    with pytest.raises(ValueError, match="no quote yet"):
        Product("ETH-USD").insight()


def test_where_machine_code_cannot_be_kept_it_is_made_each_time() -> None:
    environment = os.environ | {"XDG_CACHE_HOME": "/dev/null"}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
