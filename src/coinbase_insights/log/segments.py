"""The journal of a service: an ordered list of lines without end, in a folder of segments that are recordings each.

Every line but the sums has an offset, counted from 0 over the life of the journal. A segment is named by the offset
of its first line, so that nothing else has to be remembered: `00000000000000001440.rec`. Before each sync a `#sum`
line vouches for what stands before it; a damaged line is found by it. One process writes, and holds the lock.
Nothing here reads what a frame says.
"""

import errno
import fcntl
import os
import time
from contextlib import suppress
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from ..errors import DamagedError, LockedError, StorageError
from ..message import Item, Message, Unstored
from .journal import SUM, decode, encode

MEGABYTE = 2**20
SEGMENT_BYTES = 64 * MEGABYTE
BLOCK_BYTES = MEGABYTE
"""Lines are vouched for in blocks no larger than this, for a reader holds a block at once."""
MOST_LEFT = 1000
"""Lines about the connection that are kept in mind while there is no room."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk says that is full, or that we may not fill further; it heals."""
SPARE, SPARE_BYTES = "spare", 128 * 1024
"""A file whose room is for what is said at the end of a full disk, as long as the journal is written."""


def is_sum(line: bytes) -> bool:
    """Tell whether a line vouches for those before it."""
    return SUM(line) is not None


def sum_of(lines: list[bytes], stamp: int) -> bytes:
    """Write the line that vouches for these."""
    head = b"%d\t#sum %d " % (stamp, len(lines))
    return b"%b%08x\n" % (head, crc32(head, crc32(b"".join(lines))))


def is_line(line: bytes) -> bool:
    """Tell whether this can be a line that no sum vouches for yet: zeros are what a disk leaves of a lost sector."""
    return decode(line) is not None and b"\0" not in line


def vouches(line: bytes, count: int, crc: int) -> bool:
    """Tell whether a sum is that of so many lines with this CRC-32, and whole itself."""
    match = SUM(line)
    return match is not None and int(match[2]) == count and int(match[3], 16) == crc32(match[1], crc)


def segments(folder: Path) -> list[tuple[int, Path]]:
    """Give the segments of a journal with the offsets of their first lines, oldest first; none where it is not there.

    Raises StorageError when it may not be looked at.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror}.") from error
    paths = (folder / name for name in names if name.endswith(".rec"))
    named = (path for path in paths if path.stem.isdecimal() and path.stem.isascii())
    return sorted((int(path.stem), path) for path in named)


class Segments:
    """The journal that is being written.

    When the disk is full, or the journal has grown to `most_bytes`, lines are counted instead of written, until there
    is room again; then a line says how many they were.
    """

    def __init__(
        self, folder: Path, *, start: int = 0, most_bytes: int | None = None, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """Take up a journal where it ends, or begin one at the offset `start`, up to which lines have landed.

        Raises LockedError when another process writes it, and StorageError when the folder cannot be written or the
        journal is damaged.
        """
        self.unstored = 0
        """Items that found no room since the start."""
        self.torn_bytes = 0
        """What a crash had left of a last line that was never whole, and is dropped."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = segment_bytes
        self._untold = 0
        self._left: list[Item] = []
        """What found no room, but for messages, which are counted: to be written as soon as there is some."""
        self._unsummed_bytes = 0
        self._broken: StorageError | None = None
        """Why the disk cannot be trusted any more."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(folder / "lock")
            known = segments(folder)
            self.first, path = known[-1] if known else (start, segment_path(folder, start))
            self._older_bytes = sum(older.stat().st_size for _, older in known[:-1])
            self._file = FileIO(path, "a+")
            tail = self._recover(path)
            sync_path(folder)
        except OSError as error:
            raise StorageError(
                f"The journal in {folder} cannot be written: {error.strerror}.", "Name another place after --to."
            ) from error
        self.end = self.first + tail.lines
        """Offset of the next line."""
        self.torn_bytes = tail.torn
        self._size, self._crc, self._unsummed = tail.size, tail.crc, tail.unsummed
        self.durable = self.end - tail.unsummed
        """Lines with offsets below this are on the disk."""
        if known and self.durable < min(start, self.end):  # Only what a sum vouches for has ever landed.
            self._file.close()
            os.close(self._lock)
            raise damaged(path, tail.size)
        self.sync()
        self._keep_spare()

    def _recover(self, path: Path) -> "Tail":
        try:
            return recover(self._file, path)
        except StorageError:
            self._file.close()
            os.close(self._lock)
            raise

    @property
    def size(self) -> int:
        """Bytes that the journal takes now."""
        return self._older_bytes + self._size

    @property
    def is_full(self) -> bool:
        """Whether the newest item found no room."""
        return bool(self._untold or self._left)

    def write(self, item: Item) -> bool:
        """Add one line; tell whether there was room. Raises StorageError when the disk fails in another way.

        Our own limit is for messages: what is said of the connection always has room in it.
        """
        items = [*self._left, *self._unstored_now(item.received_at), item]
        lines = [encode(each) for each in items]
        text = b"".join(lines)
        is_message = isinstance(item, Message)
        is_over = is_message and self._most_bytes is not None and self.size + len(text) > self._most_bytes
        if is_over or not self._fits(text):
            self._leave_out(item)
            return False
        self._left.clear()
        self._untold = 0
        self._written(text, len(lines))
        return True

    def _unstored_now(self, received_at: int) -> list[Item]:
        return [Unstored(received_at, self._untold)] if self._untold else []

    def _leave_out(self, item: Item) -> None:
        """Count a message; keep in mind what is about the connection, until there is room."""
        if isinstance(item, Message):
            self.unstored += 1
            self._untold += 1
        elif len(self._left) < MOST_LEFT:
            self._left += [*self._unstored_now(item.received_at), item]
            self._untold = 0

    def _written(self, text: bytes, lines: int) -> None:
        self._size += len(text)
        self._crc = crc32(text, self._crc)
        self._unsummed += lines
        self._unsummed_bytes += len(text)
        self.end += lines
        if self._unsummed_bytes >= BLOCK_BYTES:
            self.seal()

    def _fits(self, text: bytes) -> bool:
        """Write it whole or not at all; tell whether there was room."""
        try:
            self._write_all(text)
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._size)
            if error.errno not in NO_ROOM:
                raise self._failed(error) from error
            return False
        return True

    def _write_all(self, line: bytes) -> None:
        while line:
            line = line[self._file.write(line) :]

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(
            f"The journal in {self._folder} cannot be written: {error.strerror}.", "What is in it is kept."
        )

    def seal(self) -> int:
        """Write the sum of what is new; give the offset up to which it vouches. The next `fsync` makes it durable."""
        if not self._unsummed:
            return self.end
        head = b"%d\t#sum %d " % (time.time_ns(), self._unsummed)
        line = b"%b%08x\n" % (head, crc32(head, self._crc))
        if not self._fits(line):
            return self.end - self._unsummed
        self._size += len(line)
        self._crc = self._unsummed = self._unsummed_bytes = 0
        return self.end

    def fsync(self) -> None:
        """Bring all that is written onto the disk.

        Raises StorageError when the disk does not take it: after that nobody knows what it holds, so it is not tried
        again (the pages may be marked clean: Rebello et al., Can Applications Recover from fsync Failures?, 2020).
        """
        if self._broken is not None:
            raise self._broken
        try:
            os.fsync(self._file.fileno())
            is_gone = os.fstat(self._file.fileno()).st_nlink == 0
        except OSError as error:
            self._broken = self._failed(error)
            raise self._broken from error
        if is_gone:
            raise StorageError(f"The journal in {self._folder} was removed while it was written.")

    def confirm(self, end: int) -> None:
        """Know that what `seal` has vouched for is on the disk; begin a new segment when this one is large enough.

        It also ends when it is full, for only a segment that has ended can be dropped.
        """
        self.durable = max(self.durable, end)
        if self._size >= self._segment_bytes or (self._size and self.is_full):
            if self.end > self.durable:
                end = self.seal()
                self.fsync()
                self.durable = end
            if self.end == self.durable:
                self._begin_segment()

    def sync(self) -> None:
        """Seal, bring onto the disk, and confirm."""
        end = self.seal()
        self.fsync()
        self.confirm(end)

    def _begin_segment(self) -> None:
        path = segment_path(self._folder, self.end)
        try:
            file = FileIO(path, "a+")
            sync_path(self._folder)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise self._failed(error) from error
            return  # The old one goes on until there is room for a new one.
        self._file.close()
        self._older_bytes += self._size
        self._file, self._size, self.first = file, 0, self.end

    def drop(self, offset: int) -> None:
        """Remove the segments whose lines all lie before an offset: they are kept somewhere else now."""
        known = segments(self._folder)
        for (_, path), (next_first, _) in pairwise(known):
            if next_first <= offset:
                with suppress(OSError):  # What cannot be removed now can be later.
                    size = path.stat().st_size
                    path.unlink()
                    self._older_bytes -= size

    def close(self) -> None:
        """Say what found no room, in the room that was kept for that; sync, and let go of the lock.

        Raises StorageError when somebody else has taken even that.
        """
        try:
            with suppress(OSError):
                (self._folder / SPARE).unlink()
            if self.is_full:
                items = [*self._left, *self._unstored_now(time.time_ns())]
                text = b"".join(encode(each) for each in items)
                if not self._fits(text):
                    untold = sum(each.count for each in items if isinstance(each, Unstored))
                    raise StorageError(
                        f"{untold:,} messages found no room in {self._folder}, nor did a line that says so.",
                        "Make room; what is in it is kept.",
                    )
                self._left.clear()
                self._untold = 0
                self._written(text, len(items))
            self.sync()
        finally:
            self._file.close()
            os.close(self._lock)

    def _keep_spare(self) -> None:
        """Take the room that the end may need, if there is some."""
        path = self._folder / SPARE
        try:
            path.write_bytes(bytes(SPARE_BYTES))
        except OSError:
            with suppress(OSError):
                path.unlink()


class Tail(NamedTuple):
    """What was found in a segment that is taken up again."""

    lines: int
    """Those with an offset."""
    size: int
    torn: int
    """Bytes behind the last whole line, which are dropped."""
    crc: int
    """Of the lines behind the last sum, and how many they are."""
    unsummed: int


def recover(file: FileIO, path: Path) -> Tail:
    """Find the end of a segment and cut off what a crash has left behind the last whole line.

    Raises DamagedError when a line before it is damaged: nothing is written behind that.
    """
    file.seek(0)
    lines = crc = unsummed = size = 0
    with open(os.dup(file.fileno()), "rb") as reader:
        for line in reader:
            if is_sum(line):
                if not vouches(line, unsummed, crc):
                    raise damaged(path, size)
                unsummed = crc = 0
            elif not line.endswith(b"\n"):
                break
            elif not is_line(line):
                raise damaged(path, size)
            else:
                lines, unsummed, crc = lines + 1, unsummed + 1, crc32(line, crc)
            size += len(line)
    torn = os.fstat(file.fileno()).st_size - size
    if torn:
        os.ftruncate(file.fileno(), size)
    return Tail(lines, size, torn, crc, unsummed)


def damaged(path: Path, place: int) -> DamagedError:
    """Make the error of a segment whose sum is not that of its lines."""
    return DamagedError(
        f"{path} is damaged before byte {place}: its lines do not add up to their sum.",
        "Set aside what is damaged: coinbase_insights verify LAKE --repair",
    )


def take_lock(path: Path) -> int:
    """Lock a file for this process, as long as it lives; give its descriptor. Raises LockedError naming the holder."""
    descriptor, holder = os.open(path, os.O_RDWR | os.O_CREAT, 0o644), ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:  # The second is what a share of SMB says.
        with suppress(OSError):
            holder = os.read(descriptor, 100).decode(errors="replace").strip()
        os.close(descriptor)
        raise LockedError(
            f"{path.parent} is written by another process ({holder or 'it has not said which'}).",
            "End that one first, or name another place.",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"pid %d\n" % os.getpid(), 0)
    return descriptor


def segment_path(folder: Path, first: int) -> Path:
    """Give the path of the segment that begins with a line of this offset."""
    return folder / f"{first:020d}.rec"


def sync_path(path: Path) -> None:
    """Bring a file, or the names in a folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
