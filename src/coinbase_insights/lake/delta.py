"""A table of the lake: rows of logs, landed exactly once, each row in the order of its offset.

Each commit carries the log's next offset as a Delta app transaction, and goes through only if nobody has committed
since we looked: so a row can be neither doubled nor left out, whoever is killed when. A part and its commit are on
the disk before `land` returns. For `raw` a log is the journal or a topic; a table that is made from another one has
a single log, which is itself, and says with each commit how far of the other it was made.

Format: the Delta protocol, github.com/delta-io/delta/blob/master/PROTOCOL.md; the library is delta-rs.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from obstore.exceptions import BaseError

from ..errors import DamagedError, LockedError, NoTableError, StorageError
from .parquet import groups, to_parquet
from .parts import Part
from .place import Place, options, place
from .reaching import reaching, table_url, to_repair
from .sums import LOG, SUMS, Sums
from .tables import RAW, Table, schema

SETTINGS = {"delta.logRetentionDuration": "interval 1 days", "delta.checkpointInterval": "100"}
MADE_OF = "made of"
"""The app transaction that says how far of another table this one was made."""
COMPACTED_LEVEL = 9
"""Of zstd, for parts that are joined: small in the end."""
ASIDE = "_aside"
"""The folder for what repair sets aside."""
UNDER_REPAIR = f"{ASIDE}/under-repair"
"""The folder in which a repair notes what it is about, until it is done."""
_DECODED = re.compile(r"%[0-9A-Fa-f]{2}|\\").search
"""What delta-rs reads in a path as another character."""
_NO_CLEANING = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


class Written(NamedTuple):
    """A part that lies in the table's folder."""

    part: Part
    size: int
    """Of its file, in bytes."""


class Delta:
    """The table as its one writer sees it, or a reader at one moment."""

    def __init__(self, url: str, declared: Table, *, create: bool = False, anew: bool = False) -> None:
        """Open a table of the lake at `url`, a folder or an address that delta-rs takes.

        `anew` makes one even where parts lie, which are to be taken back one by one.
        Raises StorageError when there is none and none is to be made, or when the place cannot be reached.
        """
        self.declared = declared
        self.lake = url
        self.url = table_url(url, declared)
        self._schema = schema(declared)
        self._joined: tuple[Part, bytes] | None = None
        if "://" not in url and _DECODED(str(Path(url).absolute())):
            raise StorageError(
                f"{url} cannot hold a lake: delta-rs takes % and \\ in a path for something else.",
                "Name another folder.",
            )
        with reaching(url, declared):
            self.place: Place = place(self.url)
            self.sums = Sums(self.place)
            if create and not anew and self.place.names(UNDER_REPAIR):
                raise DamagedError(
                    f"A repair of the lake in {url} was broken off.",
                    f"Go on with it: coinbase_insights verify {url} --repair",
                )
            self._table = self._open(url, create, anew)
            if create:
                self.sums.complete()

    def _open(self, url: str, create: bool, anew: bool) -> DeltaTable:
        try:
            return DeltaTable(self.url, storage_options=options())
        except TableNotFoundError as error:
            if create:
                if not anew:
                    self._refuse_to_bury(url)
                return self._made()
            raise no_table(url, self.declared) from error

    def _made(self) -> DeltaTable:
        """Make the table; where another process has just made it, take that one."""
        try:
            return DeltaTable.create(
                self.url,
                self._schema,
                name=self.declared.name,
                description=self.declared.meaning,
                configuration=SETTINGS,
                storage_options=options(),
            )
        except DeltaError:
            with suppress(TableNotFoundError):
                return DeltaTable(self.url, storage_options=options())
            raise

    def _refuse_to_bury(self, url: str) -> None:
        """A new table over the parts of one whose log is gone would be the end of them."""
        if self.place.names(SUMS) or any(Part.parse(name) for name in self.place.names()):
            raise DamagedError(
                f"The lake in {url} has parts of {self.declared.name}, and the log that names them is gone.",
                f"Make it whole first: coinbase_insights verify {url} --repair",
            )

    @property
    def version(self) -> int:
        """The table's version that we know."""
        return int(self._table.version())

    @property
    def id(self) -> str:
        """What no other table has, nor this one when it is made anew."""
        return str(self._table.metadata().id)

    def landed(self, log: str) -> int:
        """Offset behind the last line of a log that is here; 0 when there is none."""
        with reaching(self.url):
            return self._table.transaction_version(log) or 0

    def sizes(self) -> dict[str, int]:
        """Give the bytes of each part, by its name."""
        with reaching(self.url):
            actions = pa.table(self._table.get_add_actions())
        names, sizes = (actions.column(name).to_pylist() for name in ("path", "size_bytes"))
        return dict(zip(names, sizes, strict=True))

    def parts(self) -> list[Part]:
        """Give all parts, by their logs and offsets. Raises StorageError for a file that is none."""
        with reaching(self.url):
            names = pa.table(self._table.get_add_actions()).column("path").to_pylist()
        parts = []
        for name in names:
            part = Part.parse(name)
            if part is None:
                raise StorageError(f"{self.url} names a file that is not ours: {name}.")
            parts.append(part)
        return sorted(parts)

    def read(self, part: Part) -> pa.Table:
        """Give the rows of a part. Raises StorageError when it is not there, or its bytes have changed."""
        return pa.concat_tables([self._schema.empty_table(), *self.groups(part)])

    def bytes_of(self, part: Part) -> bytes:
        """Give the bytes of a part. Raises StorageError when they are not there, or have changed."""
        data = self._bytes_of(part)
        if data is None:
            raise self._gone(part)
        return data

    def _bytes_of(self, part: Part) -> bytes | None:
        """Give the bytes of a part; None where they are not there. Raises StorageError when they have changed."""
        try:
            data = self.place.read(part.name)
        except FileNotFoundError:
            return None
        except (OSError, BaseError) as error:
            raise StorageError(f"{part.name} of {self.url} cannot be read: {error}.") from error
        if not part.fits(data):
            raise DamagedError(f"{part.name} of {self.url} is damaged: its bytes have changed.", to_repair(self.lake))
        return data

    def _gone(self, part: Part) -> DamagedError:
        return DamagedError(f"{part.name} of {self.url} is gone.", to_repair(self.lake))

    def holder(self, part: Part) -> tuple[Part, bytes]:
        """Give the part that has these rows now, and its bytes: itself, or what it was joined into since we looked.

        Raises as `read`.
        """
        data = self._bytes_of(part)
        if data is not None:
            return part, data
        joined = self._joined  # Others may ask at the same time.
        if joined is None or not joined[0].covers(part):
            joined = self._joined = self._look_again(part)
        return joined

    def _look_again(self, part: Part) -> tuple[Part, bytes]:
        """Find the rows of a part that is gone in the newest version. Raises DamagedError where they are not there."""
        newest = Delta(self.lake, self.declared)
        if newest.id == self.id and newest.version > self.version:
            for other in newest.parts():
                if other.covers(part):
                    return newest.holder(other)
        raise self._gone(part)

    def refuse_missing(self) -> None:
        """Raise DamagedError when a part that the table names is not there."""
        with reaching(self.url):
            there = set(self.place.names())
        for part in self.parts():
            if part.name not in there:
                raise self._gone(part)

    def made_until(self) -> int:
        """How far the table was made of the one that it is made from; 0 before the first commit."""
        return self.landed(MADE_OF)

    def land(self, log: str, first: int, tables: Iterable[pa.Table], made_until: int | None = None) -> Part | None:
        """Add rows, whose offsets begin at `first` and follow those that are here; None where there was no row.

        `made_until` says how far of another table they were made; it is kept even where that gave no row.

        Raises LockedError when another process has written meanwhile, and StorageError when the place does not take
        the rows; either way none of them has landed, and the same call may be made again.
        """
        landed = self.landed(log)
        if first != landed:
            raise StorageError(f"{log} would go on at {first} in {self.url}, where it has come to {landed}.")
        written = self.write(log, first, tables)
        self.name([written] if written else [], made_until)
        return written.part if written else None

    def write(self, log: str, first: int, tables: Iterable[pa.Table]) -> Written | None:
        """Write a part that no commit names yet; None where there is no row. Raises StorageError."""
        with reaching(self.url):
            return write_part(self.place, self.declared, log, first, tables)

    def name(self, written: Sequence[Written], made_until: int | None = None) -> None:
        """Commit parts that lie there already, of one log, whose rows follow those that are here. Raises as `land`."""
        made = [] if made_until is None else [Transaction(MADE_OF, made_until)]
        if written:
            last = written[-1].part
            self._commit([_add(each, new=True) for each in written], [Transaction(last.log, last.end), *made], last)
        elif made:
            self._commit([], made, None)

    def groups(self, part: Part) -> Iterator[pa.Table]:
        """Give the rows of a part, a group of them at a time. Raises as `read`."""
        yield from self._between(part, part.first, part.end)

    def _between(self, part: Part, first: int, until: int) -> Iterator[pa.Table]:
        """Give the rows of a part from one offset up to another."""
        holder, data = self.holder(part)
        start = max(first, part.first) - holder.first
        yield from groups(data, self._schema, start, min(until, part.end) - holder.first)

    def take_back(self, part: Part) -> None:
        """Name a part that is there already, whose rows follow those that are here. Raises as `land`."""
        self.name([Written(part, len(self.bytes_of(part)))])

    def rows(self, first: int, until: int, log: str | None = None) -> Iterator[pa.Table]:
        """Give the rows of a log from one number up to another; of the table's own where none is named.

        Raises as `read`.
        """
        for part in self.parts():
            if part.log == (log or self.declared.name) and part.end > first and part.first < until:
                yield from self._between(part, first, until)

    def refresh(self) -> None:
        """See what has been committed since. Raises StorageError when the place cannot be reached."""
        with reaching(self.url):
            self._table.update_incremental()

    def replace(self, old: Sequence[Part], tables: Iterable[pa.Table]) -> Part:
        """Put one part in the place of several that follow each other; no row changes. Raises as `land`."""
        first, rows = old[0].first, old[-1].end - old[0].first
        data, count = to_parquet(tables, self.declared, COMPACTED_LEVEL)
        if count != rows:
            raise StorageError(f"{len(old)} parts of {self.url} hold {count} rows and should hold {rows}.")
        part = Part.of(old[0].log, first, rows, data)
        with reaching(self.url):
            self.place.write(part.name, data)
        now = time.time_ns() // 1_000_000
        self._commit(
            [_add(Written(part, len(data)), new=False), *(RemoveAction(each.name, False, now) for each in old)],
            [],
            part,
        )
        return part

    def clean(self, hours: int = 1) -> None:
        """Remove the files that no version of the last hours names, such as what a crash has left, and old log files.

        Raises as `land`.
        """
        with reaching(self.url):
            self._table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)
            self._table.cleanup_metadata()
            self._table.update_incremental()
            self.sums.complete()

    def _commit(
        self, actions: list[AddAction | RemoveAction], transactions: list[Transaction], part: Part | None
    ) -> None:
        """Commit, if nobody else has since we looked; then bring it onto the disk.

        Where the store did it and its answer was lost, the second try finds the version taken, and by ourselves.
        """
        properties = CommitProperties(app_transactions=transactions, max_commit_retries=0)
        with reaching(self.url):
            try:
                self._table.create_write_transaction(
                    actions,
                    "append",
                    self._schema,
                    commit_properties=properties,
                    post_commithook_properties=_NO_CLEANING,
                )
            except CommitFailedError as error:
                self._table.update_incremental()
                if part is None or part not in self.parts():
                    said = f"{self.url} was written by another process meanwhile."
                    raise LockedError(said, "Let only one process write a lake.") from error
            self._table.update_incremental()
            self.sums.complete()


def no_table(lake: str, declared: Table) -> StorageError:
    """Make the error of a table that is not there."""
    if not place(table_url(lake, RAW)).names(LOG):
        return StorageError(
            f"There is no lake in {lake}.", f"Collect one: coinbase_insights ingest -p ETH-USD --to {lake}"
        )
    return NoTableError(
        f"The lake in {lake} has no table {declared.name}.", f"It is made by `coinbase_insights {declared.made_by}`."
    )


def write_part(folder: Place, declared: Table, log: str, first: int, tables: Iterable[pa.Table]) -> Written | None:
    """Write a part that no commit names yet, wherever that is done; None where there is no row."""
    data, count = to_parquet(tables, declared, declared.level)
    if not count:
        return None
    part = Part.of(log, first, count, data)
    folder.write(part.name, data)
    return Written(part, len(data))


def _add(written: Written, *, new: bool) -> AddAction:
    # No least and greatest values: where only some columns have them, delta-rs takes those of the others for null, and
    # finds no row.
    statistics = {"numRecords": written.part.rows}
    return AddAction(written.part.name, written.size, {}, time.time_ns() // 1_000_000, new, json.dumps(statistics))
