"""The address of a warehouse, read once; what may be shown of it, and what may not. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import quote, unquote

from ..errors import UsageError

EXAMPLES = "duckdb:///FILE.duckdb, postgresql://USER@HOST/DATABASE or mssql://USER@HOST/DATABASE"
SCHEMES = ("duckdb", "mssql", "postgres", "postgresql")
_DUCKDB = re.compile(r"duckdb:///([^\0]+)").fullmatch
_POSTGRES = re.compile(
    r"postgres(?:ql)?://(?:([^\s/@:?#]+)(?::([^\s/@?#]*))?@)?([^\s/@?#]*)/([^\s/@?#]+)(?:\?([^\s?#]+))?"
).fullmatch
"""As libpq reads it (postgresql.org/docs/current/libpq-connect.html): user, password, hosts, database, parameters."""

HARMLESS = ("application_name", "connect_timeout")
"""What may be said beside a token: others could lead it to somebody else (`host`), or past TLS (`sslmode`)."""
_AZURE = re.compile(r"[a-z0-9-]+\.postgres\.database\.azure\.com(?::\d+)?", re.ASCII | re.IGNORECASE).fullmatch
_MSSQL = re.compile(
    r"mssql://(?:([^\s/@:?#]+)(?::([^\s/@?#]*))?@)?([\w.-]+)(?::(\d{1,5}))?/([^\s/@?#]+)(?:\?([^\s?#]+))?"
).fullmatch
PARAMETERS = (
    "Authentication",
    "Encrypt",
    "TrustServerCertificate",
    "HostnameInCertificate",
    "ServerCertificate",
    "MultiSubnetFailover",
    "IpAddressPreference",
    "PacketSize",
)
"""Of an address of SQL Server, as in learn.microsoft.com/sql/connect/odbc/dsn-connection-string-attribute."""
SHORT = 6
"""Characters: a shorter password stands in words by chance, and would be told by where they are broken."""


class Login(NamedTuple):
    """Where PostgreSQL is signed in, and as whom, in the order of libpq's file of passwords."""

    host: str
    port: str
    database: str
    user: str


class Address(NamedTuple):
    """Where a warehouse is."""

    scheme: str
    """`duckdb`, `postgresql` or `mssql`."""
    target: str
    """What its library takes: a path, all of the address, or a connection string."""
    shown: str
    """The address as anybody may read it."""
    secrets: tuple[str, ...] = ()
    """What nobody may."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address. Raises UsageError, which says nothing of what may be a password."""
        scheme, colon, _ = text.partition(":")
        if scheme not in SCHEMES or not colon:
            said = f"{scheme[:40]!a} is no kind of warehouse." if colon else f"{text[:80]!a} is no address."
            raise UsageError(said, f"Write it as {EXAMPLES}.")
        found = _DUCKDB(text)
        if found is not None and found[1] != ":memory:":
            return cls("duckdb", found[1], text)
        found = _POSTGRES(text)
        if found is not None:
            user, password, host, database, more = found.groups(default="")
            pairs = [each.partition("=") for each in more.split("&")]
            hidden = [password, *(value for name, _, value in pairs if "password" in name)]
            shown = f"postgresql://{user}{'@' if user else ''}{host}/{database}"
            return cls("postgresql", text, shown, tuple(filter(None, {*hidden, *map(unquote, hidden)})))
        found = _MSSQL(text)
        if found is not None:
            user, password, host, port, database, more = found.groups(default="")
            shown = f"mssql://{user}{'@' if user else ''}{host}{':' if port else ''}{port}/{database}"
            target = _connection_string(  # To connect anew unasked would lose the lock.
                {"Server": f"tcp:{host},{port or 1433}", "Database": unquote(database)}
                | ({"UID": unquote(user)} if user else {})
                | {"ConnectRetryCount": "0", "Encrypt": "yes", "TrustServerCertificate": "no"}
                | _parameters(more)
            )
            signed = cls("mssql", target, shown).with_password(unquote(password))
            return signed._replace(secrets=(*signed.secrets, password)) if password else signed
        raise UsageError(f"That is no address of a warehouse: {scheme}://...", f"Write it as {EXAMPLES}.")

    @property
    def wants_token(self) -> bool:
        """Whether it is a PostgreSQL in Azure, and no password was given: there a token of Entra is one."""
        match = _POSTGRES(self.target) if self.scheme == "postgresql" and not self.secrets else None
        return match is not None and _AZURE(match[3]) is not None

    @property
    def login(self) -> Login:
        """Where and as whom an address of PostgreSQL that has one host signs in."""
        match = _POSTGRES(self.target)
        user, _, host, database, _ = match.groups(default="") if match is not None else ("",) * 5
        name, _, port = host.partition(":")
        return Login(name, port or "5432", unquote(database), unquote(user))

    def with_token(self, token: str, authorities: str) -> Self:
        """Give an address of PostgreSQL a token, and the file of those whose certificates are believed.

        Raises UsageError where it does not say as whom.
        """
        match = _POSTGRES(self.target)
        if match is None or not match[1]:
            raise UsageError(
                f"{self.shown} does not say as whom to sign in.",
                "Name the identity as PostgreSQL knows it: postgresql://USER@HOST/DATABASE, an @ in it as %40.",
            )
        user, _, host, database, more = match.groups(default="")
        is_verified = f"sslmode=verify-full&sslrootcert={quote(authorities, safe='')}"
        unfit = [name for name in (each.partition("=")[0] for each in more.split("&") if each) if name not in HARMLESS]
        if unfit:
            raise UsageError(
                f"{unfit[0][:40]!a} cannot be said of an address that is shown a token.",
                f"Behind the question mark may be {' and '.join(HARMLESS)}; or name a password.",
            )
        target = (
            f"postgresql://{user}:{quote(token, safe='')}@{host}/{database}?{is_verified}{'&' if more else ''}{more}"
        )
        return self._replace(target=target, secrets=(token, quote(token, safe="")))

    def with_password(self, password: str) -> Self:
        """Give an address of SQL Server its password, if there is any and it has none yet."""
        if not password or self.secrets:
            return self
        said = _connection_string({"PWD": password})
        return self._replace(target=f"{self.target};{said}", secrets=(password, said[len("PWD={") : -1]))

    def without_secrets(self, text: str) -> str:
        """Give a text of somebody else with no password in it; nothing of it where one is too short to be hidden."""
        if any(len(secret) < SHORT for secret in self.secrets):
            return "why is not shown, for so short a password could be read out of it"
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _parameters(text: str) -> dict[str, str]:
    """Read what is behind the question mark of an address of SQL Server. Raises UsageError."""
    spelled = {each.lower(): each for each in PARAMETERS}
    found = dict[str, str]()
    for name, equals, value in (each.partition("=") for each in text.split("&") if text):
        if name.lower() not in spelled or not equals or not value or spelled[name.lower()] in found:
            raise UsageError(
                "That is no address of a warehouse: mssql://... has a parameter that is unknown, empty or there twice.",
                f"Behind the question mark may be {', '.join(PARAMETERS)}: NAME=VALUE, with & between.",
            )
        found[spelled[name.lower()]] = unquote(value)
    return found


def _connection_string(parts: Mapping[str, str]) -> str:
    """Write it as ODBC has it, whose braces may hold anything."""
    doubled = {name: value.replace("}", "}}") for name, value in parts.items()}
    return ";".join(f"{name}={{{value}}}" for name, value in doubled.items())
