"""`verify --repair`: what is damaged is set aside and never removed, and what is missing is said in its place."""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coinbase_insights.errors import DamagedError, LockedError, StorageError
from coinbase_insights.lake.backtests import keep
from coinbase_insights.lake.build import build
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.parts import Part
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.repair import cover, repair
from coinbase_insights.lake.verify import Report, verify
from coinbase_insights.log.mend import mend
from coinbase_insights.log.segments import Segments, segments, take_lock
from coinbase_insights.message import Lost, Message, Opened, Unstored
from lakes import lake_of, long_walk


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Parts of 51, 50 and 50 lines in the lake, and 51 lines in segments of the journal."""
    journal, raw = Segments(tmp_path / "journal", segment_bytes=700), Raw(str(tmp_path), create=True)
    landing = Landing(raw, tmp_path / "journal")
    journal.write(Opened(1, "ws://x"))
    for number in range(200):
        journal.write(Message(10_000 + number, b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number))
        if number % 10 == 9:
            journal.sync()
        if number % 50 == 49 and number < 150:
            landing.land(journal.durable)
    journal.drop(raw.landed(LOG))
    journal.write(Lost(20_000, "closed", messages=200))
    journal.close()
    return tmp_path


def repaired(lake: Path) -> tuple[Report, list[str]]:
    done = list(repair(str(lake), lake / "journal", verify(str(lake), lake / "journal")))
    return verify(str(lake), lake / "journal"), done


def bytes_of_all(lake: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in lake.rglob("*") if path.is_file() and path.name != "lock")


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def kept(lake: Path) -> tuple[list[int], int]:
    """The numbers of the messages that are there, and how many are said to be damaged."""
    items = list(collected(str(lake)))
    numbers = [item.received_at - 10_000 for item in items if isinstance(item, Message)]
    return numbers, sum(item.count for item in items if isinstance(item, Unstored) and item.is_damage)


def test_nothing_is_done_to_a_lake_that_is_whole(lake: Path) -> None:
    before = bytes_of_all(lake)
    report, done = repaired(lake)
    assert (report.is_whole, done, bytes_of_all(lake)) == (True, [], before)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_rows_in_the_place_of_a_damaged_part_say_how_many_are_missing(lake: Path, number: int) -> None:
    part = Raw(str(lake)).parts()[number]
    flip(lake / "raw" / part.name, random.Random(1))
    damaged = (lake / "raw" / part.name).read_bytes()
    report, done = repaired(lake)
    assert report.faults == []
    assert f"{part.name} is damaged: set aside" in done
    assert (lake / "raw/_aside/1" / part.name).read_bytes() == damaged
    numbers, missing = kept(lake)
    until = min(part.end, segments(lake / "journal")[0][0])  # The journal has what follows, and it lands again.
    assert missing == until - part.first
    assert numbers == [each for each in range(200) if not part.first <= each + 1 < until]
    assert [(gap.cause, gap.messages) for gap in report.gaps if gap.messages] in (
        [],
        [("damaged, and set aside", missing)],
    )


def test_a_table_whose_log_is_gone_is_made_anew_from_its_parts(lake: Path) -> None:
    for path in (lake / "raw/_delta_log").iterdir():
        path.unlink()
    report, _ = repaired(lake)
    assert report.faults == []
    assert kept(lake) == (list(range(200)), 0)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_lines_in_the_place_of_damaged_ones_keep_the_offsets_of_the_journal(lake: Path, number: int) -> None:
    first, path = segments(lake / "journal")[number]
    flip(path, random.Random(3))
    damaged = path.read_bytes()
    report, _ = repaired(lake)
    assert report.faults == []
    assert (lake / "journal/aside" / path.name).read_bytes() == damaged
    numbers, missing = kept(lake)
    assert (number > 0) <= missing <= 10  # What the first segment lacks is in the lake.
    assert len(numbers) == 200 - missing
    assert set(range(200)) - set(numbers) <= set(range(first - 1, first + 20))


def test_a_segment_that_is_gone_is_said_to_be(lake: Path) -> None:
    segments(lake / "journal")[1][1].unlink()
    report, done = repaired(lake)
    assert report.faults == []
    assert "are gone" in done[0]
    numbers, missing = kept(lake)
    assert len(numbers) + missing == 200


def test_row_35_whatever_bits_have_flipped_what_is_repaired_is_whole_and_nothing_was_removed(lake: Path) -> None:
    chance = random.Random(2)
    for _ in range(25):
        files = sorted(path for path in lake.rglob("*") if path.is_file() and path.name != "lock")
        files = [path for path in files if not {"aside", "_aside"} & set(path.parts)]
        flip(chance.choice(files), chance)
        before = {path.name: path.read_bytes() for path in files if path.suffix in (".parquet", ".rec")}
        report, _ = repaired(lake)
        assert report.faults == []
        after = {path.read_bytes() for path in lake.rglob("*") if path.is_file()}
        assert set(before.values()) <= after
        numbers, missing = kept(lake)
        assert numbers == sorted(set(numbers))
        assert set(numbers) | set(range(200)) == set(range(200))
        assert 200 <= len(numbers) + missing <= 200 + 25  # A sum that was hit may have been a line.


def test_after_a_repair_collecting_goes_on(lake: Path) -> None:
    flip(segments(lake / "journal")[0][1], random.Random(1))
    flip(lake / "raw" / Raw(str(lake)).parts()[-1].name, random.Random(1))
    repaired(lake)
    raw = Raw(str(lake))
    journal = Segments(lake / "journal", start=raw.landed(LOG))
    journal.write(Opened(30_000, "ws://x"))
    journal.write(Message(40_000, b"{}"))
    journal.sync()
    Landing(raw, lake / "journal").land(journal.durable)
    journal.close()
    report = verify(str(lake), lake / "journal")
    assert (report.faults, report.rows, report.waiting) == ([], 204, 0)


def may_not(path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that may not read a path, though we are root."""
    path.chmod(0)
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*bound, sys.executable, "-m", "coinbase_insights", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        path.chmod(0o755)


def test_row_31_a_journal_that_may_not_be_read_is_not_called_whole(lake: Path) -> None:
    done = may_not(lake / "journal", "verify", str(lake))
    assert (done.returncode, "journal cannot be read: Permission denied" in done.stdout) == (1, True)


@pytest.mark.parametrize("what", ["raw/part", "journal"])
def test_what_may_not_be_read_is_no_damage_and_is_not_repaired(lake: Path, what: str) -> None:
    path = lake / "raw" / Raw(str(lake)).parts()[0].name if what == "raw/part" else lake / what
    before = sorted(each for each in lake.rglob("*"))

    done = may_not(path, "verify", str(lake), "--repair")

    assert (done.returncode, "cannot be read: Permission denied" in done.stderr) == (4, True)
    assert sorted(each for each in lake.rglob("*")) == before
    assert verify(str(lake), lake / "journal").is_whole


def test_a_lake_that_is_being_written_is_not_repaired(lake: Path) -> None:
    flip(segments(lake / "journal")[0][1], random.Random(1))
    report = verify(str(lake), lake / "journal")
    lock = take_lock(lake / "journal" / "lock")
    with pytest.raises(LockedError):
        list(repair(str(lake), lake / "journal", report))
    os.close(lock)


REPAIR = """
import sys
from pathlib import Path
from coinbase_insights.lake.repair import repair
from coinbase_insights.lake.verify import verify
lake, journal = Path(sys.argv[1]), Path(sys.argv[1]) / "journal"
report = verify(str(lake), journal if journal.is_dir() else None)
print("ready", flush=True)
list(repair(str(lake), journal if journal.is_dir() else None, report))
"""


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_repair_that_is_killed_goes_on_and_loses_nothing_in_silence(lake: Path, has_journal: bool) -> None:
    chance, whole = random.Random(1), lake / "whole"
    parts = Raw(str(lake)).parts()
    flip(lake / "raw" / parts[1].name, chance)
    if not has_journal:
        shutil.rmtree(lake / "journal")
    shutil.copytree(lake / "raw", whole / "raw")
    if has_journal:
        shutil.copytree(lake / "journal", whole / "journal")
    for _ in range(12 if os.environ.get("CI") == "true" else 4):
        shutil.copytree(whole, lake / "again", dirs_exist_ok=False)
        for _ in range(2):
            with subprocess.Popen(
                [sys.executable, "-c", REPAIR, str(lake / "again")], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(chance.uniform(0.0, 0.06))
                process.kill()
        journal = lake / "again/journal" if has_journal else None
        list(repair(str(lake / "again"), journal, verify(str(lake / "again"), journal)))
        report = verify(str(lake / "again"), journal)
        assert report.faults == []
        assert [gap.messages for gap in report.gaps if gap.messages] == [50]
        assert report.rows + report.waiting == (202 if has_journal else 151)
        shutil.rmtree(lake / "again")


def test_lines_that_neither_the_lake_nor_the_journal_has_any_more_are_said_to_be_missing(lake: Path) -> None:
    part = Raw(str(lake)).parts()[-1]
    flip(lake / "raw" / part.name, random.Random(1))
    for _, path in segments(lake / "journal"):
        path.unlink()
    report, _ = repaired(lake)
    assert report.faults == []
    assert sum(gap.messages or 0 for gap in report.gaps) == part.rows
    assert Raw(str(lake)).landed(LOG) == part.end


def test_a_new_table_is_never_made_over_the_parts_of_one_whose_log_is_gone(lake: Path) -> None:
    shutil.rmtree(lake / "raw/_delta_log")
    with pytest.raises(DamagedError, match="the log that names them is gone"):
        Raw(str(lake), create=True)
    report, _ = repaired(lake)
    assert report.faults == []
    assert kept(lake) == (list(range(200)), 0)


def test_a_sum_that_has_become_a_line_is_not_taken_for_a_message(lake: Path) -> None:
    raw = Raw(str(lake))
    journal = Segments(lake / "journal", start=raw.landed(LOG))
    journal.close()
    Landing(raw, lake / "journal").land(journal.durable)
    path = segments(lake / "journal")[-1][1]
    path.write_bytes(path.read_bytes().replace(b"\t#sum", b"\tcsum"))
    with pytest.raises(DamagedError):
        Segments(lake / "journal", start=raw.landed(LOG))
    report, _ = repaired(lake)
    assert report.faults == []
    numbers, missing = kept(lake)
    assert numbers == list(range(200))
    assert missing <= 1  # What had been the sum may have been a line, for all that can be known.


def test_whole_lines_behind_one_that_is_damaged_are_not_dropped_as_torn(tmp_path: Path) -> None:
    journal = Segments(tmp_path)
    for number in range(12):
        journal.write(Message(10_000 + number, b"{}"))
    path = segments(tmp_path)[0][1]
    path.write_bytes(b"x" + path.read_bytes()[1:])
    journal._file.close()
    os.close(journal._lock)
    with pytest.raises(DamagedError):
        Segments(tmp_path)
    assert list(mend(tmp_path, 0, tmp_path / "aside"))
    assert (tmp_path / "aside" / path.name).read_bytes().count(b"\n") == 12
    again = Segments(tmp_path)
    assert again.end == 12
    again.close()


@pytest.mark.parametrize("name", ["a%20b", "back\\slash"])
def test_a_name_that_delta_rs_reads_as_another_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot hold a lake"):
        Raw(str(tmp_path / name), create=True)


def test_of_parts_that_overlap_the_one_that_reaches_further_is_taken() -> None:
    parts = [Part(LOG, 0, 10, "a"), Part(LOG, 0, 30, "b"), Part(LOG, 10, 10, "c"), Part(LOG, 30, 5, "d")]
    assert [part.digest for part in cover([], parts)] == ["b", "d"]


def test_a_part_that_the_table_named_is_taken_before_a_leftover() -> None:
    named, leftover = [Part(LOG, 0, 10, "a"), Part(LOG, 10, 90, "b")], Part(LOG, 5, 60, "x")
    assert cover(named, [*named, leftover]) == named
    assert cover(named[:1], [leftover, Part(LOG, 10, 20, "y")]) == [named[0], Part(LOG, 10, 20, "y")]


def test_lines_that_the_journal_still_has_land_again_and_are_not_said_to_be_gone(tmp_path: Path) -> None:
    journal, raw = Segments(tmp_path / "journal"), Raw(str(tmp_path), create=True)
    landing = Landing(raw, tmp_path / "journal")
    for number in range(200):
        journal.write(Message(10_000 + number, b"{}"))
        if number % 50 == 49:
            journal.sync()
            if number < 150:
                landing.land(journal.durable)
    journal.close()
    flip(tmp_path / "raw" / raw.parts()[0].name, random.Random(1))
    report, _ = repaired(tmp_path)
    assert (report.faults, report.waiting) == ([], 200)
    assert kept(tmp_path) == (list(range(200)), 0)


def test_the_same_part_may_be_damaged_twice_and_both_are_kept(lake: Path) -> None:
    damaged = []
    for seed in (1, 2):
        name = Raw(str(lake)).parts()[-1].name
        flip(lake / "raw" / name, random.Random(seed))
        damaged.append((lake / "raw" / name).read_bytes())
        repaired(lake)
        raw = Raw(str(lake))
        journal = Segments(lake / "journal", start=raw.landed(LOG))
        Landing(raw, lake / "journal").land(journal.durable)
        journal.close()
    kept_bytes = {path.read_bytes() for path in (lake / "raw/_aside").rglob("*.parquet")}
    assert set(damaged) <= kept_bytes


def test_a_journal_that_cannot_be_mended_for_want_of_room_loses_nothing(lake: Path) -> None:
    path = segments(lake / "journal")[0][1]
    flip(path, random.Random(1))
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(StorageError, match="cannot be mended"):
            list(mend(lake / "journal", 151, lake / "journal/aside"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == before
    report, _ = repaired(lake)
    assert report.faults == []


def test_a_journal_of_a_topic_is_mended_from_its_own_first_line(tmp_path: Path) -> None:
    journal = Segments(tmp_path, start=40)
    journal.write(Message(1, b"{}"))
    journal.close()
    assert list(mend(tmp_path, None, tmp_path / "aside", fits=False)) == []
    assert [first for first, _ in segments(tmp_path)] == [40]


def test_a_damaged_table_that_nothing_can_make_anew_is_set_aside_alone(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.3))
    build(lake, "ticker", "tilt")
    keep(lake, 1, [("x", "ETH-USD", "tilt", "", 1, 2, 0, 0, None, None, None, None, None, None)])
    (part,) = (tmp_path / "backtests").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])

    report = verify(lake, tmp_path / "journal")
    said = list(repair(lake, tmp_path / "journal", report))

    assert said == ["backtests is in _aside/1; `backtest` begins it anew, without its rows"]
    assert verify(lake, tmp_path / "journal").is_whole
    assert (tmp_path / "insights").exists()
    assert list((tmp_path / "_aside" / "1" / "backtests").glob("*.parquet"))
