"""A journal read again, from an offset on, while it grows; each line is vouched for by its sum before it is given."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

from ..errors import StorageError
from .segments import damaged, is_sum, segments, vouches


class SegmentReader:
    """Reads a journal from an offset on, while another part of the same process writes it."""

    def __init__(self, folder: Path, offset: int) -> None:
        """Begin at an offset; nothing is opened before the first read."""
        self.offset = offset
        self._folder = folder
        self._block: deque[bytes] = deque()
        """Lines that were read together with the sum that vouches for them; the first has the offset `offset`."""
        self._next = offset
        """Offset of the first line that is not read yet, once `_path` is known."""
        self._path: Path | None = None
        self._place = 0

    def read(self, until: int, most_lines: int, most_bytes: int) -> list[bytes]:
        """Give the next lines with offsets below `until`, which must be sealed, with their newlines.

        Raises StorageError when lines are damaged, or are not there.
        """
        lines: list[bytes] = []
        size = 0
        until = min(until, self.offset + most_lines)
        while self.offset < until and size < most_bytes:
            if not self._block:
                self._fill()
            lines.append(self._block.popleft())
            size += len(lines[-1])
            self.offset += 1
        return lines

    def _fill(self) -> None:
        """Read the next block that holds the line of our offset."""
        while not self._block:
            if self._path is None or not self._read_block(self._path):
                self._enter_segment()

    def _enter_segment(self) -> None:
        """Go over to the segment that holds our offset, from its beginning."""
        first, path = max((each for each in segments(self._folder) if each[0] <= self.offset), default=(-1, None))
        if path is None or path == self._path:
            where = "has no" if path is None else "ends before its"
            raise StorageError(f"The journal in {self._folder} {where} line {self.offset}.")
        self._path, self._next, self._place = path, first, 0

    def _read_block(self, path: Path) -> bool:
        """Read up to the next sum, and keep what is at or behind our offset; tell whether there was a block."""
        try:
            with path.open("rb") as file:
                file.seek(self._place)
                lines = read_block(file)
        except FileNotFoundError:  # It was dropped, since all of it is kept elsewhere; what follows is in the next.
            return False
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
        if lines is None:
            return False
        place = self._place + sum(len(line) for line in lines)
        if not vouches(lines.pop(), len(lines), crc32(b"".join(lines))):
            raise damaged(path, self._place)
        self._place = place
        self._block.extend(lines[max(0, self.offset - self._next) :])
        self._next += len(lines)
        return True


def sealed(path: Path) -> Iterator[bytes]:
    """Give the lines of a segment that a sum vouches for. Raises StorageError at one that is not theirs."""
    place = 0
    with path.open("rb") as file:
        while (lines := read_block(file)) is not None:
            size = sum(len(line) for line in lines)
            if not vouches(lines.pop(), len(lines), crc32(b"".join(lines))):
                raise damaged(path, place)
            place += size
            yield from lines


def unsealed(path: Path) -> list[bytes]:
    """Give the lines behind the last sum of a segment: a crash leaves a second of them, and a clean end none."""
    left: list[bytes] = []
    with path.open("rb") as file:
        for line in file:
            if is_sum(line):
                left.clear()
            else:
                left.append(line)
    return left


def read_block(file: Iterable[bytes]) -> list[bytes] | None:
    """Give the lines up to the next sum, and the sum; None when there is no sum any more."""
    lines = []
    for line in file:
        lines.append(line)
        if is_sum(line):
            return lines
    return None
