"""Whether libpq is given a password beside the address: by the environment, or by its file of passwords.

As postgresql.org/docs/current/libpq-pgpass.html says. The password itself is read by libpq alone.
"""

import os
import re
from pathlib import Path

from .address import Login

_FIELDS = re.compile(r"((?:\\.|[^:\\])*):").findall


def is_given(login: Login) -> bool:
    """Tell whether libpq will find a password for this login."""
    if "PGPASSWORD" in os.environ:
        return True
    path = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
    try:
        if not path.is_file() or path.stat().st_mode & 0o077:  # libpq passes over what others could read.
            return False
        return any(_is_for(line, login) for line in path.read_text(errors="replace").splitlines())
    except OSError:
        return False


def _is_for(line: str, login: Login) -> bool:
    """Tell whether a line holds the password of a login: host, port, database, user, each itself or `*`."""
    fields = [re.sub(r"\\(.)", r"\1", field) for field in _FIELDS(line)[:4]]
    pairs = zip(fields, login, strict=False)
    return len(fields) == 4 and not line.startswith("#") and all(said in ("*", wanted) for said, wanted in pairs)
