"""Every figure of the pipe equals its slowest definition, on everything that was ever recorded."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from coinbase_insights.engine.insight import Insight
from coinbase_insights.log.journal import read
from coinbase_insights.message import Item, Message
from coinbase_insights.pipe import Pipe
from coinbase_insights.quote import read_time
from faults.tape import Tape
from oracle import Gap, Oracle, Seen

RECORDINGS = [
    ("exchange_2026-04-05_BTC-USD_ticker_batch_derived.rec", "ticker_batch"),
    ("exchange_2025-11-12_BTC-USD_ticker.rec", "ticker"),
    ("exchange_2021-04-17_10_products.rec", "ticker"),
    ("exchange_2021-04-17_10_products.rec", "level2"),
    ("advanced_2026-04-05_BTC-USD_ticker.rec", "ticker"),
    ("advanced_2026-08-09_BTC_ETH_all_channels.rec", "ticker"),
    ("advanced_2026-08-09_BTC_ETH_all_channels.rec", "level2"),
]
FORECASTERS = ("last", "trend", "tilt")


class Played:
    """What a pipe made of a recording: every product's folded quotes, gaps and insights."""

    def __init__(self, items: Iterable[Item], channel: str, forecaster: str) -> None:
        self.pipe = Pipe(channel=channel, forecaster=forecaster)
        self.quotes: dict[str, list[Seen]] = defaultdict(list)
        self.gaps: dict[str, list[Gap]] = defaultdict(list)
        self.insights: dict[str, list[Insight]] = defaultdict(list)
        heard, lag = (
            0,
            5_000_000 if channel == "ticker_batch" else 0,
        )  # A quote may be sent so much later than its time.
        for item in items:
            gaps = self.pipe.counts.gaps
            folded = list(self._folded(item))
            if self.pipe.counts.gaps > gaps:
                for product_id in self.quotes:
                    self.gaps[product_id].append(Gap(len(self.quotes[product_id]), heard - lag))
            for product_id, quote, insight in folded:
                self.quotes[product_id].append(quote)
                self.insights[product_id].append(insight)
            heard = max(heard, time_in(item))

    def _folded(self, item: Item) -> Iterable[tuple[str, Seen, Insight]]:
        for product in self.pipe.take(item):
            q = product.quote
            assert q is not None
            seen = Seen(q.time, q.best_bid, q.best_ask, q.best_bid_size, q.best_ask_size)
            yield product.product_id, seen, product.insight()


def time_in(item: Item) -> int:
    """The exchange time that a ticker, a heartbeat or a change of the book carries."""
    if not isinstance(item, Message):
        return 0
    message = json.loads(item.data)
    if message.get("type", message.get("channel")) in ("ticker", "heartbeat", "heartbeats", "l2update", "l2_data"):
        return read_time(message.get("time") or message.get("timestamp") or "") or 0
    return 0


def assert_same(expected: Any, actual: Any, close: float, path: str = "") -> None:
    """Compare figure by figure; numbers may be off by 1e-9 of themselves, or by `close`."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_same(value, actual[name], close, f"{path}.{name}")
    elif isinstance(expected, float) and isinstance(actual, int | float):
        slack = close if "forecast" in path or "error" in path else 1e-9 if "skill" in path else 0.0
        assert actual == pytest.approx(expected, rel=1e-9, abs=slack), path
    else:
        assert actual == expected, path


def assert_equals_oracle(played: Played, forecaster: str) -> int:
    """Compare a hundred insights or so of each product, the last among them; give how many quotes there were."""
    for product_id, quotes in played.quotes.items():
        oracle = Oracle(quotes, played.gaps[product_id], forecaster)
        for k in range(len(quotes) - 1, -1, -1 - len(quotes) // 150):
            actual = msgspec.to_builtins(played.insights[product_id][k])
            assert_same(oracle.figures(k), actual, 1e-9 * float(oracle.mids[k]), f"{product_id}[{k}]")
        if forecaster == "trend":
            for k in range(0, len(quotes), max(1, len(quotes) // 50)):
                assert oracle.forecasts[k] == pytest.approx(oracle.trend_by_scikit_learn(k), rel=1e-9)
    return sum(len(quotes) for quotes in played.quotes.values())


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize(("name", "channel"), RECORDINGS)
def test_every_figure_of_a_recording_equals_its_definition(
    name: str, channel: str, forecaster: str, shared_data: Path
) -> None:
    played = Played(read(shared_data / name), channel, forecaster)
    assert assert_equals_oracle(played, forecaster) > 30
    assert played.pipe.counts.bad.total() == 0


def tape_of_troubles(seed: int) -> Tape:
    """Forty minutes with gaps, doubles, silence, quotes of one time, prices of more decimals, and lone sizes."""
    random = Random(seed)
    tape = Tape()
    cents = 166_000
    second = 1.0
    while second < 2400:
        tape.heartbeat(second)
        event = random.random()
        if event < 0.004:
            tape.lost(second + 0.5)
            second += random.choice([1, 7, 40, 61, 200])
            tape.opened(second).heartbeat(second)
        elif event < 0.01:
            second += random.choice([20, 45, 59])
        elif event < 0.5:
            cents += random.choice([-40, -3, -1, 0, 1, 3, 40])
            quotes(tape, second + random.choice([0.25, 0.5, 0.75]), cents, random)
        second += 1.0
    return tape


def quotes(tape: Tape, second: float, cents: int, random: Random) -> None:
    """One to three quotes of one time, the newest perhaps twice."""
    for _ in range(random.choice([1, 1, 1, 3])):
        finer = random.choice(["", "", "", "5", "25"])
        bid, ask = f"{cents / 100:.2f}{finer}", f"{(cents + random.choice([1, 2, 9])) / 100:.2f}{finer}"
        sizes: dict[str, Any] = {}
        if random.random() < 0.1:
            sizes = {"best_bid_size": ...}
        elif random.random() < 0.8:
            sizes = {"best_bid_size": f"{random.random() + 0.01:.8f}", "best_ask_size": f"{random.random() + 0.01:.8f}"}
        tape.quote(second, best_bid=bid, best_ask=ask, **sizes)
    if random.random() < 0.1:
        tape.raw(second + 0.1, tape.last)


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_figure_equals_its_definition_through_gaps_doubles_and_silence(seed: int, forecaster: str) -> None:
    played = Played(tape_of_troubles(seed).items, "ticker_batch", forecaster)
    assert assert_equals_oracle(played, forecaster) > 500
    counts = played.pipe.counts
    assert min(counts.gaps, counts.duplicates, played.insights["ETH-USD"][-1].unscored) > 0


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_every_figure_equals_its_definition_when_quotes_come_right_on_the_marks(forecaster: str) -> None:
    tape = Tape().quotes_until(5, 300).lost(300.5).opened(325).quotes_until(325, 600)
    assert assert_equals_oracle(Played(tape.items, "ticker_batch", forecaster), forecaster) == 116
