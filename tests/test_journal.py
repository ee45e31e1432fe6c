"""What is written is read again, whatever it is and whatever happens to the disk."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights.errors import RecordingError
from coinbase_insights.log.journal import Journal, decode, encode, read
from coinbase_insights.message import Item, Lost, Message, Opened

stamps = st.integers(0, 2**63 - 1)
frames = st.binary(max_size=80) | st.sampled_from([
    b"", b"#", b"#opened x", b"#frame", b"\n", b"a\r\nb", b"\r", b"a\r", b"\t", b"\0", b"\xff\xfe", b" x ", b"\x0b\x0c",
    "\u2028\u0085é".encode(), b'{"type":"ticker"}',
])  # fmt: skip
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(lambda text: " ".join(text.split()))
items = st.builds(Message, stamps, frames) | st.builds(Opened, stamps, words) | st.builds(Lost, stamps, words)


@given(items)
def test_a_line_holds_one_item_and_nothing_else(item: Item) -> None:
    line = encode(item)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == item
    assert decode(line[:-1]) == item


@given(st.lists(items, max_size=30))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, written: list[Item]) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.rec"
    journal = Journal(path)
    for item in written:
        journal.write(item)
    journal.close()
    assert list(read(path)) == written


def test_a_frame_is_kept_untouched_where_a_line_can_hold_it() -> None:
    assert encode(Message(1618677817061845000, b'{"a":"\xff\t#"}')) == b'1618677817061845000\t{"a":"\xff\t#"}\n'


def test_a_reason_of_several_lines_stays_on_one() -> None:
    assert decode(encode(Lost(1, "torn\n2\t{}\r\nagain"))) == Lost(1, "torn 2 {} again")


@pytest.mark.parametrize("line", [
    b"", b"\n", b"17", b"17 {}", b"\t{}", b"-1\t{}", b"1.5\t{}", b"x\t{}", b"\xc2\xb2\t{}", b"1" * 20 + b"\t{}",
    b"1\t#", b"1\t#comment", b"1\t#frame *", b"1\t#frame QQ",
])  # fmt: skip
def test_what_is_no_line_of_a_recording_is_none(line: bytes) -> None:
    assert decode(line) is None


@given(st.binary(max_size=100))
def test_reading_a_line_never_raises(line: bytes) -> None:
    assert isinstance(decode(line), Item | None)


def test_a_bad_line_is_given_as_it_stands_so_that_it_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(b"1\t{}\nrubbish\n\n3\t#what\n4\t[]\n")
    expected = [(1, b"{}"), (1, b"rubbish"), (1, b""), (1, b"3\t#what"), (4, b"[]")]
    assert list(read(path)) == [Message(received_at, data) for received_at, data in expected]


def test_a_torn_last_line_is_given_and_nothing_is_joined_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(b'1\t{"a":1}\n2\t{"a":')
    assert list(read(path)) == [Message(1, b'{"a":1}'), Message(2, b'{"a":')]
    journal = Journal(path)
    journal.write(Message(3, b"{}"))
    journal.close()
    assert path.read_bytes() == b'1\t{"a":1}\n2\t{"a":\n3\t{}\n'


def test_a_recording_is_appended_to_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.rec"
    for number in range(3):
        journal = Journal(path)
        journal.write(Message(number, b"{}"))
        journal.close()
    assert [item.received_at for item in read(path)] == [0, 1, 2]


def test_what_is_written_can_be_read_before_it_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.rec")
    journal.write(Message(1, b"{}"))
    assert list(read(tmp_path / "a.rec")) == [Message(1, b"{}")]
    journal.close()


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("2.rec", "1.rec", "10.rec", "notes.txt"):
        (tmp_path / name).write_bytes(b"1\t%b\n" % name.encode())
    assert [item.data for item in read(tmp_path) if isinstance(item, Message)] == [b"1.rec", b"10.rec", b"2.rec"]


def test_an_empty_file_is_an_empty_recording(tmp_path: Path) -> None:
    (tmp_path / "a.rec").touch()
    assert list(read(tmp_path / "a.rec")) == []


@pytest.mark.parametrize("content", [b"hello\n", b"\x89PNG\r\n\x1a\n\0", b'{"type":"ticker"}\n', b"1.5: {}\n"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="is not a recording: its first line"):
        list(read(path))


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="There is no recording"):
        list(read(tmp_path / "a.rec"))
    with pytest.raises(RecordingError, match="holds no recording"):
        list(read(tmp_path))


def test_a_journal_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "a.rec"):
        with pytest.raises(RecordingError, match="cannot be written"):
            Journal(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told_at_the_first_line() -> None:
    journal = Journal(Path("/dev/full"))
    with pytest.raises(RecordingError, match="No space left"):
        journal.write(Message(1, b"{}"))
    journal.close()


def test_a_disk_that_fails_at_the_sync_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = Journal(tmp_path / "a.rec")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RecordingError, match="cannot be written: Input/output error"):
        journal.sync()
    with pytest.raises(RecordingError, match="cannot be written: Input/output error"):
        journal.close()


def test_what_is_on_no_disk_needs_no_sync(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path(os.devnull), tmp_path / "pipe"):
        journal = Journal(path)
        journal.write(Message(1, b"{}"))
        journal.close()


@pytest.mark.parametrize("content", [
    b"hello\n", b"a\tb\n1\t2\n", b"12\n13\n", b"\x89PNG\r\n\x1a\n\0", b'{"type":"ticker"}', b"\n",
])  # fmt: skip
def test_the_file_of_somebody_else_is_not_appended_to(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="is not a recording") as caught:
        Journal(path)
    assert "another file" in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("torn", [b"1", b"1692437494500000000", b"1692437494500000000\t#ope"])
def test_a_first_line_that_a_crash_has_torn_is_counted_as_it_stands(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(torn)
    assert list(read(path)) == [Message(0, torn)]
    for number in (3, 4):
        journal = Journal(path)
        journal.write(Message(number, b"{}"))
        journal.close()
    assert list(read(path)) == [Message(0, torn), Message(3, b"{}"), Message(4, b"{}")]


@pytest.mark.parametrize(("head", "hint"), [(b"\x1f\x8b\x08", "gunzip"), (b"PAR1", "backtest"), (b"\0", "--record")])
def test_what_is_no_recording_is_refused_by_its_head_with_what_to_do(tmp_path: Path, head: bytes, hint: str) -> None:
    path = tmp_path / "a.rec"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**33)  # A line without an end: eight gigabytes of zeros, which take no room.
    with pytest.raises(RecordingError, match="is not a recording") as failed:
        list(read(path))
    assert hint in failed.value.hint
