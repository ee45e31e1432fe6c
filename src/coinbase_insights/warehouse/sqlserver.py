"""A database of SQL Server, of Azure SQL or of Fabric: tables in a schema of their own, rows by bulk copy from Arrow.

The library is Microsoft's own (learn.microsoft.com/sql/connect/python/mssql-python), which verifies certificates and
signs in to Entra.
"""

import logging
import os
import re
from contextlib import closing
from typing import ClassVar

import mssql_python
import pyarrow as pa

from .address import Address
from .server import Server
from .statements import Dialect
from .tsql import (
    CREATE_SCHEMA,
    DROP_STAGED,
    FIND_SCHEMA,
    LOCK,
    LOCKED,
    STAGED,
    TSQL,
    columns_of,
    insert_row,
    stage,
    take,
)

LOGIN = 10
"""How many seconds a server has to answer."""
COPY = 600
"""How many seconds it has to take a chunk."""
FEW = 50
"""Up to as many rows go one by one: a bulk copy would have to connect first, and could not see a table that is new."""

_TAGS = re.compile(r"\[(?:Microsoft|SQL Server|ODBC Driver[^\]]*)\]")
"""Who of the libraries says it."""


class SqlServer(Server):
    """A database that speaks T-SQL."""

    failures = (mssql_python.Error, RuntimeError)  # Bulk copy raises the latter.
    dialect: ClassVar[Dialect] = TSQL

    def __init__(self, address: Address) -> None:
        """Connect, take the lock, and make the schema. Raises StorageError, and LockedError.

        A password that the address does not have is taken from where Microsoft's sqlcmd takes it.
        """
        signed = address.with_password(os.environ.get("SQLCMDPASSWORD", ""))
        super().__init__(signed, lambda: _connect(signed))

    def _prepare(self) -> None:
        self.run(LOCK)
        if self.ask(LOCKED) != [("Exclusive",)]:
            raise self._locked()
        if not self.ask(FIND_SCHEMA):
            self.run(CREATE_SCHEMA)
        self.run(DROP_STAGED)

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, with their types; none where there is no such table."""
        return dict(self.ask(columns_of(table)))

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows, the columns by their names."""
        names = rows.column_names
        if len(rows) <= FEW:
            with self._connection.cursor() as cursor:
                for row in rows.to_pylist():
                    cursor.execute(insert_row(table, names), tuple(row.values()))
            return
        there = self.columns(table)
        with closing(_connect(self._address, autocommit=True)) as beside, beside.cursor() as cursor:
            for statement in stage({name: there[name] for name in names}):
                cursor.execute(statement)
            cursor.bulkcopy_arrow(STAGED, rows, timeout=COPY)
        for statement in take(table, names):
            self.run(statement)

    def _words(self, error: Exception) -> str:
        """Give the words of the server, behind those of the library."""
        if not isinstance(error, mssql_python.Error):
            return str(error)
        if "Failed to load the driver" in error.ddbc_error:
            return (
                "Microsoft's driver lacks a library of the system; on Debian and Ubuntu, sudo apt-get install libltdl7"
            )
        said = _TAGS.sub("", error.ddbc_error)
        return error.driver_error if said in error.driver_error else f"{error.driver_error}: {said}"


def _connect(address: Address, autocommit: bool = False) -> mssql_python.Connection:
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # What it warns of is in its errors, too.
    mssql_python.pooling(enabled=False)  # What is in a pool is not hung up, and keeps its locks.
    return mssql_python.connect(address.target, autocommit=autocommit, timeout=LOGIN)
