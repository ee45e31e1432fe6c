"""A damaged journal made whole again: what has changed is set aside, and lines in its place say how much is missing.

Offsets stay: where there was a line that cannot be trusted any more, there is one that says so. Nothing is removed.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from ..errors import StorageError
from ..message import Unstored
from .journal import SUM, encode
from .segment_reader import read_block, sealed, unsealed
from .segments import is_line, is_sum, segment_path, segments, sum_of, sync_path, take_lock, vouches

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""What a file system says that knows no second name of a file, such as SMB, on which Azure keeps /home."""
LARGEST_BLOCK = 10_000
"""Lines that say of damage, vouched for at once."""


def mend(folder: Path, landed: int | None, aside: Path, *, fits: bool = True) -> Iterator[str]:
    """Put segments that are damaged or missing into a folder aside, and others in their place; say what was done.

    `landed` is where the lake goes on; None where there is none. `fits` says that it is the journal of that lake: then
    what lies between the two is said to be gone too. Raises LockedError when another process writes the journal, and
    StorageError when it cannot be written.
    """
    try:
        lock = take_lock(folder / "lock")
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield from _mend(folder, landed, aside, fits=fits)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        os.close(lock)


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The journal in {folder} cannot be mended: {error.strerror}.", "What was in it is kept; try it again."
    )


def _mend(folder: Path, landed: int | None, aside: Path, *, fits: bool) -> Iterator[str]:
    known = segments(folder)
    oldest = known[0][0] if known else 0
    landed = oldest if landed is None else landed
    expected = min(landed, oldest) if fits else oldest
    for number, (first, path) in enumerate(known):
        if first > expected:
            _write(segment_path(folder, expected), [first - expected])
            yield f"lines {expected} to {first - 1} are gone; {segment_path(folder, expected).name} says so"
        following = known[number + 1][0] if number + 1 < len(known) else None
        count = _whole_lines(path, first, landed, is_last=following is None)
        if count is None or (following is not None and first + count > following):
            yield _mend_one(path, first, landed, following, aside)
            count = _whole_lines(path, first, landed, is_last=following is None) or 0
        expected = first + count
    if known and expected < landed and fits:
        for _, path in segments(folder):
            _set_aside(path, aside)
        yield f"the journal ended at line {expected}, before the lake: it is in {aside}"


def _whole_lines(path: Path, first: int, landed: int, *, is_last: bool) -> int | None:
    """Count the lines of a segment; None when it is damaged. A line that a crash has torn is none yet."""
    left = unsealed(path)
    try:
        count = sum(1 for _ in sealed(path))
    except StorageError:
        return None
    if left and not (is_last and _is_tail(left, first + count, landed)):
        return None
    return count + sum(line.endswith(b"\n") for line in left)


def _is_tail(lines: list[bytes], first: int, landed: int) -> bool:
    """Tell whether these can be lines that no sum vouches for yet; a crash may have torn the last.

    Lines below `landed` were vouched for, or they had not landed.
    """
    return first >= landed and all(is_line(line) for line in lines if line.endswith(b"\n"))


def _mend_one(path: Path, first: int, landed: int, following: int | None, aside: Path) -> str:
    """Write a segment anew with what is whole in it."""
    blocks = list(_blocks(path, first, landed, is_last=following is None))
    if following is not None:
        _fit(blocks, following - first)
    missing = sum(block for block in blocks if isinstance(block, int))
    kept = _copy_aside(path, aside)
    _write(path, blocks)
    return f"{path.name}: {missing} lines are damaged or gone; the file as it was is {kept}"


def _blocks(path: Path, first: int, landed: int, *, is_last: bool) -> Iterator[bytes | int]:
    """Give the blocks of a segment as they are; of one that is damaged, how many lines it has had."""
    with path.open("rb") as file:
        while (lines := read_block(file)) is not None:
            last = lines.pop()
            if vouches(last, len(lines), crc32(b"".join(lines))):
                first += len(lines)
                yield b"".join([*lines, last])
                continue
            said = SUM(last)
            count = int(said[2]) if said is not None else 0
            count = count if len(lines) <= count < 2 * len(lines) else len(lines)
            first += count
            yield count
    left = unsealed(path)
    if left and is_last and _is_tail(left, first, landed):
        yield b"".join(left)
    elif left:
        yield sum(b"\t#sum " not in line for line in left)


def _fit(blocks: list[bytes | int], lines: int) -> None:
    """Make the last count of what is missing such that the segment has so many lines, as the next one says."""
    if not any(isinstance(block, int) for block in blocks):
        blocks.append(0)
    last = max(number for number, block in enumerate(blocks) if isinstance(block, int))
    others = [block for number, block in enumerate(blocks) if number != last]
    blocks[last] = max(0, lines - sum(each if isinstance(each, int) else _lines(each) for each in others))


def _lines(block: bytes) -> int:
    return block.count(b"\n") - (1 if is_sum(block[block.rfind(b"\n", 0, -1) + 1 :]) else 0)


def _write(path: Path, blocks: list[bytes | int]) -> None:
    """Write a segment of these blocks, and lines about what is missing."""
    stamp, parts = 0, list[bytes]()
    for block in blocks:
        if isinstance(block, int):
            parts += _about(block, stamp)
        else:
            stamp = int(block[block.rfind(b"\n", 0, -1) + 1 :].partition(b"\t")[0])
            parts.append(block)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(b"".join(parts))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_path(path.parent)


def _about(missing: int, stamp: int) -> Iterator[bytes]:
    line = encode(Unstored(stamp, 1, is_damage=True))
    for start in range(0, missing, LARGEST_BLOCK):
        lines = [line] * min(LARGEST_BLOCK, missing - start)
        yield b"".join([*lines, sum_of(lines, stamp)])


def _set_aside(path: Path, aside: Path) -> Path:
    to = _copy_aside(path, aside)
    path.unlink()
    sync_path(path.parent)
    return to


def _copy_aside(path: Path, aside: Path) -> Path:
    """Give a file a second name in the folder aside; what then replaces the first leaves it there."""
    aside.mkdir(parents=True, exist_ok=True)
    to, number = aside / path.name, 1
    while to.exists():
        if to.samefile(path):
            return to
        number += 1
        to = aside / f"{path.stem}-{number}{path.suffix}"
    try:
        os.link(path, to)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        shutil.copyfile(path, to)
        sync_path(to)
    sync_path(aside)
    return to
