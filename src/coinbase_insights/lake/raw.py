"""The table `raw`: every message, as it came from the journal or from topics."""

from .delta import Delta
from .parquet import last_value
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
        connection: int | None = last_value(self.bytes_of(mine[-1]), "connection")
        return connection
