"""Recordings and journals: messages in a text file, in the order in which they came.

One line a frame: receive time in integer nanoseconds since 1970 UTC, a TAB, the untouched frame, a newline.
A line whose text starts with `#` is ours: `#opened URL`; `#lost REASON`, or `#lost messages=N REASON` where the
messages of the connection were counted; `#unstored N` for messages that found no room, or `#unstored N damaged` where
there had been some whose bytes have changed; `#frame BASE64` for a frame that cannot stand on one line as it is (it
holds a newline, or starts with `#`); and `#sum LINES CRC32`, which says how many lines stand before it since the last
sum, and what their bytes add up to (segments.py).
Nothing here reads what a frame says.
"""

import errno
import os
import re
import stat
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from io import BufferedReader, FileIO
from itertools import chain, islice
from pathlib import Path

from ..errors import RecordingError
from ..message import Item, Line, Lost, Message, Opened, Unstored

FSYNC_INTERVAL = 1.0
"""Seconds after which a written line is on the disk at the latest, while more lines come."""
FIRST_LINES = 10
"""One of these must be a line of a recording, or the file is none."""
HEAD = 2**16
"""Bytes of a file that are looked at before it is appended to."""
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
"""How files begin that people take for recordings."""
_BEGINNING = re.compile(rb"[0-9]{1,19}(\t|\Z)|\Z").match
_TORN = re.compile(rb"[0-9]{1,19}(\t#.*)?", re.DOTALL).fullmatch
"""What a crash at the very first write may leave, when it is no whole line."""
_COUNTED = re.compile(r"messages=([0-9]{1,18})(?: (.*))?", re.ASCII | re.DOTALL).fullmatch
DAMAGED = " damaged"
_UNSTORED = re.compile(r"([0-9]{1,19})( damaged)?", re.ASCII).fullmatch
SUM = re.compile(rb"([0-9]{1,19}\t#sum ([0-9]{1,18}) )([0-9a-f]{8})\n").fullmatch
"""A line that vouches for those before it; it is no item."""
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)
"""What fsync says of a file that is on no disk, such as /dev/null or a pipe."""


def encode(item: Item) -> bytes:
    """Give the line that stands for one message, or for one event of the line."""
    if isinstance(item, Message):
        return b"%d\t%b\n" % (item.received_at, _one_line(item.data))
    return b"%d\t#%b\n" % (item.received_at, " ".join(_words(item).split()).encode())


def _words(item: Line) -> str:
    if isinstance(item, Opened):
        return f"opened {item.url}"
    if isinstance(item, Unstored):
        return f"unstored {item.count}{DAMAGED if item.is_damage else ''}"
    return f"lost {item.reason}" if item.messages is None else f"lost messages={item.messages} {item.reason}"


def _one_line(frame: bytes) -> bytes:
    if b"\n" in frame or b"\r" in frame or frame.startswith(b"#"):
        return framed(frame)
    return frame


def framed(frame: bytes) -> bytes:
    """Write any bytes as text that stands on one line and is read as the same frame."""
    return b"#frame " + b64encode(frame)


def decode(line: bytes) -> Item | None:
    """Read one line, with or without its newline; None when it is not a line of a recording."""
    stamp, tab, text = line.rstrip(b"\r\n").partition(b"\t")
    if not tab or not stamp.isdigit() or len(stamp) > 19:
        return None
    received_at = int(stamp)
    if not text.startswith(b"#"):
        return Message(received_at, text)
    word, _, rest = text.partition(b" ")
    if word == b"#frame":
        try:
            return Message(received_at, b64decode(rest, validate=True))
        except ValueError:
            return None
    if word == b"#opened":
        return Opened(received_at, rest.decode(errors="replace"))
    if word == b"#lost":
        return _lost(received_at, rest.decode(errors="replace"))
    if word == b"#unstored":
        return _unstored(received_at, rest.decode(errors="replace"))
    return None


def is_damage(line: bytes) -> bool:
    """Tell whether a line says that there was another in its place, which is damaged or gone."""
    item = decode(line)
    return isinstance(item, Unstored) and item.is_damage


def _unstored(received_at: int, text: str) -> Unstored | None:
    counted = _UNSTORED(text)
    return None if counted is None else Unstored(received_at, int(counted[1]), is_damage=counted[2] is not None)


def _lost(received_at: int, text: str) -> Lost:
    counted = _COUNTED(text)
    if counted is None:
        return Lost(received_at, text)
    return Lost(received_at, counted[2] or "", messages=int(counted[1]))


def read(path: Path) -> Iterator[Item]:
    """Give the messages of a recording, or of a folder of them in the order of their names.

    A line that cannot be read is given as a message as it stands, so that it is counted as bad and not
    passed over, and so is a first line that a crash has torn. Raises RecordingError when there is no such file, or
    when none of its first lines is of a recording.
    """
    for file in files(path):
        try:
            with BufferedReader(FileIO(file), HEAD) as lines:
                yield from _items(file, lines)
        except OSError as error:
            raise RecordingError(f"{file} cannot be read: {error.strerror}.") from error


def files(path: Path) -> list[Path]:
    """Give the recordings that a path stands for. Raises RecordingError when there is none."""
    if not path.exists():
        raise RecordingError(f"There is no recording {path}.", "Make one with `coinbase_insights run --record PATH`.")
    files = sorted(path.glob("*.rec")) if path.is_dir() else [path]
    if not files:
        raise RecordingError(f"The folder {path} holds no recording.", "Recordings are files that end in .rec.")
    return files


def _items(file: Path, lines: "BufferedReader[FileIO]") -> Iterator[Item]:
    received_at = 0
    head = lines.peek(HEAD)[:HEAD]
    if _BEGINNING(head) is None and b"\n" not in head:  # Such a line may have no end.
        raise _no_recording(file, head)
    first = list(islice(lines, FIRST_LINES))
    if first and not _is_recording(first):
        raise _no_recording(file, head)
    for line in chain(first, lines):
        item = decode(line)
        if item is None:
            if SUM(line):
                continue
            item = Message(received_at, line.rstrip(b"\r\n"))
        received_at = item.received_at
        yield item


def _no_recording(file: Path, head: bytes) -> RecordingError:
    hint = "Recordings are made with `coinbase_insights run --record PATH`."
    if head.startswith(GZIP):
        hint = "It is compressed: unpack it first, with gunzip."
    elif head.startswith(PARQUET):
        hint = "It is a Parquet file: if it is a 5-second grid, `coinbase_insights backtest` reads it."
    return RecordingError(
        f"{file} is not a recording: its first line is not a time in nanoseconds, a TAB and a frame.", hint
    )


def _is_recording(first: Sequence[bytes]) -> bool:
    """Tell it by the first lines: one can be read, or there is but a torn one."""
    return any(decode(line) is not None for line in first) or (len(first) == 1 and _TORN(first[0]) is not None)


def _can_be_appended_to(head: bytes) -> bool:
    """As `_is_recording`, but more careful with the files of others: the first line itself must be ours, or torn."""
    lines = head.split(b"\n", FIRST_LINES)[:FIRST_LINES]
    return decode(lines[0]) is not None or (_TORN(lines[0]) is not None and _is_recording(lines))


class Journal:
    """A recording that is being written: every line in order, on the disk at most a second later.

    Appends to what is there; a torn last line, left by a crash, is closed first, so that nothing is joined to it.
    """

    def __init__(self, path: Path) -> None:
        """Open for appending. Raises RecordingError when the file cannot be made, or holds something else."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(path, "a+")
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                self._continue()
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be written: {error.strerror}.", "Name another file after --record."
            ) from error
        self._synced = time.monotonic()

    def _continue(self) -> None:
        """See that what is there is a recording, and close its torn last line."""
        size = self._file.seek(0, os.SEEK_END)
        if not size:
            return
        self._file.seek(0)
        if not _can_be_appended_to(self._file.read(HEAD)):
            self._file.close()
            raise RecordingError(
                f"{self._path} is not a recording; nothing was added to it.", "Name another file after --record."
            )
        self._file.seek(size - 1)
        if self._file.read(1) != b"\n":
            self._file.write(b"\n")

    def write(self, item: Message | Line) -> None:
        """Add one line. Raises RecordingError when the disk does not take it."""
        try:
            self._write_all(encode(item))
            if time.monotonic() - self._synced >= FSYNC_INTERVAL:
                self.sync()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self._path} cannot be written: {error.strerror}.", "What was written before is kept.")

    def _write_all(self, line: bytes) -> None:
        while line:
            line = line[self._file.write(line) :]

    def sync(self) -> None:
        """Bring everything written so far onto the disk. Raises RecordingError when the disk does not take it."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise self._unwritable(error) from error
        self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close. Raises RecordingError when the disk does not take what was written."""
        try:
            self.sync()
        finally:
            try:
                self._file.close()
            except OSError as error:
                raise self._unwritable(error) from error
