"""The address of a warehouse, read once; what may be shown of it, and what may not. Pure."""

import re
from typing import NamedTuple, Self
from urllib.parse import unquote

from ..errors import UsageError

EXAMPLES = "duckdb:///FILE.duckdb or postgresql://USER@HOST/DATABASE"
SCHEMES = ("duckdb", "postgres", "postgresql")
_DUCKDB = re.compile(r"duckdb:///([^\0]+)").fullmatch
_POSTGRES = re.compile(
    r"postgres(?:ql)?://(?:([^\s/@:?#]+)(?::([^\s/@?#]*))?@)?([^\s/@?#]*)/([^\s/@?#]+)(?:\?([^\s?#]+))?"
).fullmatch
"""As libpq reads it (postgresql.org/docs/current/libpq-connect.html): user, password, hosts, database, parameters."""


class Address(NamedTuple):
    """Where a warehouse is."""

    scheme: str
    """`duckdb` or `postgresql`."""
    target: str
    """What its library takes: a path, or all of the address."""
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
        raise UsageError(f"That is no address of a warehouse: {scheme}://...", f"Write it as {EXAMPLES}.")

    def without_secrets(self, text: str) -> str:
        """Give a text of somebody else with no password in it."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text
