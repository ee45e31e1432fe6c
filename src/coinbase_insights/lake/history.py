"""The lake as a source: what was collected, in its order, byte for byte."""

import logging
from collections.abc import Iterator
from pathlib import Path

from ..errors import StorageError
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
    last = 0
    for part in raw.parts():
        for item in _items(raw, part, last):
            last = item.received_at
            yield item
    folder = journal_of(lake)
    if folder is not None:
        yield from _still_in_the_journal(folder, raw.landed(LOG))


def _items(raw: Raw, part: Part, last: int) -> Iterator[Item]:
    try:
        table = raw.read(part)
    except StorageError as error:
        logger.error("%s Its %d rows are left out.", error.message, part.rows)
        yield Unstored(last, part.rows)
        return
    for batch in table.to_batches():
        yield from items(batch)


def _still_in_the_journal(folder: Path, landed: int) -> Iterator[Item]:
    for first, path in segments(folder):
        for offset, line in enumerate(sealed(path), first):
            item = decode(line) if offset >= landed else None
            if item is not None:
                yield item
