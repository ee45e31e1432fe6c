"""A damaged lake made whole again: what has changed is set aside, and rows in its place say how much is missing.

Nothing is removed. A part says by its name what it holds, so the table is made anew from the parts that are whole;
its log as it was, and each part that is damaged, go into `_aside` beside them, and what is damaged in the journal
into `aside` there. It is for a lake that nobody writes meanwhile.
"""

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
from .landing import GROUP_LINES, LOG
from .memories import FOLDER
from .parts import Part
from .place import Place, place
from .raw import Raw
from .rows import rows
from .sums import LOG as DELTA_LOG
from .sums import SUMS
from .tables import RAW, TABLES
from .verify import Report

ASIDE = "_aside"
WITHIN = ("", f"/{DELTA_LOG}", f"/{SUMS}")
"""The folders of a table."""


def repair(lake: str, journal: Path | None, report: Report) -> Iterator[str]:
    """Make a lake whole of which `verify` has given this report; say each thing that was done.

    Raises LockedError when a service writes it, and StorageError when the place cannot be written.
    """
    if report.is_whole:
        return
    if report.made_faults:
        with reaching(lake):
            yield from _give_up_what_was_made(lake)
    landed = _landed(lake)
    if report.has_faults_in_lake:
        lock = None if journal is None else take_lock(journal / "lock")
        try:
            first = segments(journal)[0][0] if journal is not None and segments(journal) else None
            goal = {**landed, LOG: first} if first is not None else landed
            with reaching(lake):
                yield from _rebuild(lake, goal)
        finally:
            if lock is not None:
                os.close(lock)
        landed = _landed(lake)
    if journal is not None:
        yield from mend(journal, landed.get(LOG, 0), journal / "aside")


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
    """Give how far each log has come; of a table that cannot be read, nothing."""
    try:
        raw = Raw(lake)
        return {log: raw.landed(log) for log in {part.log for part in raw.parts()}}
    except StorageError:
        return {}


def _rebuild(lake: str, goal: dict[str, int]) -> Iterator[str]:
    """Make the table anew; `goal` says up to where the lines of a log must be here."""
    files = place(table_url(lake, RAW))
    whole = []
    for name in files.names():
        part = Part.parse(name)
        if part is None:
            continue
        if part.fits(files.read(name)):
            whole.append(part)
            continue
        files.move(name, f"{ASIDE}/{name}")
        yield f"{name} is damaged: set aside"
    number = _aside_number(files)
    for folder in (DELTA_LOG, SUMS):
        for name in files.names(folder):
            files.move(f"{folder}/{name}", f"{ASIDE}/{number}/{folder}/{name}")
    yield f"the log of the table is made anew; as it was it is in {ASIDE}/{number}"
    raw = Raw(lake, create=True)
    for log in sorted({part.log for part in whole} | set(goal)):
        yield from _refill(raw, log, list(cover(part for part in whole if part.log == log)), goal.get(log, 0))


def cover(parts: Iterable[Part]) -> Iterator[Part]:
    """Choose parts of a log that do not overlap and hold as much as can be; of two, the one that reaches further."""
    end = 0
    for part in sorted(parts, key=lambda each: (each.first, -each.end)):
        if part.first >= end:
            yield part
            end = part.end


def _refill(raw: Raw, log: str, parts: list[Part], goal: int) -> Iterator[str]:
    """Commit the parts of a log in their order, and rows about what is missing between them, up to the goal."""
    for part in parts:
        if part.first > raw.landed(log):
            yield _fill(raw, log, part.first)
        raw.take_back(part)
    if goal > raw.landed(log):
        yield _fill(raw, log, goal)


def _fill(raw: Raw, log: str, until: int) -> str:
    first = raw.landed(log)
    raw.land(log, first, _about(log, first, until, _newest(raw, log)))
    return f"{log}: the lines {first} to {until - 1} are gone; rows in their place say so"


def _newest(raw: Raw, log: str) -> int:
    """Give when the last line of a log reached us, in nanoseconds; 0 when there is none."""
    mine = [part for part in raw.parts() if part.log == log]
    column = raw.read(mine[-1]).column("received_at").cast(pa.int64()) if mine else ()
    return column[len(column) - 1].as_py() * 1000 if len(column) else 0


def _about(log: str, first: int, until: int, stamp: int) -> Iterator[pa.Table]:
    line = encode(Unstored(stamp, 1, is_damage=True))
    for start in range(first, until, GROUP_LINES):
        yield rows(log, start, [line] * min(GROUP_LINES, until - start), None)


def _aside_number(files: Place) -> int:
    """Give the first number under which nothing was set aside yet."""
    number = 1
    while files.names(f"{ASIDE}/{number}/{DELTA_LOG}"):
        number += 1
    return number
