"""The lake as a source: what was collected, in its order, byte for byte."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import DamagedError
from ..log.journal import decode
from ..log.segment_reader import sealed
from ..log.segments import segments
from ..message import Item, Unstored
from .landing import LOG
from .parts import Part
from .raw import Raw
from .rows import items

logger = logging.getLogger(__name__)


def journal_of(lake: str) -> Path | None:
    """Give the journal's folder within a lake that is a folder; None where the lake is an object store."""
    return None if "://" in lake else Path(lake) / "journal"


def collected(lake: str) -> Iterator[Item]:
    """Give everything that was collected, and what is still only in the journal.

    A part that is damaged is passed over with a warning, and counted: an `Unstored` stands in its place. Raises
    StorageError when there is no lake.
    """
    raw = Raw(lake)
    for part in raw.parts():
        if part.log != LOG:
            yield from _items(raw, part, part.first)
    folder, next_offset, before = journal_of(lake), 0, -1
    while next_offset > before:  # Lines may land while we read: what has left the journal is in the lake then.
        before = next_offset
        raw.refresh()
        for part in raw.parts():
            if part.log == LOG and part.end > next_offset:
                yield from _items(raw, part, next_offset)
                next_offset = part.end
        for line in _in_the_journal(folder, next_offset) if folder is not None else ():
            next_offset += 1
            item = decode(line)
            if item is not None:
                yield item


def _items(raw: Raw, part: Part, start: int) -> Iterator[Item]:
    """Give the rows of a part from an offset on."""
    try:
        table = raw.read(part)
    except DamagedError as error:
        logger.error("%s Its %d rows are left out.", error.message, part.rows)
        yield Unstored(0, part.rows, is_damage=True)
        return
    for batch in table.slice(max(0, start - part.first)).to_batches():
        yield from items(batch)


def _in_the_journal(folder: Path, start: int) -> Iterator[bytes]:
    """Give the lines from an offset on, as far as the journal still has them without a hole."""
    for first, path in segments(folder):
        if first > start:
            return
        with suppress(FileNotFoundError):
            for offset, line in enumerate(sealed(path), first):
                if offset == start:
                    start += 1
                    yield line
