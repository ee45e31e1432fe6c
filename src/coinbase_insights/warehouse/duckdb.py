"""A DuckDB file: tables in its schema `main`, rows straight from Arrow."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from ..errors import LockedError, StorageError
from ..lake.tables import PRICE, SIZE
from .address import Address
from .statements import Dialect

_COLUMNS = """
    select column_name, data_type from duckdb_columns()
    where database_name = current_database() and schema_name = 'main' and table_name = ?
"""
MEMORY = "500MB"
"""What DuckDB keeps of its file in memory at the most; by itself it would take most of the machine's."""
_CHUNK = "_chunk"
"""The name under which DuckDB sees the rows that come."""


class DuckDB:
    """A file of DuckDB, which one process writes at a time."""

    dialect: ClassVar[Dialect] = Dialect(
        types={
            "text": "VARCHAR",
            "name": "VARCHAR",
            "whole": "BIGINT",
            "small": "SMALLINT",
            "real": "DOUBLE",
            "price": f"DECIMAL({PRICE[0]},{PRICE[1]})",
            "size": f"DECIMAL({SIZE[0]},{SIZE[1]})",
            "time": "TIMESTAMP WITH TIME ZONE",
            "truth": "BOOLEAN",
        },
        indexed=False,
    )
    """An index would take memory for every row; a filter skips blocks by their least and greatest values as it is."""

    def __init__(self, address: Address) -> None:
        """Open the file, or make it. Raises StorageError, and LockedError where it is open elsewhere."""
        self._address = address
        path = str(Path(address.target).absolute())  # DuckDB takes md:x and the like for something else than files.
        with self._reaching():
            self._connection = duckdb.connect(path, config={"enable_external_access": "false", "memory_limit": MEMORY})

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within is there at its end, or nothing of it."""
        with self._reaching():
            self._connection.begin()
            try:
                yield
            except BaseException:
                with suppress(duckdb.Error):  # DuckDB may have rolled back already: why, is what must be said.
                    self._connection.rollback()
                raise
            self._connection.commit()

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, with their types; none where there is no such table."""
        return dict(self._connection.execute(_COLUMNS, [table]).fetchall())

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows."""
        self._connection.execute(statement)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Give the rows of an answer."""
        return self._connection.execute(query).fetchall()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows, the columns by their names."""
        self._connection.register(_CHUNK, rows)
        self._connection.execute(f"insert into {self.dialect.table.format(table)} by name select * from {_CHUNK}")
        self._connection.unregister(_CHUNK)

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Say what DuckDB cannot do in its own words."""
        try:
            yield
        except duckdb.Error as error:
            text = " ".join(str(error).split()).partition(" See also ")[0].rstrip(".")
            if "Could not set lock on file" in text:
                raise LockedError(
                    f"{self._address.target} is open in another program: {text}.",
                    "DuckDB lets nobody else in while a program writes. Close it there, and publish again.",
                ) from error
            raise StorageError(
                f"{self._address.target} cannot be used: {text}.", "Check the file and its folder; or name another."
            ) from error
