"""A build that is killed, met by another, or finds what it made damaged or gone: nothing is lost, doubled or hidden."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from coinbase_insights.errors import DamagedError, LockedError, StorageError
from coinbase_insights.lake.build import PIECES, AtOnce, build, read_quotes
from coinbase_insights.lake.memories import Memories
from coinbase_insights.lake.repair import repair
from coinbase_insights.lake.step import Progress, Step
from coinbase_insights.lake.tables import INSIGHTS, QUOTES
from coinbase_insights.lake.verify import verify
from lakes import MADE, SMALL, Walk, all_rows, assert_same, lake_of, long_walk, rows
from warehouses import collect_more

KILLED = """
import sys
from coinbase_insights.lake.build import AtOnce, build
print("ready", flush=True)
build(sys.argv[1], "ticker", "tilt", at_once=AtOnce(300, 200))
"""


def test_killed_at_any_moment_and_built_again_the_tables_are_the_same(walked: Walk, tmp_path: Path) -> None:
    items, whole = walked
    lake, chance = lake_of(tmp_path, items), random.Random(1)
    for _ in range(20 if os.environ.get("CI") == "true" else 6):
        with subprocess.Popen([sys.executable, "-c", KILLED, lake], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.0, 0.5))
            process.send_signal(signal.SIGKILL)
    build(lake, "ticker", "tilt")
    assert_same(all_rows(lake), whole)
    assert verify(lake, tmp_path / "journal").faults == []


@pytest.mark.parametrize("name", ["quotes", "bars"])
def test_a_part_that_is_gone_stops_a_build(name: str, walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0])
    build(lake, "ticker", "tilt")
    next((tmp_path / name).glob("*.parquet")).unlink()

    with pytest.raises(DamagedError, match="is gone"):
        build(lake, "ticker", "tilt")


def test_files_that_no_version_names_are_removed_an_hour_later(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])
    left = [tmp_path / "insights" / name for name in ("old.parquet", "new.parquet")]
    build(lake, "ticker", "tilt", at_once=AtOnce(100, 50))
    for path in left:
        path.write_bytes(b"")
    os.utime(left[0], (time.time() - 7200,) * 2)
    shutil.rmtree(tmp_path / "bars")

    build(lake, "ticker", "tilt")

    assert [path.exists() for path in left] == [False, True]


def test_bars_that_are_gone_alone_are_made_anew_and_nothing_else_is_written(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0])
    build(lake, "ticker", "tilt")
    before = sorted(path.name for path in (tmp_path / "insights").glob("*.parquet"))
    shutil.rmtree(tmp_path / "bars")

    build(lake, "ticker", "tilt")

    assert sorted(path.name for path in (tmp_path / "insights").glob("*.parquet")) == before
    assert_same(all_rows(lake), walked[1])


def test_a_table_that_is_far_behind_the_others_of_its_step_is_made_in_pieces(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0])
    build(lake, "ticker", "tilt")
    shutil.rmtree(tmp_path / "quotes")
    shutil.rmtree(tmp_path / "bars")
    told: list[Progress] = []

    build(lake, "ticker", "tilt", tell=told.append, at_once=SMALL)

    for step, most in {"messages": SMALL.lines, "quotes": PIECES * SMALL.rows}.items():
        ends = [0, *(each.done for each in told if each.step == step)]
        assert max(end - before for before, end in pairwise(ends)) == most
    assert_same(all_rows(lake), walked[1])
    assert verify(lake, tmp_path / "journal").is_whole


REPAIR_KILLED = """
import os, signal, sys
from pathlib import Path
from coinbase_insights.lake.repair import repair
from coinbase_insights.lake.verify import verify
lake, journal, left = sys.argv[1], Path(sys.argv[1]) / "journal", int(sys.argv[2])
report = verify(lake, journal)
def die(event, _):
    global left
    left -= event == "os.rename"
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
list(repair(lake, journal, report))
"""


def test_a_repair_that_is_killed_between_two_files_is_named_and_no_build_goes_on_from_it(tmp_path: Path) -> None:
    damaged = lake_of(tmp_path / "damaged", long_walk(0.5))
    build(damaged, "ticker", "tilt")
    whole = all_rows(damaged)
    part = next((tmp_path / "damaged/bars").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    for moves in range(0, 100, 4):
        lake = str(shutil.copytree(damaged, tmp_path / f"killed-{moves}"))
        done = subprocess.run([sys.executable, "-c", REPAIR_KILLED, lake, str(moves)], check=False)
        if not done.returncode:
            break
        report = verify(lake, Path(lake) / "journal")
        assert not report.is_whole
        if moves:
            with pytest.raises(DamagedError, match="was broken off"):
                build(lake, "ticker", "tilt")
        list(repair(lake, Path(lake) / "journal", report))
        assert verify(lake, Path(lake) / "journal").is_whole
    else:
        pytest.fail("it was killed each time")
    assert moves > 10
    build(lake, "ticker", "tilt")
    assert_same(all_rows(lake), whole)


def test_what_was_made_and_is_damaged_is_set_aside_and_made_anew(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0])
    build(lake, "ticker", "tilt")
    part = next((tmp_path / "bars").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    report = verify(lake, tmp_path / "journal")
    assert [part.name in fault for fault in report.faults] == [True]
    assert "makes it anew" in " ".join(repair(lake, tmp_path / "journal", report))
    assert list((tmp_path / "_aside").rglob(part.name))
    build(lake, "ticker", "tilt")
    assert_same(all_rows(lake), walked[1])
    assert verify(lake, tmp_path / "journal").is_whole


def test_a_made_table_whose_log_is_gone_is_found_and_made_anew(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0])
    build(lake, "ticker", "tilt")
    shutil.rmtree(tmp_path / "bars/_delta_log")
    report = verify(lake, tmp_path / "journal")
    assert report.faults == ["bars: the log that names its parts is gone"]
    list(repair(lake, tmp_path / "journal", report))
    build(lake, "ticker", "tilt")
    assert_same(all_rows(lake), walked[1])
    assert verify(lake, tmp_path / "journal").is_whole


def test_what_was_remembered_of_tables_that_are_no_more_is_forgotten(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:400])
    build(lake, "ticker", "trend")
    for declared in MADE:
        shutil.rmtree(tmp_path / declared.name)
    build(lake, "ticker", "tilt")
    assert set(rows(lake, INSIGHTS).forecaster) == {"tilt"}
    assert len(list((tmp_path / "_memory").iterdir())) == 2


def test_a_memory_that_is_damaged_is_said(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])
    build(lake, "ticker", "tilt")
    memory = next((tmp_path / "_memory").glob("quotes-*"))
    memory.write_bytes(memory.read_bytes()[:-1])
    with pytest.raises(DamagedError, match="remembers of quotes"):
        build(lake, "ticker", "tilt")

    report = verify(lake, tmp_path / "journal")
    assert ["remembers of quotes" in fault for fault in report.faults] == [True]
    list(repair(lake, tmp_path / "journal", report))
    build(lake, "ticker", "tilt")
    assert verify(lake, tmp_path / "journal").is_whole


def test_a_build_that_only_begins_takes_nothing_from_one_that_runs(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    read_quotes(lake, "ticker")
    Memories(lake, "insights").write(1, b"as another build writes it before its first commit")

    Step(lake, "insights")

    assert Memories(lake, "insights").read(1) is not None


def test_a_place_that_takes_no_memory_is_said_and_nothing_is_made(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])
    (tmp_path / "_memory").touch()  # Nothing can be written below a file.

    with pytest.raises(StorageError, match="cannot be used"):
        build(lake, "ticker", "tilt")

    assert len(rows(lake, QUOTES)) == 0


def test_what_another_build_has_gone_on_with_is_no_damage(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])
    read_quotes(lake, "ticker", most=100)
    first = Step(lake, "quotes")
    collect_more(lake, walked[0][300:600])

    build(lake, "ticker", "tilt")

    with pytest.raises(LockedError, match="was written by another process meanwhile"):
        first.remembered()
