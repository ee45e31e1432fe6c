"""A damaged lake made whole again: what has changed is set aside, and rows in its place say how much is missing.

Nothing is removed. A part says by its name what it holds, so the table is made anew from the parts that are whole;
its log as it was, and each part that is damaged, go into `_aside` beside them, and what is damaged in the journal
into `aside` there. It is for a lake that nobody writes meanwhile. Killed at any moment, it goes on when it is called
again: before it moves anything, it notes how far each log had come.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from ..errors import StorageError
from ..log.journal import encode
from ..log.mend import mend
from ..log.segments import segments, take_lock
from ..message import Unstored
from .delta import reaching, table_url
from .gaps import is_damage
from .landing import GROUP_LINES, LOG
from .memories import FOLDER
from .parquet import from_parquet
from .parts import Part
from .place import Place, place
from .raw import Raw
from .rows import SCHEMA, rows
from .sums import LOG as DELTA_LOG
from .sums import SUMS
from .tables import RAW, TABLES
from .verify import ASIDE, UNDER_REPAIR, Report, journal_end

WITHIN = ("", f"/{DELTA_LOG}", f"/{SUMS}")
"""The folders of a table."""
NOTE = f"{ASIDE}/{UNDER_REPAIR}/landed.json"


def repair(lake: str, journal: Path | None, report: Report) -> Iterator[str]:
    """Make a lake whole of which `verify` has given this report; say each thing that was done.

    Raises LockedError when a service writes it, and StorageError when the place cannot be written.
    """
    if report.is_whole:
        return
    with reaching(lake):
        if report.made_faults:
            yield from _give_up_what_was_made(lake)
        landed = _landed(lake)
        if journal is not None:
            yield from mend(journal, landed.get(LOG, 0), journal / "aside")
        if report.has_faults_in_lake:
            lock = None if journal is None else take_lock(journal / "lock")
            try:
                yield from _rebuild(lake, landed, journal)
            finally:
                if lock is not None:
                    os.close(lock)


def _give_up_what_was_made(lake: str) -> Iterator[str]:
    """Set aside every table that `build` makes, and what it remembers: it makes them anew from `raw`."""
    files = place(lake)
    number = 1
    while any(files.names(f"{ASIDE}/{number}/{declared.name}/{DELTA_LOG}") for declared in TABLES):
        number += 1
    folders = [f"{declared.name}{within}" for declared in TABLES if declared is not RAW for within in WITHIN]
    for folder in (*folders, FOLDER):
        for name in files.names(folder):
            files.move(f"{folder}/{name}", f"{ASIDE}/{number}/{folder}/{name}")
    yield f"what was made from raw is in {ASIDE}/{number}; `coinbase_insights build {lake}` makes it anew"


def _landed(lake: str) -> dict[str, int]:
    """Give how far each log has ever come, by whatever still knows it: the table, its parts, or a repair broken off."""
    files = place(table_url(lake, RAW))
    names = [*files.names(), *files.names(ASIDE)]
    found = {part.log: 0 for part in map(Part.parse, names) if part is not None}
    for part in map(Part.parse, names):
        if part is not None:
            found[part.log] = max(found[part.log], part.end)
    if files.names(f"{ASIDE}/{UNDER_REPAIR}"):
        found |= {log: max(end, found.get(log, 0)) for log, end in json.loads(files.read(NOTE)).items()}
    try:
        raw = Raw(lake)
    except StorageError:
        return found
    return {log: max(end, raw.landed(log)) for log, end in found.items()}


def _rebuild(lake: str, landed: dict[str, int], journal: Path | None) -> Iterator[str]:
    """Make the table anew, so that each log comes as far as before, or to where the journal goes on from."""
    files = place(table_url(lake, RAW))
    files.write(NOTE, json.dumps(landed).encode())
    whole, number = [], _aside_number(files)
    for name in files.names():
        part = Part.parse(name)
        if part is None:
            continue
        data = files.read(name)
        if not part.fits(data):
            files.move(name, f"{ASIDE}/{name}")
            yield f"{name} is damaged: set aside"
        elif not _is_stand_in(data):
            whole.append(part)
    for folder in (DELTA_LOG, SUMS):
        for name in files.names(folder):
            files.move(f"{folder}/{name}", f"{ASIDE}/{number}/{folder}/{name}")
    yield f"the log of the table is made anew; as it was it is in {ASIDE}/{number}"
    raw = Raw(lake, create=True, anew=True)
    for log, end in sorted(landed.items()):
        parts = list(cover(part for part in whole if part.log == log))
        yield from _refill(raw, log, parts, _goal(log, end, journal))
    files.remove(NOTE)


def _goal(log: str, landed: int, journal: Path | None) -> int:
    """Up to where the lines of a log must be in the lake: those that the journal still has land again from there."""
    known = segments(journal) if log == LOG and journal is not None else []
    if known and known[0][0] <= landed <= journal_end(known):
        return known[0][0]
    return landed


def _is_stand_in(data: bytes) -> bool:
    """Tell whether all rows of a part only say that there were others."""
    table = from_parquet(data, SCHEMA)
    pairs = zip(table.column("channel").to_pylist(), table.column("message").to_pylist(), strict=True)
    return all(is_damage(channel, message) for channel, message in pairs)


def cover(parts: Iterable[Part]) -> Iterator[Part]:
    """Choose parts of a log that do not overlap and hold as much as can be; of two, the one that reaches further."""
    end = 0
    for part in sorted(parts, key=lambda each: (each.first, -each.end)):
        if part.first >= end:
            yield part
            end = part.end


def _refill(raw: Raw, log: str, parts: list[Part], goal: int) -> Iterator[str]:
    """Commit the parts of a log in their order, and rows about what is missing between them, up to the goal."""
    stamp = _first_stamp(raw, parts)
    for part in parts:
        if part.first > raw.landed(log):
            yield _fill(raw, log, part.first, stamp)
        raw.take_back(part)
        stamp = _stamps(raw, part)[-1]
    if goal > raw.landed(log):
        yield _fill(raw, log, goal, stamp)


def _fill(raw: Raw, log: str, until: int, stamp: int) -> str:
    first = raw.landed(log)
    raw.land(log, first, _about(log, first, until, stamp))
    return f"{log}: the lines {first} to {until - 1} are gone; rows in their place say so"


def _first_stamp(raw: Raw, parts: list[Part]) -> int:
    """When the first line that is known of a log reached us; 0 when there is none."""
    return _stamps(raw, parts[0])[0] if parts else 0


def _stamps(raw: Raw, part: Part) -> list[int]:
    """When the lines of a part reached us, in nanoseconds."""
    return [at * 1000 for at in raw.read(part).column("received_at").cast(pa.int64()).to_pylist()]


def _about(log: str, first: int, until: int, stamp: int) -> Iterator[pa.Table]:
    line = encode(Unstored(stamp, 1, is_damage=True))
    for start in range(first, until, GROUP_LINES):
        yield rows(log, start, [line] * min(GROUP_LINES, until - start), None)


def _aside_number(files: Place) -> int:
    """Give the first number under which nothing was set aside yet."""
    number = 1
    while files.names(f"{ASIDE}/{number}/{DELTA_LOG}") or files.names(f"{ASIDE}/{number}/{SUMS}"):
        number += 1
    return number
