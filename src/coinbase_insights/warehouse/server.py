"""What warehouses on a server have in common, whose libraries all speak Python's DB-API (PEP 249)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from ..errors import LockedError, StorageError
from .address import Address

SCHEMA = "coinbase_insights"
"""Where our tables are in a database, which may have others."""


class Server:
    """A database on a server; its library begins a transaction with the first statement."""

    failures: ClassVar[tuple[type[Exception], ...]]
    """What the library raises when something outside of us goes wrong."""

    def __init__(self, address: Address, connect: Callable[[], Any]) -> None:
        """Connect, take the lock, and make the schema. Raises StorageError, and LockedError."""
        self._address = address
        with self._reaching():
            self._connection = connect()
        try:
            with self.transaction():
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Take the lock, or raise `_locked`; and make the schema where it is missing."""
        raise NotImplementedError

    def _words(self, error: Exception) -> str:
        """Give what the library says in an error, without what only its makers need."""
        raise NotImplementedError

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within is there at its end, or nothing of it."""
        with self._reaching():
            try:
                yield
            except BaseException:
                with suppress(*self.failures):
                    self._connection.rollback()
                raise
            self._connection.commit()

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Give the rows of an answer."""
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]

    def close(self) -> None:
        """Hang up, and with it let the lock go."""
        with suppress(*self.failures):
            self._connection.close()

    def _locked(self) -> LockedError:
        return LockedError(f"Another process publishes to {self._address.shown}.", "Let it end, and publish again.")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Say what the server or the line to it says, without a password."""
        try:
            yield
        except self.failures as error:
            said = " ".join(self._words(error).split()).rstrip(".?")
            raise StorageError(
                f"{self._address.shown} cannot be used: {self._address.without_secrets(said)}.",
                "Check that it is up, and the address; then publish again: it goes on where it ended.",
            ) from None
