"""Work that is done again and again: what fails is tried again, and whoever asks hears how it stands."""

import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import duckdb
import pytest

from coinbase_insights.cli_repeat import Runs
from coinbase_insights.lake.build import build
from coinbase_insights.message import Item
from lakes import lake_of
from site_of import PROGRAM, SilentStore
from warehouses import collect_more


@contextmanager
def running(*words: str) -> "Iterator[subprocess.Popen[str]]":
    """A command that runs as long as the context lasts."""
    with subprocess.Popen((*PROGRAM, *words), stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]", pattern: str) -> "re.Match[str]":
    """The next line that it says with this in it."""
    assert process.stderr is not None
    told = []
    for each in process.stderr:
        told.append(each)
        if found := re.search(pattern, each):
            return found
    pytest.fail("".join(told))


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_a_lake_that_is_not_there_yet_is_built_when_it_is_and_again_when_more_has_come(
    walk: list[Item], tmp_path: Path
) -> None:
    lake = str(tmp_path / "lake")
    with running("build", lake, "--channel", "ticker", "--every", "0.5s", "--health-port", "0") as process:
        url = line(process, r"health at (\S+)")[1]
        line(process, r"^\d\d:\d\d:\d\dZ There is no lake")
        assert "coinbase_insights_runs_total 0\n" in ask(f"{url}/metrics")[1]
        lake_of(tmp_path / "lake", walk[:800])
        line(process, r"^[1-9]\d* new quotes")
        collect_more(lake, walk[800:1200])
        line(process, r"^[1-9]\d* new quotes")
        assert ask(f"{url}/readyz") == (200, "ready\n")
        assert re.search(r"coinbase_insights_failed_runs_total [1-9]", ask(f"{url}/metrics")[1])


def test_a_warehouse_is_filled_again_and_again_until_it_is_told_to_end(built: str, tmp_path: Path) -> None:
    file = tmp_path / "market.duckdb"
    with running("publish", built, "--to", f"duckdb:///{file}", "--table", "scores", "--every", "0.2s") as process:
        line(process, r"^[1-9]\d* new scores")
        line(process, r"^0 new scores")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    with duckdb.connect(str(file), read_only=True) as warehouse:
        assert warehouse.sql("select count(*) > 0 from scores").fetchall() == [(True,)]


def test_it_ends_at_once_though_its_lake_does_not_answer(silent_store: SilentStore) -> None:
    with running("build", silent_store.lake, "--every", "1m") as process:
        silent_store.wait_until_asked()
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0


def test_what_was_typed_wrongly_ends_it(built: str, tmp_path: Path) -> None:
    words = ("build", built, "--channel", "level2", "--every", "1h")
    done = subprocess.run((*PROGRAM, *words), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "channel" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--every", "often"), "is not a duration"),
        (("--every", "1ms"), "is too often"),
        (("--anew", "--every", "1h"), "--anew is done once"),
        (("--every", "1h", "--health-host", "0.0.0.0"), "--health-host needs a port"),
        (("--anew", "--health-port", "8080"), "--health-port is for what runs again and again"),
    ],
)
def test_what_was_typed_wrongly_is_said_before_anything_is_set_aside(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = subprocess.run((*PROGRAM, "build", str(tmp_path), *words), capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (2, True)
    assert "set aside" not in done.stderr


def test_nothing_is_set_aside_where_the_channel_is_another(walk: list[Item], tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walk[:400])
    build(lake, "ticker", "tilt")
    words = ("build", lake, "--anew", "--channel", "level2")

    done = subprocess.run((*PROGRAM, *words), capture_output=True, text=True, check=False)

    assert (done.returncode, "none of level2" in done.stderr) == (2, True)
    assert (tmp_path / "insights").is_dir()
    assert not (tmp_path / "_aside").exists()


def test_it_is_ready_until_no_run_has_ended_well_or_got_on_for_three_times_the_length_between_two() -> None:
    times = [100.0]
    runs = Runs(60.0, clock=lambda: times[-1])

    def is_ready(at: float) -> bool:
        times.append(at)
        return runs.is_ready

    runs.end(is_well=False)
    assert [is_ready(279.0), is_ready(280.0)] == [True, False]
    runs.end(is_well=True)
    assert [is_ready(459.0), is_ready(460.0)] == [True, False]
    times.append(470.0)
    runs.move()
    assert [is_ready(649.0), is_ready(650.0)] == [True, False]
    assert ("failed_runs_total", 1) in [(name, value) for name, _, _, value in runs.counts()]
