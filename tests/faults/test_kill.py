"""Rows 28, 34 and 35: killed at any moment nothing that was durable is lost or doubled, and damage is always found."""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Lost, Message, Opened

PROGRAM = Path(__file__).with_name("collector.py")
KILLS = 100 if os.environ.get("CI") == "true" else 10


def kill_again_and_again(lake: Path, seed: int) -> set[int]:
    """Start a collector and kill it, many times; give the numbers of all messages that were called durable."""
    chance, durable = random.Random(seed), set[int]()
    lives = [chance.uniform(0.0, 0.6) if chance.random() < 0.8 else chance.uniform(0.9, 1.1) for _ in range(KILLS // 2)]
    command = [sys.executable, str(PROGRAM), str(lake)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for first in count():
            life = lives[first] if first < len(lives) else 1.5  # A slow machine needs more of the last kind.
            process.stdin.write(f"{first * 100_000} {life}\n")
            process.stdin.flush()
            lines = int(process.stdout.readline())
            durable |= set(range(first * 100_000, first * 100_000 + max(0, lines - 1)))  # The first is the opening.
            if first >= len(lives) and len(durable) > 25 * KILLS:
                break
        process.stdin.close()
    assert lines > 0
    return durable


@pytest.mark.timeout(400)
def test_row_28_killed_at_random_moments_it_loses_and_doubles_nothing_that_was_durable(tmp_path: Path) -> None:
    lakes = [tmp_path / "one", tmp_path / "two"]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(kill_again_and_again, lakes, (1, 2)))
    for lake, durable in zip(lakes, found, strict=True):
        report = verify(str(lake), lake / "journal")
        assert report.faults == []
        kept = [item.data for item in collected(str(lake)) if isinstance(item, Message)]
        numbers = [int(data.rpartition(b":")[2].rstrip(b"}")) for data in kept]
        assert numbers == sorted(set(numbers))
        assert durable <= set(numbers)
        assert len(durable) > 25 * KILLS


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake of several parts, with lines that are only in the journal."""
    journal, raw = Segments(tmp_path / "journal", segment_bytes=2000), Raw(str(tmp_path), create=True)
    landing = Landing(raw, tmp_path / "journal")
    journal.write(Opened(1, "ws://x"))
    for number in range(200):
        journal.write(Message(10 + number, b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number))
        if number % 50 == 49:
            journal.sync()
            if number < 150:
                landing.land(journal.durable)
    journal.drop(raw.landed(LOG))
    journal.write(Lost(1000, "closed", messages=200))
    journal.close()
    return tmp_path


def test_a_lake_that_nothing_has_happened_to_is_whole(lake: Path) -> None:
    report = verify(str(lake), lake / "journal")
    assert (report.faults, report.notes) == ([], [])
    assert (report.rows, report.waiting, report.parts) == (151, 51, 3)


def test_row_35_each_flipped_bit_is_found(lake: Path) -> None:
    files = sorted(path for path in lake.rglob("*") if path.is_file() and path.name != "lock")
    chance = random.Random(1)
    for _ in range(100):
        path = chance.choice(files)
        whole = path.read_bytes()
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        report = verify(str(lake), lake / "journal")
        assert report.faults or report.notes, f"{path}"
        path.write_bytes(whole)
    assert verify(str(lake), lake / "journal").is_whole


def test_row_35_each_file_that_is_missing_cut_or_empty_is_found(lake: Path) -> None:
    for path in sorted(path for path in lake.rglob("*") if path.is_file() and path.name != "lock"):
        whole = path.read_bytes()
        for left in (None, b"", whole[:-1]):
            if left is None:
                path.unlink()
            else:
                path.write_bytes(left)
            report = verify(str(lake), lake / "journal")
            assert report.faults or report.notes or cannot_be_known(path, left), f"{path} {left!r}"
            path.write_bytes(whole)


def test_what_lands_while_a_lake_is_checked_is_not_missed(lake: Path) -> None:
    journal = Segments(lake / "journal", segment_bytes=1)
    landing = Landing(Raw(str(lake)), lake / "journal")

    def land(_done: int, _all: int) -> None:
        landing.land(journal.durable)
        journal.write(Message(2000, b"{}"))
        journal.sync()
        journal.drop(landing.landed)

    report = verify(str(lake), lake / "journal", land)
    journal.close()
    assert report.faults == []


def cannot_be_known(path: Path, left: bytes | None) -> bool:
    """A crash leaves the newest commit without a checksum; and nothing follows the last segment that could miss it."""
    is_last_segment = path.name == "00000000000000000201.rec"
    return (path.name == "00000000000000000003.json.sha256" and left is None) or (is_last_segment and not left)


def test_messages_that_were_counted_and_are_not_there_are_found(lake: Path) -> None:
    journal, raw = Segments(lake / "journal"), Raw(str(lake))
    journal.write(Opened(2000, "ws://x"))
    journal.write(Lost(3000, "closed", messages=7))
    journal.sync()
    Landing(raw, lake / "journal").land(journal.durable)
    journal.close()
    assert verify(str(lake), None).faults == ["connection 202 brought 7 messages, and 0 are here"]
