"""The table `raw`: every message, as it came from the journal or from topics."""

from .delta import Delta
from .tables import RAW


class Raw(Delta):
    """See `Delta`."""

    def __init__(self, url: str, *, create: bool = False, anew: bool = False) -> None:
        """Open it, as Delta."""
        super().__init__(url, RAW, create=create, anew=anew)

    def last_connection(self, log: str) -> int | None:
        """The connection of the last row of a log; None when there is none."""
        mine = [part for part in self.parts() if part.log == log]
        if not mine:
            return None
        column = self.read(mine[-1]).column("connection")
        return column[len(column) - 1].as_py() if len(column) else None
