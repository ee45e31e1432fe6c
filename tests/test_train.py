"""Training: the regression it is, on any number of rows, judged on time that it has not seen."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from coinbase_insights.engine.model import Model
from coinbase_insights.engine.state import Learned, learned
from coinbase_insights.errors import LockedError, ModelError, UsageError
from coinbase_insights.lake.build import build, by_product
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.folding import fold, same_units
from coinbase_insights.lake.repair import repair
from coinbase_insights.lake.tables import QUOTES
from coinbase_insights.lake.trained import fits, rows
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.journal import read
from coinbase_insights.message import Opened
from coinbase_insights.models.folder import Standing
from coinbase_insights.models.registry import champion, next_version, only_champion, register
from coinbase_insights.models.train import HeldOut, Trained, model_to_train, train, verdict
from lakes import lake_of, long_walk, pulled
from test_figures import Played

RECORDING = "advanced_2026-04-05_BTC-USD_ticker.rec"
TILT = model_to_train("tilt", 1, "tilt")
HOUR = HeldOut(seconds=3600.0)


@pytest.mark.parametrize("name", ["walk", RECORDING])
def test_what_is_learned_is_the_ridge_regression_of_scikit_learn(name: str, shared_data: Path, tmp_path: Path) -> None:
    items = long_walk(3.5) if name == "walk" else list(read(shared_data / name))
    lake = lake_of(tmp_path, items)
    build(lake, "ticker", "tilt")

    trained = train(lake, TILT, HeldOut(0.2))

    played = Played(items, "ticker", "tilt")
    for product_id, quotes in played.quotes.items():
        expected = oracle_of(played, product_id, quotes).beta_by_scikit_learn()
        assert trained.learned[product_id].beta == pytest.approx(expected, rel=1e-9)


def oracle_of(played: Played, product_id: str, quotes: Any) -> Any:
    from oracle import Oracle

    return Oracle(quotes, played.gaps[product_id], "tilt")


def test_however_the_rows_are_cut_the_same_is_learned_and_scored(built: str) -> None:
    assert train(built, TILT, HOUR, rows=97) == train(built, TILT, HOUR)


def test_scores_are_those_of_a_forecaster_that_never_saw_the_held_out_time(built: str, tmp_path: Path) -> None:
    trained = train(built, TILT, HOUR)
    quotes = Delta(built, QUOTES)
    table = pa.concat_tables(quotes.rows(0, quotes.landed(QUOTES.name)))
    times = table.column("time").cast(pa.int64()).to_numpy()
    earlier = Delta(str(tmp_path), QUOTES, create=True)
    earlier.land(QUOTES.name, 0, [table.filter(pa.array(times <= trained.cut))], 0)

    taught = TILT._replace(learned=train(str(tmp_path), TILT, HeldOut(seconds=300.0)).learned)

    later = table.filter(pa.array(times > trained.cut))
    for product_id in ("BTC-USD", "ETH-USD"):
        state = taught.new_state(product_id)
        mine = later.filter(pa.compute.equal(later.column("product_id"), product_id))
        outcomes = fold(state, mine, same_units(state, mine)[1]).outcomes
        scored = outcomes.errors >= 0
        error = np.mean(1e4 * outcomes.errors[scored] / outcomes.mids[scored])
        (found,) = (each for each in trained.scores if each.product_id == product_id)
        assert found.error_bp == pytest.approx(error, rel=1e-12)
        assert found.scored == scored.sum()


def test_a_tilt_that_helps_becomes_the_champion_and_the_same_again_does_not(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, pulled(8.0))
    build(lake, "ticker", "tilt")

    first = trained_in(lake)
    second = trained_in(lake)

    assert first.champion
    assert "less wrong than saying" in first.reason
    assert not second.champion
    assert "too little time that neither has seen" in second.reason
    assert only_champion(lake).name == "tilt/1"
    assert [(row["version"], row["champion"]) for row in rows(lake)] == [(1, True), (2, False)]


def trained_in(lake: str) -> Any:
    model = model_to_train("tilt", next_version(lake, "tilt"), "tilt")
    present = champion(lake, "tilt")
    return register(lake, model, train(lake, model, HeldOut(0.2), present), present)[0]


def test_a_lake_without_a_champion_says_so(built: str) -> None:
    with pytest.raises(ModelError, match="has no champion: no model was trained in it"):
        only_champion(built)


@pytest.mark.parametrize(
    ("skill", "p_value", "is_champion"),
    [(0.1, 0.01, True), (0.1, 0.06, False), (-0.1, 0.01, False), (0.1, None, False), (None, 0.01, False)],
)
def test_only_who_is_better_by_more_than_chance_is_the_champion(
    skill: float | None, p_value: float | None, is_champion: bool
) -> None:
    met = Standing("*", "tilt/1", 100, 0, 1.0, 1.1, skill, p_value, 0.9, 10.0)

    assert verdict([met])[0] is is_champion


def test_what_a_killed_training_has_left_is_never_written_over(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    left = Path(lake) / "_models" / "tilt" / "1"
    left.mkdir(parents=True)
    (left / "model.json").write_text("{}")  # As a kill between two files leaves it.

    card = trained_in(lake)

    assert card.version == 2
    assert (left / "model.json").read_text() == "{}"


def test_a_whole_model_that_the_table_does_not_name_is_not_written_over(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    trained_in(lake)
    before = (tmp_path / "_models" / "tilt" / "1" / "model.json").read_bytes()
    (tmp_path / "models").rename(tmp_path / "aside")  # As a repair may do.

    assert trained_in(lake).version == 2
    assert (tmp_path / "_models" / "tilt" / "1" / "model.json").read_bytes() == before


def test_of_two_that_train_the_same_version_only_the_first_is_kept(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    slow = train(lake, TILT, HeldOut(0.2))
    trained_in(lake)

    before = (tmp_path / "_models" / "tilt" / "1" / "card.json").read_bytes()

    with pytest.raises(LockedError, match="tilt/1 was trained by another process"):
        register(lake, TILT, slow)
    assert [row["version"] for row in rows(lake)] == [1]
    assert (tmp_path / "_models" / "tilt" / "1" / "card.json").read_bytes() == before


def test_many_that_train_at_once_write_each_version_once_and_nobody_s_files_are_replaced(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    trained = train(lake, TILT, HeldOut(0.4))

    def one(number: int) -> bool:
        taught = {name: each._replace(returns=each.returns + number) for name, each in trained.learned.items()}
        model = model_to_train("tilt", next_version(lake, "tilt"), "tilt")
        try:
            register(lake, model, trained._replace(learned=taught))
        except LockedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = sum(pool.map(one, range(24)))

    assert 1 <= kept == len(rows(lake)) == len({row["version"] for row in rows(lake)})
    assert all(fits(lake, row) for row in rows(lake))


def test_who_was_compared_with_a_champion_that_is_none_any_more_is_not_kept(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, pulled(8.0))
    build(lake, "ticker", "tilt")
    slow = train(lake, TILT, HeldOut(0.2))
    assert trained_in(lake).champion

    with pytest.raises(LockedError, match="has got another champion"):
        register(lake, TILT._replace(name="tilt/2"), slow)


def test_models_whose_numbers_are_gone_are_found_and_the_others_are_kept(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    trained_in(lake)
    trained_in(lake)
    (tmp_path / "_models" / "tilt" / "2" / "model.json").unlink()

    report = verify(lake, tmp_path / "journal")
    said = list(repair(lake, tmp_path / "journal", report))

    assert report.faults == ["what was learned is gone or has changed, of the models tilt/2"]
    assert said == ["models is in _aside/1, and made anew with the models that are whole: 1"]
    assert verify(lake, tmp_path / "journal").is_whole
    assert [row["version"] for row in rows(lake)] == [1]
    assert trained_in(lake).version == 2


def test_last_is_exactly_as_wrong_as_nothing_changes(built: str) -> None:
    trained = train(built, model_to_train("calm", 1, "last"), HOUR)

    assert verdict(trained.scores) == (False, 'exactly as wrong as saying "nothing changes" on held-out time')


def test_trend_has_nothing_to_be_kept_of() -> None:
    with pytest.raises(UsageError, match="nothing to keep of it"):
        model_to_train("tilt", 1, "trend")


def test_more_cannot_be_held_out_than_there_is_and_no_less_than_can_be_judged(built: str) -> None:
    with pytest.raises(UsageError, match="cannot be held out"):
        train(built, TILT, HeldOut(seconds=86_400.0))
    with pytest.raises(UsageError, match="too little to judge by"):
        train(built, TILT, HeldOut(0.0001))


def test_a_lake_without_quotes_has_nothing_to_learn_from(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [Opened(1, "ws://x")])
    build(lake, "ticker", "tilt")

    with pytest.raises(ModelError, match="no quote to learn from"):
        train(lake, TILT, HOUR)


def test_the_champion_is_not_judged_on_what_it_has_seen(built: str) -> None:
    trained: Trained = train(built, TILT, HOUR)
    until = trained.cut + 30 * 60_000_000
    seen = {name: each._replace(until=until) for name, each in trained.learned.items()}

    again = train(built, TILT, HOUR, Model("tilt/1", "tilt", learned=seen))

    assert again.scores[-1].against == "tilt/1"
    assert 0 < again.scores[-1].scored < 0.7 * again.scores[-2].scored


def test_a_champion_that_is_older_than_the_cut_has_learned_on_up_to_there(built: str) -> None:
    half_way = train(built, TILT, HeldOut(seconds=2 * 3600.0))
    early = train_until(built, half_way.cut)

    again = train(built, TILT, HOUR, Model("tilt/1", "tilt", learned=early))

    # The same forecaster, taught on the same quotes up to the same cut, in one go or in two: it should be as good.
    against, mine = again.scores[-1], again.scores[-2]
    assert against.scored == mine.scored
    assert against.skill == pytest.approx(0.0, abs=1e-4)


def train_until(lake: str, cut: int) -> dict[str, Learned]:
    """Give what is learned up to a time, by product."""
    quotes = Delta(lake, QUOTES)
    found = {}
    for product_id, table in by_product(pa.concat_tables(quotes.rows(0, quotes.landed(QUOTES.name)))):
        mine = table.filter(pa.array(table.column("time").cast(pa.int64()).to_numpy() <= cut))
        state = TILT.new_state(product_id)
        found[product_id] = learned(fold(state, mine, same_units(state, mine)[1]).state)
    return found


def test_who_beats_the_champion_and_not_nothing_changes_is_no_champion() -> None:
    worse = Standing("*", "last", 100, 0, 1.05, 1.0, -0.05, 1e-9, 0.9, 10.0)
    better = Standing("*", "tilt/1", 100, 0, 1.05, 1.07, 0.02, 0.01, 0.9, 10.0)

    is_champion, reason = verdict([worse, better])

    assert not is_champion
    assert reason.endswith('but more wrong than saying "nothing changes"')
