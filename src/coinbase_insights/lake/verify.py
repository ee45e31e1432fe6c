"""Is what was collected whole? Every file is read, and everything that one part says of another is compared.

Nothing is changed. What is checked:

- each file of the Delta log against its checksum, and that no version is missing;
- each part: that it is there, that its bytes are those that it was named after, and that its rows have its offsets;
- the parts of a log: that they follow each other without a hole or an overlap, up to where the log has come;
- each connection that was counted: that as many messages are here as came;
- each table that `build` has made: its log and its parts likewise, and what `build` remembers of where it ends;
- each model that was trained: that what it has learned is what the table `models` says;
- the journal: that the lines of each segment add up to their sums, that segments follow each other, and that it
  begins no later than where the lake ends.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ..errors import DamagedError, StorageError
from ..log.journal import decode
from ..log.segment_reader import sealed, unsealed
from ..log.segments import segments
from ..message import Lost, Opened, Unstored
from . import trained
from .delta import UNDER_REPAIR, Delta
from .gaps import Gap, Gaps, is_damage
from .landing import LOG
from .memories import Memories
from .parts import Part
from .place import Place, place
from .raw import Raw
from .reaching import reaching, table_url
from .rows import ABOUT_THE_LINE
from .step import STEPS
from .sums import LAST_CHECKPOINT, SUMS, sum_line, sum_name
from .sums import LOG as DELTA_LOG
from .tables import BUILT, MODELS, RAW, TABLES, Table


@dataclass(slots=True)
class Report:
    """What was found."""

    faults: list[str] = field(default_factory=list)
    """Why it is not whole; empty when it is."""
    has_faults_in_lake: bool = False
    """Whether any of them is of the table, and not of the journal."""
    damaged: list[Table] = field(default_factory=list)
    """Tables other than `raw` that have faults."""
    notes: list[str] = field(default_factory=list)
    """What is no fault and yet worth to be known."""
    gaps: list[Gap] = field(default_factory=list)
    parts: int = 0
    rows: int = 0
    connections: int = 0
    waiting: int = 0
    """Lines that are in the journal and not yet in the lake."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(lake: str, journal: Path | None, told: Callable[[int, int], None] = lambda _done, _all: None) -> Report:
    """Check a lake and its journal; `told` hears how many parts of how many are done.

    Raises StorageError when there is no lake.
    """
    report = Report()
    with reaching(lake):
        files = place(table_url(lake, RAW))
        report.faults += log_faults(files)
        if files.names(UNDER_REPAIR):
            report.faults.append(f"a repair was broken off; go on with it: coinbase_insights verify {lake} --repair")
        elif not files.names(DELTA_LOG) and any(Part.parse(name) for name in files.names()):
            report.faults.append(f"the log that names the parts in {table_url(lake, RAW)} is gone")
    try:
        raw = Raw(lake)
        parts = raw.parts()
    except StorageError as error:
        if not report.faults and _has_results_alone(lake):
            report.notes.append(f"nothing was collected in {lake}")
            _check_tables(lake, report)
            return report
        if not report.faults:
            raise
        report.faults.append(error.message)
        report.has_faults_in_lake = True
        return report
    with reaching(lake):
        _check_parts(raw, parts, report, told)
    report.has_faults_in_lake = bool(report.faults)
    _check_tables(lake, report)
    if journal is not None:
        try:
            known = segments(journal)
            raw.refresh()  # After the look at the journal: what has left it meanwhile is in the lake by now.
            _check_journal(known, raw.landed(LOG), report)
        except OSError as error:
            report.faults.append(f"{error.filename} cannot be read: {error.strerror}")
        except StorageError as error:
            report.faults.append(error.message)
    elif any(part.log == LOG for part in parts) and "://" not in lake:
        report.notes.append(f"there is no journal in {lake}: nothing is known of what had not landed")
    return report


def _has_results_alone(lake: str) -> bool:
    """Tell whether backtests of recordings were kept there, and nothing was collected or built."""
    with reaching(lake):
        there = [declared for declared in TABLES if place(table_url(lake, declared)).names(DELTA_LOG)]
    return bool(there) and not {RAW, *BUILT} & set(there)


def _check_tables(lake: str, report: Report) -> None:
    """Check every table but `raw`."""
    for declared in TABLES:
        if declared is not RAW:
            faults = list(_made_faults(lake, declared))
            report.faults += faults
            report.damaged += [declared] if faults else []
    if not report.damaged:
        _check_what_goes_with_tables(lake, report)


def log_faults(files: Place) -> Iterator[str]:
    """Check the Delta log against its checksums."""
    earlier = set(files.names(DELTA_LOG))
    sums = {name.removesuffix(".sha256") for name in files.names(SUMS)}
    names = [name for name in files.names(DELTA_LOG) if not name.startswith(".")]
    versions = [int(name.removesuffix(".json")) for name in names if name.endswith(".json")]
    for name in names:
        if name in sums:
            data = files.read(f"{DELTA_LOG}/{name}")
            if files.read(sum_name(name)) != sum_line(name, data) and not _is_newer_checkpoint(name, data, names):
                yield f"{DELTA_LOG}/{name} or its checksum has changed"
        elif not versions or not name.startswith(f"{versions[-1]:020d}"):  # A crash may leave the newest without one.
            yield f"{DELTA_LOG}/{name} has no checksum"
    for name in sorted(sums - set(names) - earlier):
        yield f"{DELTA_LOG}/{name} is missing"
    if versions and versions != list(range(versions[0], versions[-1] + 1)):
        yield f"{DELTA_LOG} lacks versions between {versions[0]} and {versions[-1]}"


def _made_faults(lake: str, declared: Table) -> Iterator[str]:
    """Check a table that was made from others: its log, and that each part is whole and follows the one before."""
    try:
        with reaching(lake):
            files = place(table_url(lake, declared))
            if files.names(UNDER_REPAIR):
                yield f"{declared.name}: a repair was broken off; go on with it"
                return
            if not files.names(DELTA_LOG):
                if files.names() or files.names(SUMS):
                    yield f"{declared.name}: the log that names its parts is gone"
                return
            log = list(log_faults(files))
        yield from (f"{declared.name}: {fault}" for fault in log)
        table, end = Delta(lake, declared), 0
        for part in table.parts():
            if part.first != end:
                yield f"{declared.name}: the rows {end} to {part.first - 1} are missing, or there twice"
            end = part.end
            try:
                table.holder(part)
            except StorageError as error:
                yield error.message
        if table.landed(declared.name) != end:
            yield f"{declared.name} has come to row {table.landed(declared.name)}, and its parts end at {end}"
    except StorageError as error:
        yield error.message


def _check_what_goes_with_tables(lake: str, report: Report) -> None:
    """Check what tables that are whole need beside them: what `build` remembers, and the models that were trained."""
    try:
        for name, made in STEPS.items():
            done = min(_made_until(lake, declared) for declared in made)
            try:
                Memories(lake, name).read(done)
            except DamagedError as error:
                report.faults.append(error.message)
                report.damaged.append(made[0])
        lost = [f"{row['name']}/{row['version']}" for row in trained.rows(lake) if not trained.fits(lake, row)]
    except StorageError as error:
        report.faults.append(error.message)
        return
    if lost:
        report.faults.append(f"what was learned is gone or has changed, of the models {', '.join(lost)}")
        report.damaged.append(MODELS)


def _made_until(lake: str, declared: Table) -> int:
    """How far a table was made; 0 where there is none."""
    with reaching(lake):
        is_there = bool(place(table_url(lake, declared)).names(DELTA_LOG))
    return Delta(lake, declared).made_until() if is_there else 0


def _is_newer_checkpoint(name: str, data: bytes, names: Sequence[str]) -> bool:
    """Tell whether this is the one file that is written anew, and a crash has come before its checksum."""
    if name != LAST_CHECKPOINT:
        return False
    try:
        version = int(json.loads(data)["version"])
    except (ValueError, KeyError, TypeError):
        return False
    return f"{version:020d}.checkpoint.parquet" in names


class _Connections:
    """Counts the messages of each connection, and compares where the collector had counted them too."""

    def __init__(self) -> None:
        self.came: Counter[int] = Counter()
        self._is_unsure = False
        """Whether rows of the connection may be among those that were set aside."""

    def add(self, table: pa.Table) -> Iterator[str]:
        columns = (table.column(name).to_pylist() for name in ("connection", "channel", "message"))
        for connection, channel, message in zip(*columns, strict=True):
            if is_damage(channel, message):
                self._is_unsure = True
                continue
            if connection is None:
                continue
            if channel != ABOUT_THE_LINE:
                self.came[connection] += 1
                continue
            item = decode(b"0\t" + message.encode())
            if isinstance(item, Unstored):
                self.came[connection] += item.count
            elif isinstance(item, Opened):
                self._is_unsure = False
                self.came.setdefault(connection, 0)
            elif self._is_unsure or not isinstance(item, Lost) or item.messages is None:
                self.came.setdefault(connection, 0)
            elif item.messages != self.came[connection]:
                yield f"connection {connection} brought {item.messages} messages, and {self.came[connection]} are here"


def _check_parts(raw: Raw, parts: list[Part], report: Report, told: Callable[[int, int], None]) -> None:
    ends: dict[str, int] = {}
    connections, gaps = defaultdict[str, _Connections](_Connections), defaultdict[str, Gaps](Gaps)
    for number, part in enumerate(parts, 1):
        expected = ends.get(part.log, 0)
        if part.first > expected:
            report.faults.append(f"{part.log}: lines {expected} to {part.first - 1} are missing")
        elif part.first < expected:
            report.faults.append(f"{part.log}: lines {part.first} to {expected - 1} are there twice")
        ends[part.log] = part.end
        try:
            first = part.first
            for table in raw.groups(part):
                report.faults += _row_faults(part, first, table)
                report.faults += connections[part.log].add(table)
                report.gaps += gaps[part.log].add(table)
                first += len(table)
            report.rows += part.rows
            if first != part.end:
                report.faults.append(f"{part.name} holds {first - part.first} rows")
        except StorageError as error:
            report.faults.append(error.message)
            report.gaps.append(gaps[part.log].damaged(part.rows, "the part is damaged"))
        told(number, len(parts))
    report.gaps += (gap for found in gaps.values() for gap in found.end())
    report.parts, report.connections = len(parts), sum(len(each.came) for each in connections.values())
    for log, end in ends.items():
        if raw.landed(log) != end:
            report.faults.append(f"{log} has come to line {raw.landed(log)}, and the parts end at {end}")
    named = {part.name for part in parts}
    leftovers = [name for name in raw.place.names() if name not in named]
    if leftovers:
        why = "of no use any more, such as parts that were joined; `ingest` removes them within hours"
        report.notes.append(f"{len(leftovers)} files in {raw.url} are {why}")


def _row_faults(part: Part, first: int, table: pa.Table) -> Iterator[str]:
    offsets = table.column("offset").to_pylist()
    if offsets != list(range(first, first + len(table))):
        yield f"{part.name} does not hold the lines {first} to {first + len(table) - 1} in their order"
    if table.column("log").unique().to_pylist() != [part.log]:
        yield f"{part.name} holds rows of another log"


def journal_end(known: list[tuple[int, Path]]) -> int:
    """Give the offset behind the last line of a journal that is whole."""
    first, path = known[-1]
    return first + sum(1 for _ in sealed(path)) + sum(line.endswith(b"\n") for line in unsealed(path))


def _check_journal(known: list[tuple[int, Path]], landed: int, report: Report) -> None:
    known = [each for each in known if each[1].exists()]  # A service that runs may have dropped the oldest since.
    if not known:
        return
    if known[0][0] > landed:
        report.faults.append(f"lines {landed} to {known[0][0] - 1} are neither in the lake nor in the journal")
    end = known[0][0]
    for first, path in known:
        if first != end:
            report.faults.append(f"{path.name}: lines {end} to {first - 1} are missing before it")
        end = first
        try:
            for _ in sealed(path):
                end += 1
            left = unsealed(path)
        except StorageError as error:
            report.faults.append(error.message)
            return
        except FileNotFoundError:  # A service that runs has dropped it meanwhile: all of it is in the lake.
            continue
        if left and path == known[-1][1] and all(decode(line) for line in left if line.endswith(b"\n")):
            report.notes.append(f"no sum vouches yet for the last {len(left)} lines of {path.name}")
        elif left:
            report.faults.append(f"{path.name} does not end with a sum that is that of its lines")
    if end < landed:
        report.faults.append(f"the journal ends at line {end}, and the lake has come to {landed}")
    report.waiting = max(0, end - landed)


def to_json(report: Report) -> str:
    """Write a report as one JSON object."""
    return json.dumps(
        {
            "whole": report.is_whole,
            "parts": report.parts,
            "rows": report.rows,
            "connections": report.connections,
            "waiting": report.waiting,
            "gaps": len(report.gaps),
            "faults": report.faults,
            "notes": report.notes,
        }
    )
