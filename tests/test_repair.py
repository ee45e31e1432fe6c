"""`verify --repair`: what is damaged is set aside and never removed, and what is missing is said in its place."""

import random
from pathlib import Path

import pytest

from coinbase_insights.errors import LockedError
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.parts import Part
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.repair import cover, repair
from coinbase_insights.lake.verify import Report, verify
from coinbase_insights.log.segments import Segments, segments
from coinbase_insights.message import Lost, Message, Opened, Unstored


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
    assert (lake / "raw/_aside" / part.name).read_bytes() == damaged
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
        assert len(numbers) + missing >= 200


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


def test_a_lake_that_is_being_written_is_not_repaired(lake: Path) -> None:
    flip(segments(lake / "journal")[0][1], random.Random(1))
    journal = Segments(lake / "journal" / "..", start=0)  # Another folder's lock does not matter.
    journal.close()
    report = verify(str(lake), lake / "journal")
    holder = Segments(lake / "journal2", start=0)
    (lake / "journal2" / "lock").rename(lake / "journal" / "lock")
    with pytest.raises(LockedError):
        list(repair(str(lake), lake / "journal", report))
    holder.close()


def test_of_parts_that_overlap_the_one_that_reaches_further_is_taken() -> None:
    parts = [Part(LOG, 0, 10, "a"), Part(LOG, 0, 30, "b"), Part(LOG, 10, 10, "c"), Part(LOG, 30, 5, "d")]
    assert [part.digest for part in cover(parts)] == ["b", "d"]
