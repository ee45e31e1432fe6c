"""A PostgreSQL database: tables in a schema of their own, rows by COPY in its binary format.

The library is ADBC's driver (arrow.apache.org/adbc/current/driver/postgresql.html), which hands the address to libpq.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from ..errors import LockedError, StorageError
from ..lake.tables import PRICE, SIZE
from .address import Address
from .statements import Types

SCHEMA = "coinbase_insights"
LOCK = int.from_bytes(b"insights")
"""The number of our advisory lock, which one publisher of a database holds at a time."""
PATIENCE = "5s"
"""How long it waits for the lock: a server takes a moment to see that a publisher was killed."""
LOCK_NOT_AVAILABLE = "55P03"
"""Of postgresql.org/docs/current/errcodes-appendix.html."""
_COLUMNS = """
    select attname::text, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
"""


class Postgres:
    """A database of PostgreSQL."""

    types: ClassVar[Types] = {
        "text": "text",
        "name": "text",
        "whole": "bigint",
        "small": "smallint",
        "real": "double precision",
        "price": f"numeric({PRICE[0]},{PRICE[1]})",
        "size": f"numeric({SIZE[0]},{SIZE[1]})",
        "time": "timestamp with time zone",
        "truth": "boolean",
    }
    indexed: ClassVar[bool] = True

    def __init__(self, address: Address) -> None:
        """Connect, take the lock, and make the schema. Raises StorageError, and LockedError."""
        self._address = address
        with self._reaching():
            self._connection = adbc.connect(address.target)
        try:
            with self.transaction():
                self.run(f"set local lock_timeout = '{PATIENCE}'")
                self.ask(f"select pg_advisory_lock({LOCK})")
                if not self.ask(f"select 1 from pg_namespace where nspname = '{SCHEMA}'"):
                    self.run(f"create schema {SCHEMA}")  # `if not exists` would ask for the right to make one.
                self.run(f"set search_path = {SCHEMA}")
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within is there at its end, or nothing of it. ADBC begins one with the first statement."""
        with self._reaching():
            try:
                yield
            except BaseException:
                with suppress(adbc.Error):
                    self._connection.rollback()
                raise
            self._connection.commit()

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, with their types; none where there is no such table."""
        return dict(self.ask(_COLUMNS, f"{SCHEMA}.{table}"))

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Give the rows of an answer; values take the places of $1, $2, ..."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows, the columns by their names."""
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="append", db_schema_name=SCHEMA)

    def close(self) -> None:
        """Hang up, and with it let the lock go."""
        with suppress(adbc.Error):
            self._connection.close()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Say what the server or the line to it says, without a password."""
        try:
            yield
        except adbc.Error as error:
            if error.sqlstate == LOCK_NOT_AVAILABLE:
                raise LockedError(
                    f"Another process publishes to {self._address.shown}.", "Let it end, and publish again."
                ) from None
            raise StorageError(
                f"{self._address.shown} cannot be used: {self._address.without_secrets(_words(str(error)))}.",
                "Check that it is up, and the address; then publish again: it goes on where it ended.",
            ) from None


def _words(text: str) -> str:
    """Give what is said, without the statement that it was said of, and who of the libraries says it."""
    said = text.partition("Query was:")[0].partition(" SQLSTATE:")[0].partition("[libpq] ")
    return " ".join((said[2] or said[0]).split()).rstrip(".?")
