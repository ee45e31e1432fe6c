"""Questions to a lake: by `sql`, by the tutorial's four commands, and by other tools that read Delta tables."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars
import pytest
from deltalake import DeltaTable

from coinbase_insights.errors import NoTableError, UsageError
from coinbase_insights.lake.answer import json_lines
from coinbase_insights.lake.ask import ask
from coinbase_insights.lake.build import build
from coinbase_insights.lake.tables import BARS, INSIGHTS, QUOTES, SCORES
from coinbase_insights.message import Item, Opened
from lakes import lake_of, long_walk, of, rows


def test_the_four_commands_of_the_tutorial_make_bars_of_a_market(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/tutorial.md").read_text()
    section = page.split("## 7. Collect, build, ask")[1].split("## ")[0]
    simulate, ingest, make, ask = (
        shlex.split(line.removeprefix("$ coinbase_insights ")) for line in section.splitlines() if line.startswith("$ ")
    )
    program = [sys.executable, "-m", "coinbase_insights"]
    with subprocess.Popen([*program, *simulate, "--port", "0"], stderr=subprocess.PIPE, text=True) as market:
        assert market.stderr is not None
        url = market.stderr.readline().split(" ")[2]
        ingest[ingest.index("--url") + 1], ingest[ingest.index("--for") + 1] = url, "12s"
        subprocess.run([*program, *ingest], cwd=tmp_path, check=True, capture_output=True)
        market.terminate()
        market.stderr.read()
    made = subprocess.run([*program, *make], cwd=tmp_path, check=True, capture_output=True, text=True)
    answer = subprocess.run([*program, *ask], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "new quotes" in made.stderr
    head, *lines = answer.splitlines()
    assert head.split()[:4] == ["product_id", "length", "start", "open"]
    assert {line.split()[0] for line in lines} == {"BTC-USD", "ETH-USD"}
    assert {line.split()[1] for line in lines} == {"5m"}


def ask_for(lake: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coinbase_insights", "sql", lake, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_sql_answers_in_every_format_and_reads_nothing_but_the_lake(walk: list[Item], tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walk[:400])
    build(lake, "ticker", "tilt")
    query = "select product_id, time, best_bid, best_bid_size from quotes order by time limit 2"
    rows_of_json = [json.loads(line) for line in ask_for(lake, query, "--format", "json").stdout.splitlines()]
    first = rows(lake, QUOTES).sort_values("time").iloc[0]
    assert rows_of_json[0]["best_bid"] == f"{first.best_bid.normalize():f}"
    assert rows_of_json[0]["time"] == first.time.tz_localize(None).isoformat()
    assert ask_for(lake, query, "--format", "csv").stdout.count("\n") == 3
    assert ask_for(lake, query).stdout.splitlines()[0].split() == ["product_id", "time", "best_bid", "best_bid_size"]
    for bad, said in {
        "selct 1": "syntax error",
        "select * from read_text('/etc/passwd')": "disabled",
        f"copy bars to '{tmp_path}/x.csv'": "no single question",
        "select nothing from bars": "nothing",
    }.items():
        done = ask_for(lake, bad)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert ask_for(str(tmp_path / "none"), "select 1").returncode == 4


def test_other_tools_find_the_same_rows_with_a_filter(walk: list[Item], tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walk)
    build(lake, "ticker", "tilt")
    for declared in (QUOTES, INSIGHTS, BARS, SCORES):
        expected = len(of(rows(lake, declared), "ETH-USD"))
        address = f"{lake}/{declared.name}"
        assert expected > 0
        assert polars.scan_delta(address).filter(polars.col("product_id") == "ETH-USD").collect().height == expected
        assert len(DeltaTable(address).to_pandas(filters=[("product_id", "=", "ETH-USD")])) == expected
        query = f"select count(*) n from {declared.name} where product_id = 'ETH-USD'"
        assert json.loads(ask_for(lake, query, "--format", "json").stdout) == {"n": expected}
    query = "select count(*) n from raw where channel = '#' and message like '#opened%'"
    opened = sum(isinstance(item, Opened) for item in walk)
    assert json.loads(ask_for(lake, query, "--format", "json").stdout) == {"n": opened}


def test_a_master_without_spark_and_a_spark_that_is_not_installed_are_said_in_a_line(tmp_path: Path) -> None:
    lake_of(tmp_path / "lake", long_walk(0.05))
    build = (sys.executable, "-m", "coinbase_insights", "build", str(tmp_path / "lake"), "--channel", "ticker")

    wrong = subprocess.run([*build, "--master", "local"], capture_output=True, text=True, check=False)
    lacking = subprocess.run([*build, "--engine", "spark"], capture_output=True, text=True, check=False)

    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (2, "error: --master is that of Spark.")
    assert lacking.returncode == 2
    assert "--engine spark needs more than the core: pyspark is not installed" in lacking.stderr


def test_times_are_utc_whatever_the_zone_of_the_machine(tmp_path: Path) -> None:
    lake_of(tmp_path, long_walk(0.05))
    query = "select '2026-11-25 23:30:00+00'::timestamptz::timestamp as time"
    command = (sys.executable, "-m", "coinbase_insights", "sql", str(tmp_path), query, "--format", "json")

    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "America/New_York"}
    )

    assert json.loads(done.stdout) == {"time": "2026-11-25T23:30:00"}


QUESTIONS = {
    "select 12345678901234567890123456789012.123456::decimal(38,6) a": {"a": "12345678901234567890123456789012.123456"},
    "select 'nan'::double a, 'inf'::double b, 1e300 c": {"a": None, "b": None, "c": 1e300},
    "select [1.50::decimal(9,2), null] a, {'b': date '2026-01-02'} c": {"a": ["1.5", None], "c": {"b": "2026-01-02"}},
    "select interval 26 hour a, 'x'::blob b": {"a": "P0M0DT93600S", "b": "eA=="},
    "select 1 a, 2 a, 3 a_1": {"a": 1, "a_2": 2, "a_1": 3},
    "select sum(1) a, map {'b': 1} c, time '01:02:03' d": {"a": 1, "c": [["b", 1]], "d": "01:02:03"},
    "from (values (100.00::decimal(9,2), true)) v(a, b)": {"a": "100", "b": True},
}


@pytest.mark.parametrize(("query", "expected"), QUESTIONS.items())
def test_json_has_every_value_whole_or_null(query: str, expected: dict[str, object], built: str) -> None:
    (line,) = json_lines(ask(built, query))

    assert json.loads(line) == expected


@pytest.mark.parametrize(
    "query", ["select 1; select 2", "drop view bars", "create table t(a int)", "set threads = 1", "", ";"]
)
def test_what_is_no_single_question_is_refused(query: str, built: str) -> None:
    with pytest.raises(UsageError, match="no single question"):
        ask(built, query)


@pytest.mark.parametrize("query", ["explain analyze create table t as select 1 a", "explain drop view bars", "explain"])
def test_explain_explains_questions_alone(built: str, query: str) -> None:
    with pytest.raises(UsageError):
        ask(built, query)


def test_explain_draws_its_plan_in_lines(built: str) -> None:
    done = ask_for(built, "explain select * from bars")

    assert (done.returncode, len(done.stdout.splitlines()) > 5, "\\x0a" in done.stdout) == (0, True, False)


def test_csv_that_cannot_hold_a_list_says_so(built: str) -> None:
    done = ask_for(built, "select [1, 2] a", "--format", "csv")

    assert (done.returncode, "Take --format json." in done.stderr) == (2, True)


def gone(part: Path) -> None:
    part.unlink()


def flipped(part: Path) -> None:
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)


def garbled(part: Path) -> None:
    sorted((part.parent / "_delta_log").glob("*.json"))[-1].write_text("garbage\n")


@pytest.mark.parametrize("damage", [gone, flipped, garbled])
def test_sql_answers_nothing_from_what_is_damaged(damage: Callable[[Path], None], built: str, tmp_path: Path) -> None:
    lake = shutil.copytree(built, tmp_path / "lake")
    damage(next((lake / "quotes").glob("*.parquet")))

    done = ask_for(str(lake), "select count(*) from quotes")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1] == f"hint: Make it whole: coinbase_insights verify {lake} --repair"
    assert not {"Traceback", "\x1b", "clone3"} & set(done.stderr.replace(":", " ").split())
    if damage is not garbled:
        assert ask_for(str(lake), "select count(*) from bars").returncode == 0


def test_a_table_that_was_not_built_is_said_to_be_built_by_a_command(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.1))

    with pytest.raises(NoTableError, match="has no table bars") as caught:
        ask(lake, "select * from bars")

    assert "coinbase_insights build" in caught.value.hint
