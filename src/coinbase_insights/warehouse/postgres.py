"""A PostgreSQL database: tables in a schema of their own, rows by COPY in its binary format.

The library is ADBC's driver (arrow.apache.org/adbc/current/driver/postgresql.html), which hands the address to libpq.
"""

import os
from pathlib import Path
from typing import ClassVar

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from ..azure import token
from ..errors import UsageError
from ..lake.tables import PRICE, SIZE
from .address import Address
from .passwords import is_given
from .server import SCHEMA, Server
from .statements import Dialect

SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
"""Of learn.microsoft.com/azure/postgresql/flexible-server/how-to-configure-sign-in-azure-ad-authentication."""
AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep whose certificates they believe: libpq of the library knows no other way to them."""
LOCK = int.from_bytes(b"insights")
"""The number of our advisory lock, which one publisher of a database holds at a time."""
ADMINISTRATORS = "azure_pg_admin"
"""All administrators of a server of Azure (learn.microsoft.com/azure/postgresql/security/security-access-control)."""
PATIENCE = "5s"
"""How long it waits for the lock: a server takes a moment to see that a publisher was killed."""
LOCK_NOT_AVAILABLE = "55P03"
"""Of postgresql.org/docs/current/errcodes-appendix.html."""
_COLUMNS = """
    select attname::text, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = to_regclass('{}.{}') and attnum > 0 and not attisdropped
"""


def _authorities() -> str:
    """Give the file of those whose certificates are believed. Raises UsageError."""
    for path in (os.environ.get("SSL_CERT_FILE", ""), *AUTHORITIES):
        if path and Path(path).is_file():
            return path
    raise UsageError(
        "This machine has no file of certificates that are believed.", "Name one: SSL_CERT_FILE=FILE, in PEM."
    )


class Postgres(Server):
    """A database of PostgreSQL."""

    failures = (adbc.Error,)
    dialect: ClassVar[Dialect] = Dialect(
        types={
            "text": "text",
            "name": "text",
            "whole": "bigint",
            "small": "smallint",
            "real": "double precision",
            "price": f"numeric({PRICE[0]},{PRICE[1]})",
            "size": f"numeric({SIZE[0]},{SIZE[1]})",
            "time": "timestamp with time zone",
            "truth": "boolean",
        },
        indexed=True,
    )

    def __init__(self, address: Address) -> None:
        """Connect, take the lock, and make the schema. Raises StorageError, and LockedError.

        A database in Azure is shown a token, where no password is given in any way.
        """
        signed = address
        if address.wants_token and not is_given(address.login):
            signed = address.with_token(token(SCOPE).text, _authorities())
        super().__init__(signed, lambda: adbc.connect(signed.target))

    def _prepare(self) -> None:
        self.run(f"set local lock_timeout = '{PATIENCE}'")
        try:
            self.ask(f"select pg_advisory_lock({LOCK})")
        except adbc.Error as error:
            raise self._locked() if error.sqlstate == LOCK_NOT_AVAILABLE else error from None
        if not self.ask(f"select 1 from pg_namespace where nspname = '{SCHEMA}'"):
            self.run(f"create schema {SCHEMA}")  # `if not exists` would ask for the right to make one.
            self._let_administrators_read()
        self.run(f"set search_path = {SCHEMA}")

    def _let_administrators_read(self) -> None:
        """On Azure an administrator is no superuser, and could let nobody read what an app has made."""
        if self.ask(f"select 1 from pg_roles where rolname = '{ADMINISTRATORS}'"):
            who = f"to {ADMINISTRATORS} with grant option"
            self.run(f"grant usage on schema {SCHEMA} {who}")
            self.run(f"alter default privileges in schema {SCHEMA} grant select on tables {who}")

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table, with their types; none where there is no such table."""
        return dict(self.ask(_COLUMNS.format(SCHEMA, table)))

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows, the columns by their names."""
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="append", db_schema_name=SCHEMA)

    def _words(self, error: Exception) -> str:
        """Leave out the statement that it was said of, and who of the libraries says it."""
        said = str(error).partition("Query was:")[0].partition(" SQLSTATE:")[0].partition("[libpq] ")
        return said[2] or said[0]
