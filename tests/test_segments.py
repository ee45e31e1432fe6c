"""The journal of a service: nothing is lost, nothing doubled, and what is damaged is noticed."""

import errno
import fcntl
import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinbase_insights.errors import LockedError, StorageError
from coinbase_insights.log.journal import encode, read
from coinbase_insights.log.segment_reader import SegmentReader
from coinbase_insights.log.segments import Segments, segments, take_lock
from coinbase_insights.message import Item, Lost, Message, Opened, Unstored

ALL = 10**9


def message(number: int) -> Message:
    return Message(1_700_000_000_000_000_000 + number, b'{"type":"ticker","sequence":%d}' % number)


def written(folder: Path, count: int, **options: int) -> Segments:
    journal = Segments(folder, **options)
    for number in range(count):
        journal.write(message(number))
    return journal


def lines_of(folder: Path, until: int, start: int = 0) -> list[bytes]:
    return SegmentReader(folder, start).read(until, ALL, ALL)


@given(
    st.lists(st.sampled_from(["write", "sync", "reopen", "drop"]), max_size=60),
    st.integers(200, 2000),
    st.integers(0, 9),
)
@settings(deadline=None)
def test_every_line_keeps_its_offset_whatever_happens_between(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], segment_bytes: int, start: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Segments(folder, start=start, segment_bytes=segment_bytes)
    items: list[Item] = []
    for step in steps:
        if step == "write":
            items.append(message(len(items)))
            journal.write(items[-1])
        elif step == "sync":
            journal.sync()
        elif step == "drop":
            journal.drop(journal.durable)
        else:
            journal.close()
            journal = Segments(folder, segment_bytes=segment_bytes)
        assert journal.end == start + len(items)
    journal.close()
    oldest = segments(folder)[0][0]
    assert lines_of(folder, start + len(items), oldest) == [encode(item) for item in items[oldest - start :]]
    assert list(read(folder)) == items[oldest - start :]
    assert journal.size == sum(path.stat().st_size for _, path in segments(folder))


def test_a_reader_follows_a_journal_that_grows(tmp_path: Path) -> None:
    journal = Segments(tmp_path, segment_bytes=300)
    reader = SegmentReader(tmp_path, 0)
    for number in range(50):
        journal.write(message(number))
        journal.sync()
        assert reader.read(journal.durable, ALL, ALL) == [encode(message(number))]
    journal.close()


@pytest.mark.parametrize("torn", [b"17", b"1700000000000000000\t{", b"\0\0\0\0", b"1700000000000000000\t#sum 3"])
def test_what_a_crash_has_torn_is_dropped_and_counted(tmp_path: Path, torn: bytes) -> None:
    written(tmp_path, 10).close()
    path = segments(tmp_path)[0][1]
    with path.open("ab") as file:
        file.write(encode(message(10)) + torn)
    journal = Segments(tmp_path)
    assert (journal.end, journal.torn_bytes) == (11, len(torn))
    journal.close()
    assert lines_of(tmp_path, 11) == [encode(message(number)) for number in range(11)]


def test_each_flipped_bit_is_noticed(tmp_path: Path) -> None:
    journal = written(tmp_path, 30)
    journal.sync()
    for number in range(30, 60):
        journal.write(message(number))
    journal.close()
    path = segments(tmp_path)[0][1]
    whole = path.read_bytes()
    chance = random.Random(1)
    for _ in range(100):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        with pytest.raises(StorageError):
            lines_of(tmp_path, 60)


def test_nothing_is_written_behind_damage(tmp_path: Path) -> None:
    written(tmp_path, 10).close()
    path = segments(tmp_path)[0][1]
    path.write_bytes(path.read_bytes().replace(b'"sequence":3', b'"sequence":4'))
    with pytest.raises(StorageError, match="damaged"):
        Segments(tmp_path)


def test_a_second_writer_is_told_who_is_the_first(tmp_path: Path) -> None:
    journal = Segments(tmp_path)
    with pytest.raises(LockedError, match=f"pid {os.getpid()}"):
        Segments(tmp_path)
    journal.close()
    Segments(tmp_path).close()


def test_when_there_is_no_room_messages_are_counted_and_the_count_is_written_when_there_is(tmp_path: Path) -> None:
    journal = written(tmp_path, 100, most_bytes=2000, segment_bytes=500)
    kept = journal.end
    assert (kept + journal.unstored, journal.is_full) == (100, True)
    journal.sync()
    journal.drop(journal.durable)
    assert journal.write(message(100))
    assert not journal.is_full
    journal.close()
    *_, told, last = read(tmp_path)
    assert (told, last) == (Unstored(message(100).received_at, 100 - kept), message(100))


def test_a_full_disk_leaves_no_torn_line_and_is_forgiven(tmp_path: Path) -> None:
    journal = Segments(tmp_path)
    with limited_files(1000):
        for number in range(50):
            journal.write(message(number))
        journal.sync()
    assert (journal.is_full, journal.end + journal.unstored) == (True, 50)
    assert journal.write(message(50))
    journal.close()
    items = list(read(tmp_path))
    assert items[-2:] == [Unstored(message(50).received_at, journal.unstored), message(50)]
    assert len(items) == journal.end


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Let the system refuse larger files, in the middle of a line, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_lines_of_the_connection_are_lines_too(tmp_path: Path) -> None:
    items: list[Item] = [Opened(1, "ws://x"), message(1), Lost(3, "closed", messages=1), Unstored(4, 7)]
    journal = Segments(tmp_path)
    for item in items:
        journal.write(item)
    journal.close()
    assert list(read(tmp_path)) == items


def test_a_place_that_is_no_folder_is_said(tmp_path: Path) -> None:
    place = tmp_path / "journal"
    place.write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        Segments(place)


def test_while_there_is_no_room_each_connection_keeps_its_own_count(tmp_path: Path) -> None:
    journal = Segments(tmp_path)
    with limited_files(400):
        journal.write(Opened(1, "ws://x"))
        for number in range(20):
            journal.write(message(number))
        journal.write(Lost(2, "torn", messages=20))
        journal.write(Opened(3, "ws://x"))
        journal.write(message(20))
    kept = journal.end - 1
    journal.write(message(21))
    journal.close()
    assert list(read(tmp_path))[1 + kept :] == [
        Unstored(2, 20 - kept), Lost(2, "torn", messages=20), Opened(3, "ws://x"),
        Unstored(message(21).received_at, 1), message(21),
    ]  # fmt: skip


def test_what_found_no_room_is_said_at_the_end_at_the_latest(tmp_path: Path) -> None:
    journal = written(tmp_path, 100, most_bytes=2000)
    kept = journal.end
    journal.close()
    *_, last = read(tmp_path)
    assert isinstance(last, Unstored)
    assert last.count == 100 - kept


def test_what_cannot_even_be_said_at_the_end_is_an_error_with_its_count(tmp_path: Path) -> None:
    journal = Segments(tmp_path)
    with limited_files(1000):
        for number in range(50):
            journal.write(message(number))
        with pytest.raises(StorageError, match=f"{50 - journal.end} messages found no room"):
            journal.close()


def test_a_journal_that_is_removed_while_it_is_written_is_noticed(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    segments(tmp_path)[0][1].unlink()
    with pytest.raises(StorageError, match="was removed"):
        journal.sync()
    with pytest.raises(StorageError):
        journal.close()


def test_a_share_that_says_of_a_lock_that_it_is_not_permitted_is_locked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def flock(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(LockedError):
        take_lock(tmp_path / "lock")
