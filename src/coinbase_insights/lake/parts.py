"""The data files of `raw`, which say by their own names what they hold: nothing else has to be remembered of them.

    journal-00000000000000001440-000005000-3f0c....parquet      log, first offset, rows, SHA-256 of the bytes

So a part that was changed by a single bit does not fit its name, and two parts that overlap are seen without opening
them. The Delta log decides which parts count; a file that it does not name is a leftover of a crash.
"""

import hashlib
import re
from typing import NamedTuple, Self
from urllib.parse import quote, unquote

_NAME = re.compile(r"([A-Za-z0-9._~]{1,400})-([0-9]{20})-([0-9]{9})-([0-9a-f]{64})\.parquet", re.ASCII).fullmatch


class Part(NamedTuple):
    """One data file."""

    log: str
    first: int
    """Offset of its first row."""
    rows: int
    digest: str

    @classmethod
    def of(cls, log: str, first: int, rows: int, data: bytes) -> Self:
        """Name the bytes of a new part."""
        return cls(log, first, rows, hashlib.sha256(data).hexdigest())

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a file's name; None when it is not that of a part."""
        match = _NAME(name)
        if match is None:
            return None
        return cls(unquote(match[1].replace("~", "%")), int(match[2]), int(match[3]), match[4])

    @property
    def name(self) -> str:
        """The name of its file."""
        log = quote(self.log, safe="").replace("-", "%2D").replace("~", "%7E").replace("%", "~")  # Delta writes % anew.
        return f"{log}-{self.first:020d}-{self.rows:09d}-{self.digest}.parquet"

    @property
    def end(self) -> int:
        """Offset behind its last row."""
        return self.first + self.rows

    def covers(self, other: Self) -> bool:
        """Tell whether it has all rows of another part."""
        return self.log == other.log and self.first <= other.first and other.end <= self.end

    def fits(self, data: bytes) -> bool:
        """Tell whether these are the bytes that it was named after."""
        return hashlib.sha256(data).hexdigest() == self.digest
