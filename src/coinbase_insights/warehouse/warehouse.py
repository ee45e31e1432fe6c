"""What a database must be able to do to be published to."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from .address import Address
from .statements import Dialect

if TYPE_CHECKING:
    import pyarrow as pa


class Warehouse(Protocol):
    """A database that is open, and ours alone to write. All of it raises StorageError where it cannot be used."""

    dialect: ClassVar[Dialect]
    """How it spells its statements."""

    def transaction(self) -> AbstractContextManager[None]:
        """All that is done within is there at its end, on the disk, or nothing of it; nothing is done outside."""

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, with their types; none where there is no such table."""

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows."""

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Give the rows of an answer, few and small."""

    def insert(self, table: str, rows: "pa.Table") -> None:
        """Add rows, the columns by their names."""

    def close(self) -> None:
        """Let it go."""


def open_warehouse(address: Address) -> Warehouse:
    """Open it. Raises StorageError where it cannot be reached, and LockedError where another process writes it."""
    if address.scheme == "duckdb":
        from .duckdb import DuckDB

        return DuckDB(address)
    if address.scheme == "mssql":
        from .sqlserver import SqlServer

        return SqlServer(address)
    from .postgres import Postgres

    return Postgres(address)
