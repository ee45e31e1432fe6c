"""A damaged lake made whole again: what has changed is set aside, and rows in its place say how much is missing.

Nothing is removed. A part says by its name what it holds, so the table is made anew from the parts that are whole;
its log as it was, and each part that is damaged, go into `_aside` beside them, and what is damaged in the journal
into `aside` there. It is for a lake that nobody writes meanwhile. Killed at any moment, it goes on when it is called
again: before it moves anything, it notes what it is about.
"""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import StorageError
from ..log.mend import mend
from ..log.segments import segments, take_lock
from . import trained
from .delta import ASIDE, UNDER_REPAIR, Delta
from .gaps import is_damage
from .landing import LOG
from .memories import FOLDER
from .parquet import from_parquet
from .parts import Part
from .place import Place, place
from .raw import Raw
from .reaching import reaching, table_url
from .rows import SCHEMA, missing
from .sums import LOG as DELTA_LOG
from .sums import SUMS
from .tables import BUILT, MODELS, RAW, TABLES, Table
from .verify import Report, journal_end

WITHIN = ("", f"/{DELTA_LOG}", f"/{SUMS}")
"""The folders of a table."""
NOTE = f"{UNDER_REPAIR}/landed.json"
NOWHERE = 2**63
"""An offset behind all others."""


def repair(lake: str, journal: Path | None, report: Report) -> Iterator[str]:
    """Make a lake whole of which `verify` has given this report; say each thing that was done.

    Raises LockedError when a service writes it, and StorageError when the place cannot be written, or when something
    of it may not be read: that is no damage, and nothing is touched.
    """
    if report.is_whole:
        return
    if "://" not in lake:
        _must_be_readable(Path(lake))
    with reaching(lake):
        yield from set_aside(lake, report.damaged)
        ends = landed(lake)
        mended = [] if journal is None else list(mend(journal, ends.get(LOG, 0), journal / "aside"))
        yield from mended
        if report.has_faults_in_lake:
            lock = None if journal is None else take_lock(journal / "lock")
            try:
                yield from _rebuild(lake, ends, _again_from(ends.get(LOG, 0), None if mended else journal))
            finally:
                if lock is not None:
                    os.close(lock)


def _must_be_readable(lake: Path) -> None:
    def refuse(error: OSError) -> None:
        raise StorageError(f"{error.filename} cannot be read: {error.strerror}.", "Who repairs must be allowed to.")

    for folder, _, names in os.walk(lake, onerror=refuse):
        for path in (Path(folder, name) for name in names):
            if not os.access(path, os.R_OK):
                refuse(PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)))


def _again_from(end: int, journal: Path | None) -> int:
    """From which line on a journal that is whole can land again what the lake has lost."""
    known = segments(journal) if journal is not None else []
    return known[0][0] if known and known[0][0] <= end <= journal_end(known) else NOWHERE


def set_aside(lake: str, damaged: Sequence[Table]) -> Iterator[str]:
    """Set damaged tables aside; with one of `build` all of them and what it remembers, for it makes them anew.

    Of `models` only the rows are taken away whose models are gone or have changed, where it can be read. Each table
    bears a note until all is done, for some of them without the others are no tables to go on from.
    """
    is_built = any(declared in BUILT for declared in damaged)
    lost = [declared for declared in damaged if declared not in BUILT]
    if not damaged:
        return
    files = place(lake)
    number = 1
    places = (FOLDER, *(f"{declared.name}{within}" for declared in TABLES for within in WITHIN))
    while any(files.names(f"{ASIDE}/{number}/{where}") for where in places):
        number += 1
    tables = [*lost, *(BUILT if is_built else ())]
    kept = _whole_models(lake) if MODELS in lost else []
    _begin(files, tables)
    folders = [f"{declared.name}{within}" for declared in tables for within in WITHIN]
    for folder in (*folders, *((FOLDER,) if is_built else ())):
        with reaching(lake):  # Somebody else may set it aside at the same time.
            for name in files.names(folder):
                files.move(f"{folder}/{name}", f"{ASIDE}/{number}/{folder}/{name}")
    if is_built:
        what = f"what was made from raw is in {ASIDE}/{number}"
        yield f"{what}; `coinbase_insights build {lake}`, with the flags as before, makes it anew"
    for declared in lost:
        if declared is MODELS and kept:
            Delta(lake, MODELS, create=True, anew=True).land(MODELS.name, 0, [trained.as_table(kept)])
            yield f"{declared.name} is in {ASIDE}/{number}, and made anew with the models that are whole: {len(kept)}"
        else:
            yield f"{declared.name} is in {ASIDE}/{number}; `{declared.made_by}` begins it anew, without its rows"
    for declared in tables:
        files.remove(f"{declared.name}/{NOTE}")


def _begin(files: Place, tables: Sequence[Table]) -> None:
    """Note in each table that it is being set aside."""
    for declared in tables:
        if files.names(f"{declared.name}/{DELTA_LOG}"):
            files.write(f"{declared.name}/{NOTE}", b"{}")


def _whole_models(lake: str) -> list[trained.Row]:
    """Give the rows of `models` that may stay; none where the table itself cannot be read."""
    try:
        return [row for row in trained.rows(lake) if trained.fits(lake, row)]
    except StorageError:
        return []


def landed(lake: str) -> dict[str, int]:
    """Give how far each log has ever come, by whatever still knows it: the table, its parts, or a repair broken off."""
    files = place(table_url(lake, RAW))
    names = [*files.names(), *(name for number in _asides(files) for name in files.names(f"{ASIDE}/{number}"))]
    found: dict[str, int] = {}
    for part in map(Part.parse, names):
        if part is not None:
            found[part.log] = max(found.get(part.log, 0), part.end)
    note = _note(files)
    found |= {log: max(end, found.get(log, 0)) for log, end in note.get("landed", {}).items()}
    try:
        raw = Raw(lake)
    except StorageError:
        return found
    return {log: max(end, raw.landed(log)) for log, end in found.items()}


def _note(files: Place) -> dict[str, Any]:
    """Give what a repair that was broken off has noted; nothing where there was none."""
    if not files.names(UNDER_REPAIR):
        return {}
    note: dict[str, Any] = json.loads(files.read(NOTE))
    return note


def _asides(files: Place) -> Iterator[int]:
    """Give the numbers under which something was set aside."""
    number = 1
    while any(files.names(f"{ASIDE}/{number}{within}") for within in WITHIN):
        yield number
        number += 1


def _rebuild(lake: str, ends: dict[str, int], again_from: int) -> Iterator[str]:
    """Make the table anew, so that each log comes as far as before, or to where the journal lands it again."""
    files = place(table_url(lake, RAW))
    named = _note(files).get("parts") or _named(lake)
    files.write(NOTE, json.dumps({"landed": ends, "parts": named}).encode())
    number = sum(1 for _ in _asides(files)) + 1
    whole = []
    for part in filter(None, map(Part.parse, files.names())):
        data = _data(files, part.name)
        if data is None or not part.fits(data):
            files.move(part.name, f"{ASIDE}/{number}/{part.name}")
            yield f"{part.name} is damaged: set aside"
        elif not _is_stand_in(data):
            whole.append(part)
    for folder in (DELTA_LOG, SUMS):
        for name in files.names(folder):
            files.move(f"{folder}/{name}", f"{ASIDE}/{number}/{folder}/{name}")
    yield f"the log of the table is made anew; as it was it is in {ASIDE}/{number}"
    raw = Raw(lake, create=True, anew=True)
    for log, end in sorted(ends.items()):
        mine = [part for part in whole if part.log == log]
        parts = cover([part for part in mine if part.name in named], mine)
        yield from _refill(raw, log, parts, end, again_from if log == LOG else NOWHERE)
    kept = {part.name for part in raw.parts()}
    for part in whole:
        if part.name not in kept:
            files.move(part.name, f"{ASIDE}/{number}/{part.name}")
    files.remove(NOTE)


def _named(lake: str) -> list[str]:
    """Give the parts that the table's log names, where it can be read."""
    try:
        return [part.name for part in Raw(lake).parts()]
    except StorageError:
        return []


def _data(files: Place, name: str) -> bytes | None:
    """Give the bytes of a file; None where the disk does not."""
    try:
        return files.read(name)
    except OSError:
        return None


def _is_stand_in(data: bytes) -> bool:
    """Tell whether all rows of a part only say that there were others."""
    table = from_parquet(data, SCHEMA)
    pairs = zip(table.column("channel").to_pylist(), table.column("message").to_pylist(), strict=True)
    return all(is_damage(channel, message) for channel, message in pairs)


def cover(named: Sequence[Part], others: Sequence[Part]) -> list[Part]:
    """Choose parts of a log that do not overlap: those that the table named, and what fits between them."""
    chosen: list[Part] = []
    for part in [*sorted(named), *sorted(others, key=lambda each: (each.first, -each.end))]:
        if all(part.end <= other.first or other.end <= part.first for other in chosen):
            chosen.append(part)
    return sorted(chosen)


def _refill(raw: Raw, log: str, parts: Sequence[Part], end: int, again_from: int) -> Iterator[str]:
    """Commit the parts of a log in their order, and rows about what is missing between them, as far as it had come.

    At the first hole that the journal can fill, it ends: the journal lands all that follows again.
    """
    stamp = _stamps(raw, parts[0])[0] if parts else 0
    for part in parts:
        if part.first > raw.landed(log):
            if again_from <= raw.landed(log):
                return
            yield _fill(raw, log, min(part.first, again_from), stamp)
            if again_from < part.first:
                return
        raw.take_back(part)
        stamp = _stamps(raw, part)[-1]
    if min(end, again_from) > raw.landed(log):
        yield _fill(raw, log, min(end, again_from), stamp)


def _fill(raw: Raw, log: str, until: int, stamp: int) -> str:
    first = raw.landed(log)
    raw.land(log, first, missing(log, first, until, stamp))
    return f"{log}: the lines {first} to {until - 1} are gone; rows in their place say so"


def _stamps(raw: Raw, part: Part) -> list[int]:
    """When the lines of a part reached us, in nanoseconds."""
    return [at * 1000 for at in raw.read(part).column("received_at").cast(pa.int64()).to_pylist()]
