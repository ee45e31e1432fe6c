"""Questions to a lake: by `sql`, by the tutorial's four commands, and by other tools that read Delta tables."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import polars
import pytest
from deltalake import DeltaTable

from coinbase_insights.lake.build import build
from coinbase_insights.lake.tables import BARS, INSIGHTS, QUOTES, SCORES
from coinbase_insights.message import Item, Opened
from lakes import lake_of, long_walk, of, rows


@pytest.fixture(scope="module")
def walk() -> list[Item]:
    return long_walk(3.5)


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
        f"copy bars to '{tmp_path}/x.csv'": "disabled",
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
