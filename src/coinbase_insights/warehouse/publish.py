"""Copy tables of the lake into a warehouse, going on where each of them ends there.

A table of the lake grows at its end only, so a row is known by its place in it, and the warehouse notes how many it
has. A chunk of rows and that note are one transaction: killed at any moment, nothing is doubled or left out. Where the
rows that are there are not the lake's, all of them make way in one transaction.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..errors import StorageError
from ..lake.delta import Delta
from ..lake.pieces import pieces
from ..lake.step import Progress
from ..lake.tables import BARS, GAPS, INSIGHTS, SCORES, Table, schema
from .address import Address
from .statements import PUBLISHED, ROW, create, in_warehouse, migrate, note_of, remove_note, remove_rows, rows_of
from .warehouse import Warehouse, open_warehouse

TABLES = (INSIGHTS, BARS, SCORES, GAPS)
"""Those that are published."""
AT_ONCE = 200_000
"""Rows of a chunk, which bounds the memory."""


class Sent(NamedTuple):
    """What became of a table."""

    name: str
    rows: int
    """How many are new in the warehouse."""
    is_replaced: bool
    """Whether other rows were there before, which the lake no longer has."""


def publish(
    lake: str,
    address: Address,
    tables: Sequence[Table] = TABLES,
    tell: Callable[[Progress], None] = lambda _: None,
    at_once: int = AT_ONCE,
) -> list[Sent]:
    """Bring each table of the warehouse up to that of the lake. `tell` hears how far it has come.

    Raises StorageError where the lake or the warehouse cannot be used, and LockedError where somebody else writes
    the warehouse; what was committed before stays, and the next call goes on from there.
    """
    opened = [Delta(lake, declared) for declared in tables]
    with closing(open_warehouse(address)) as warehouse:
        return [Publication(warehouse, table).bring_up(tell, at_once) for table in opened]


class Publication:
    """A table of the lake and its copy in a warehouse."""

    def __init__(self, warehouse: Warehouse, table: Delta) -> None:
        """Look how far the copy is, and make or mend it where it has not all columns. Raises StorageError."""
        self._warehouse = warehouse
        self._dialect = warehouse.dialect
        self._table = table
        self._name = table.declared.name
        self._end = table.landed(self._name)
        with warehouse.transaction():
            self._prepare()
            self._done, self._is_other = self._look()

    def _prepare(self) -> None:
        """Make the tables that are not there, and add the columns that they lack."""
        for declared in (PUBLISHED, in_warehouse(self._table.declared)):
            there = self._warehouse.columns(declared.name)
            made = migrate(declared, self._dialect, there) if there else create(declared, self._dialect)
            for statement in made:
                self._warehouse.run(statement)
        if not there:
            self._note(0)

    def bring_up(self, tell: Callable[[Progress], None], at_once: int) -> Sent:
        """Send what is missing, a chunk in a transaction; where what is there must go, all of it in one."""
        begun = self._done
        if not self._is_other:
            self._send(tell, at_once, self._warehouse.transaction)
            return Sent(self._name, self._done - begun, False)
        with self._warehouse.transaction():  # Until all are there, readers have the old ones.
            self._warehouse.run(remove_rows(self._name, self._dialect))
            self._note(0)
            self._send(tell, at_once, nullcontext)
        return Sent(self._name, self._done, True)

    def _send(
        self, tell: Callable[[Progress], None], at_once: int, step: Callable[[], AbstractContextManager[None]]
    ) -> None:
        begun, began = self._done, time.monotonic()
        for chunk in pieces(self._table.rows(self._done, self._end), at_once):
            with step():
                self._warehouse.insert(self._name, numbered(chunk, self._done))
                self._note(self._done + len(chunk))
            self._done += len(chunk)
            tell(Progress(f"rows of {self._name}", begun, self._done, self._end, time.monotonic() - began))

    def _look(self) -> tuple[int, bool]:
        """Give how many rows are there that the lake has, and whether those that are there are others."""
        found = self._warehouse.ask(note_of(self._name, self._dialect))
        if not found:
            raise StorageError(
                f"There is a table {self._name} that `publish` has not made.",
                "Rename it, or publish into another database.",
            )
        ((lake_table, rows),) = found
        ((count, last),) = self._warehouse.ask(rows_of(self._name, self._dialect))
        is_whole = rows == count == (0 if last is None else last + 1)
        is_ours = lake_table == self._table.id and rows <= self._end and is_whole
        return (rows, False) if is_ours else (0, True)

    def _note(self, rows: int) -> None:
        """Note how many rows are there."""
        note = [[self._name], [self._table.id], [rows], [time.time_ns() // 1000]]
        arrays = [pa.array(value).cast(field.type) for value, field in zip(note, schema(PUBLISHED), strict=True)]
        self._warehouse.run(remove_note(self._name, self._dialect))
        self._warehouse.insert(PUBLISHED.name, pa.table(arrays, schema=schema(PUBLISHED)))


def numbered(rows: pa.Table, first: int) -> pa.Table:
    """Put the place of each row before its other columns."""
    return rows.add_column(0, ROW.name, pa.array(np.arange(first, first + len(rows))))
