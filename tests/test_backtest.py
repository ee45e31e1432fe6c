"""Judging forecasters: the same numbers whatever way they are asked for, and a page that tells the truth of them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights import settings
from coinbase_insights.engine.state import DEFAULTS, Parameters
from coinbase_insights.errors import RecordingError, StorageError, UsageError
from coinbase_insights.lake.ask import ask
from coinbase_insights.lake.backtests import keep
from coinbase_insights.lake.build import build
from coinbase_insights.lake.tables import BACKTESTS
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.journal import encode
from coinbase_insights.models import kept as kept_module
from coinbase_insights.models.backtest import HEADS, KEPT_HEADS, TOUCHED, Judgement, Question, backtest, judge, rows
from coinbase_insights.models.curves import Scored, by_uptime, coverage, reliability
from coinbase_insights.models.history import History, histories
from coinbase_insights.models.report import drawn, report, sentence
from lakes import lake_of, long_walk
from quotes import SECOND, START, random_rows

ALL = ("tilt", "trend", "last")
HOUR = 3600 * SECOND
RUN_AT = 1_795_600_000_000_000


def history(seed: int = 1, count: int = 2000, name: str = "ETH-USD") -> History:
    columns = zip(*random_rows(seed, count), strict=True)
    return History(name, 2, *(np.array(values) for values in columns))


@pytest.fixture(scope="module")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten hours of a random walk with a gap of two hours, as a 5-second grid."""
    chance = np.random.default_rng(7)
    seconds = np.concatenate([np.arange(0, 14_400, 5.0), np.arange(21_600, 36_000, 5.0)]) + 1.7636e9
    mid = np.round(90_000 + np.cumsum(chance.normal(0, 5, len(seconds))), 1)
    columns = {
        "ts": seconds, "mid": mid, "bid": mid - 0.5, "ask": mid + 0.5, "obi": chance.uniform(-1, 1, len(seconds)),
        "seg": (seconds > 1.7636e9 + 18_000).astype(int),
    }  # fmt: skip
    path = tmp_path_factory.mktemp("grid") / "walk.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Three hours of two products, as a recording and as a lake that was built of it."""
    folder, items = tmp_path_factory.mktemp("walk"), long_walk(3.0)
    recording = folder / "walk.rec"
    recording.write_bytes(b"".join(map(encode, items)))
    lake = lake_of(folder / "lake", items)
    build(lake, "ticker", "tilt")
    return recording, lake


def plain(judgements: list[Judgement]) -> list[Judgement]:
    """Without where they come from, by product."""
    return sorted((replace(each, source="") for each in judgements), key=lambda each: each.product_id)


# ---- the grid ----


def test_a_grid_is_every_combination_in_order() -> None:
    assert settings.grid("ridge=1,3 half_life_h=6,24") == (
        Parameters(ridge=1.0, half_life_h=6.0),
        Parameters(ridge=1.0),
        Parameters(half_life_h=6.0),
        DEFAULTS,
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rigde=1", "'rigde' is not a parameter", "Did you mean ridge?"),
        ("zzz=1", "'zzz' is not a parameter", "There are half_life_h, ridge, pull, band_step."),
        ("ridge=1,x", "'x' is not a value of ridge", "from 1e-06 to 1e+06"),
        ("ridge", "'' is not a value of ridge", "ridge=0.5,1"),
        ("ridge=nan", "'nan' is not a value", "number"),
        ("ridge=0", "'0' is not a value", "number"),
        ("band_step=2", "'2' is not a value", "from 0 to 1"),
        ("ridge=1 ridge=2", "names ridge twice", "ridge=1,2"),
        ("", "is empty", "--grid"),
        ("ridge=" + ",".join(map(str, range(1, 1002))), "1,001 combinations; 1,000 are", "fewer"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_with_its_word(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        settings.grid(text)
    assert hint in caught.value.hint


@given(st.text())
def test_no_text_breaks_the_grid(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.grid(text + "\x1b[31m=\x1b")
    assert caught.value.message.isprintable()


def test_every_parameter_has_its_limits_and_its_default_is_within() -> None:
    assert tuple(settings.PARAMETER_LIMITS) == Parameters._fields
    for (least, most), default in zip(settings.PARAMETER_LIMITS.values(), DEFAULTS, strict=True):
        assert least <= default <= most


def test_what_a_forecaster_has_nothing_of_is_not_judged_twice() -> None:
    cases = Question(ALL, settings.grid("ridge=1,3 half_life_h=6,24 band_step=0.01,0.03")).cases()
    assert [sum(name == each for each, _ in cases) for name in ALL] == [8, 2, 2]


@pytest.mark.parametrize("forecaster", ["last", "trend"])
@pytest.mark.parametrize("name", Parameters._fields)
def test_a_parameter_that_does_not_touch_a_forecaster_changes_nothing(forecaster: str, name: str) -> None:
    other = DEFAULTS._replace(**{name: 0.5 * getattr(DEFAULTS, name)})
    before, after = (judge(history(), forecaster, each) for each in (DEFAULTS, other))
    assert (replace(before, parameters="") == replace(after, parameters="")) == (name not in TOUCHED[forecaster])


def test_the_row_of_the_defaults_is_that_of_a_run_without_a_grid(grid_file: Path) -> None:
    tried = backtest([grid_file], Question(ALL, settings.grid("ridge=1,3 band_step=0.01,0.03")))
    defaults = {"ridge=3 band_step=0.03", "band_step=0.03"}
    same = [replace(each, parameters="") for each in tried if each.parameters in defaults]
    assert same == backtest([grid_file], Question(ALL))
    names = ["ridge=1 band_step=0.01", "ridge=1 band_step=0.03", "ridge=3 band_step=0.01", "ridge=3 band_step=0.03"]
    assert [each.parameters for each in tried[:4]] == names


@pytest.mark.parametrize("threads", [2, 5])
def test_many_at_a_time_are_judged_as_one_after_the_other(
    threads: int, walk: tuple[Path, str], grid_file: Path
) -> None:
    question = Question(ALL, settings.grid("ridge=1,3"), with_curves=True)
    assert backtest([walk[0], grid_file], question, threads=threads) == backtest(
        [walk[0], grid_file], question, threads=1
    )


# ---- what is judged ----


def test_a_lake_gives_the_numbers_of_the_recording_that_it_was_built_of(walk: tuple[Path, str]) -> None:
    recording, lake = walk
    assert plain(backtest([lake], Question(ALL))) == plain(backtest([recording], Question(ALL)))


def test_a_recorded_market_gives_the_same_numbers_as_a_lake(shared_data: Path, tmp_path: Path) -> None:
    from coinbase_insights.log.journal import read

    path = shared_data / "advanced_2026-04-05_BTC-USD_ticker.rec"
    lake = lake_of(tmp_path, list(read(path)))
    build(lake, "ticker", "tilt")
    assert plain(backtest([lake], Question(ALL))) == plain(backtest([path], Question(ALL)))


def test_a_lake_that_is_too_large_to_hold_is_read_in_shares(
    walk: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = backtest([walk[1]], Question(("last",)))
    monkeypatch.setattr(kept_module, "AT_ONCE", 1)
    assert backtest([walk[1]], Question(("last",))) == whole


def test_a_lake_without_quotes_says_how_to_make_them(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.1))
    with pytest.raises(StorageError, match="has no table quotes") as caught:
        backtest([lake], Question(("last",)))
    assert "coinbase_insights build" in caught.value.hint


def test_where_there_is_no_quote_at_all_it_names_all_sources(tmp_path: Path) -> None:
    (tmp_path / "a.rec").touch()
    (tmp_path / "b.rec").touch()
    with pytest.raises(RecordingError, match=r"a\.rec or .*b\.rec"):
        backtest([tmp_path / "a.rec", tmp_path / "b.rec"], Question(("last",)))


def test_long_work_is_told(grid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coinbase_insights.models.backtest.TELL_EVERY", -1.0)
    told: list[str] = []
    backtest([grid_file], Question(("last",)), told.append)
    assert told[-1] == "1 judged, the last of them walk, last; 0 of those that are read wait"


# ---- the table ----


def test_every_run_is_kept_and_can_be_asked_for(grid_file: Path, tmp_path: Path) -> None:
    judgements = backtest([grid_file], Question(ALL))
    for run in range(3):
        keep(str(tmp_path), RUN_AT + run, rows(judgements, KEPT_HEADS))
    answer = ask(str(tmp_path), "select * from backtests order by run_at, mae").read_all().to_pylist()
    assert len(answer) == 9
    assert {row["forecaster"]: row["mae"] for row in answer} == {each.forecaster: each.mae for each in judgements}
    assert answer[0]["source"] == str(grid_file)


def test_a_place_that_has_only_backtests_is_whole(grid_file: Path, tmp_path: Path) -> None:
    command(str(grid_file), "--forecaster", "last", "--to", str(tmp_path / "lake"))

    report = verify(str(tmp_path / "lake"), None)

    assert (report.is_whole, report.notes) == (True, [f"nothing was collected in {tmp_path / 'lake'}"])


def test_a_report_is_never_written_over_what_is_judged(grid_file: Path, tmp_path: Path) -> None:
    before = grid_file.read_bytes()
    (tmp_path / "recordings").mkdir()

    onto = command(str(grid_file), "--report", str(grid_file))
    into = command(str(tmp_path / "recordings"), "--report", str(tmp_path / "recordings" / "report.html"))
    folder = command(str(grid_file), "--report", str(tmp_path))

    assert (onto.returncode, into.returncode, folder.returncode) == (2, 2, 2)
    assert "would be written into" in onto.stderr
    assert "would be written into" in into.stderr
    assert "cannot be written" in folder.stderr
    assert grid_file.read_bytes() == before


def test_each_value_that_was_tried_is_named_though_it_is_the_default() -> None:
    question = Question(("tilt", "last"), settings.grid("ridge=1,3 band_step=0.03"))

    found = [judge(history(), *case, varied=question.varied()).parameters for case in question.cases()]

    assert found == ["ridge=1", "ridge=3", ""]


def test_the_table_has_the_columns_that_are_kept() -> None:
    assert tuple(column.name for column in BACKTESTS.columns) == ("run_at", *KEPT_HEADS)


def test_backtests_in_a_lake_are_verified_with_it(walk: tuple[Path, str]) -> None:
    keep(walk[1], RUN_AT, rows(backtest([walk[1]], Question(("last",))), KEPT_HEADS))
    assert verify(walk[1], Path(walk[1]) / "journal").faults == []


# ---- the page ----


def parsed(page: str) -> ET.Element:
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>"))


@pytest.fixture(scope="module")
def page(grid_file: Path) -> str:
    return report(backtest([grid_file], Question(ALL, with_curves=True)), RUN_AT)


def test_the_report_is_one_file_that_fetches_nothing_and_runs_nothing(page: str) -> None:
    assert all(word not in page for word in ("<script", "http", "url(", "@import", "<link", "<img", "javascript:"))
    assert not [name for each in parsed(page).iter() for name in each.attrib if name.startswith("on")]


def test_every_picture_of_the_report_has_a_title_a_description_and_a_sentence_below(page: str) -> None:
    figures = list(parsed(page).iter("figure"))
    assert len(figures) == 4
    for each in figures:
        picture = each.find("svg")
        assert picture is not None
        assert all(picture.findtext(name) for name in ("title", "desc"))
        assert each.findtext("h3")
        assert each.findtext("figcaption")


def test_a_report_has_a_row_for_each_judgement(page: str) -> None:
    assert len(list(parsed(page).iter("tr"))) == 1 + 1 + 3


def test_hostile_names_of_products_and_files_stay_inert(grid_file: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=alert(1)>&\"'\x1b.parquet"
    hostile.write_bytes(grid_file.read_bytes())
    page = report(backtest([hostile, grid_file], Question(ALL, with_curves=True)), RUN_AT)
    root = parsed(page)
    assert "<img" not in page
    assert "\x1b" not in page
    assert "<img src=x onerror=alert(1)>&\"'\\x1b" in "".join(root.itertext())


def test_a_report_of_nothing_that_came_due_says_so_and_has_no_picture(tmp_path: Path) -> None:
    short = judge(history(count=5), "tilt", source="short.rec", with_curves=True)
    page = report([replace(short, scored=0, mae=None, mae_ratio=None)], RUN_AT)
    assert "No forecast of ETH-USD came due" in page
    assert "<figure" not in page


def test_a_price_that_never_moves_breaks_no_picture() -> None:
    times = START + 5 * SECOND * np.arange(1000)
    still = History("A-B", 0, times, *(np.full(1000, each) for each in (5, 5, 1.0, 1.0, -(2**62))))
    page = report([judge(still, name, source="still.rec", with_curves=True) for name in ALL], RUN_AT)
    parsed(page)
    assert "did not move" in page


def judged(**changes: object) -> Judgement:
    found = judge(history(), "tilt", source="a.rec")
    return replace(found, mae_ratio=0.9, p_value=0.02, scored=1000, **changes)  # type: ignore[arg-type]


def test_the_summary_says_whether_it_is_more_than_chance() -> None:
    assert "10 % better than “nothing changes”; that is more than chance gives (p = 0.02)" in sentence(
        "ETH-USD", [judged()]
    )
    assert "that is not more than chance gives (p = 0.2)" in sentence("ETH-USD", [replace(judged(), p_value=0.2)])
    assert "2.5 times as wrong" in sentence("ETH-USD", [replace(judged(), mae_ratio=2.5)])


def test_the_best_of_many_is_judged_the_harder() -> None:
    found = [judged(parameters=f"ridge={each}") for each in range(5)]
    assert "not more than chance gives (p = 0.1, after 5 tries)" in sentence("ETH-USD", found)
    assert "best of 5 sets of parameters" in sentence("ETH-USD", found)


def test_at_most_six_lines_are_drawn_and_each_forecaster_has_its_best(grid_file: Path) -> None:
    found = backtest([grid_file], Question(ALL, settings.grid("ridge=1,2,3,4,5,6,7,8"), with_curves=True))
    lines = drawn(found)
    assert [line.judgement.forecaster for line in lines][:3] == list(ALL)
    assert sorted(line.style for line in lines) == list(range(6))
    assert lines[0].judgement.mae == min(each.mae or 0.0 for each in found if each.forecaster == "tilt")


# ---- what the pictures show ----


def outcomes(times: list[int], errors: list[float], bands: float = 1.0) -> Scored:
    return Scored(np.array(times), np.array(errors), np.full(len(times), 2.0), np.full(len(times), bands))


def test_errors_are_parted_by_uptime() -> None:
    times = [minute * 60 * SECOND for minute in range(60)]
    bins = by_uptime(outcomes(times, [1.0] * 30 + [4.0] * 30), 0, times[-1])
    assert sum(each.scored for each in bins) == 60
    assert bins[0].ratio is None  # Of five forecasts.
    assert bins[-2].ratio == 2.0
    assert bins[0].high == pytest.approx(1 / 12)


def test_coverage_has_a_place_for_a_stretch_without_data() -> None:
    times = [*range(0, HOUR, 60 * SECOND), *range(50 * HOUR, 51 * HOUR, 60 * SECOND)]
    held = coverage(outcomes(times, [0.5] * 90 + [1.5] * 30), 0, times[-1])
    assert (held[0].coverage, held[-1].coverage) == (1.0, 0.5)
    assert {each.coverage for each in held[1:-1]} == {None}


def test_normal_errors_are_held_as_often_as_every_level_promises() -> None:
    errors = np.abs(np.random.default_rng(1).normal(0, 1, 100_000))
    for level, share in reliability(outcomes(list(range(100_000)), errors.tolist(), 1.6449)):
        assert share == pytest.approx(level, abs=0.01)


# ---- the command ----


def command(*words: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "coinbase_insights", "backtest", *words]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_gives_a_table_a_page_and_rows_in_a_lake(grid_file: Path, tmp_path: Path) -> None:
    page, lake = tmp_path / "page.html", tmp_path / "lake"
    done = command(str(grid_file), "--grid", "ridge=1,3", "--report", str(page), "--to", str(lake), "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [(row["forecaster"], row["parameters"]) for row in found] == [
        ("tilt", "ridge=1"), ("tilt", "ridge=3"), ("trend", ""), ("last", ""),
    ]  # fmt: skip
    assert list(found[0]) == ["source", *HEADS]
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert ask(str(lake), "select count(*) as n from backtests").read_all().to_pylist() == [{"n": 4}]


def test_the_table_names_the_source_where_there_are_several(grid_file: Path, walk: tuple[Path, str]) -> None:
    assert command(str(grid_file), "--forecaster", "last").stdout.startswith("product_id")
    assert command(str(grid_file), walk[1], "--forecaster", "last").stdout.startswith("source")


def test_a_report_that_cannot_be_written_is_refused_before_the_work(grid_file: Path, tmp_path: Path) -> None:
    done = command(str(grid_file), "--report", str(tmp_path / "no" / "page.html"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no folder" in done.stderr


def test_histories_of_a_recording_have_their_products(walk: tuple[Path, str]) -> None:
    assert {each.product_id for each in histories(walk[0], "ticker")} == {"ETH-USD", "BTC-USD"}
