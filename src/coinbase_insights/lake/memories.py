"""What a build remembers, kept in the lake under the number of rows that it has seen.

    _memory/quotes-00000000000000001440-3f0c....msgpack      step, rows of its source, SHA-256 of the bytes

A memory is written before the rows that go with it are committed, and the one before is removed afterwards: so whoever
is killed when, there is one for wherever the tables are. It is named after its own bytes.
"""

import hashlib
import re
from contextlib import suppress

from ..errors import DamagedError
from .place import place

FOLDER = "_memory"
_NAME = re.compile(r"([a-z]+)-([0-9]{20})-([0-9a-f]{64})\.msgpack", re.ASCII).fullmatch


class Memories:
    """The memories of one step of a build."""

    def __init__(self, lake: str, step: str) -> None:
        """Look at nothing yet."""
        self._lake = lake
        self._files = place(lake)
        self._step = step

    def read(self, rows: int) -> bytes | None:
        """Give what was remembered after so many rows; None before the first. Raises DamagedError."""
        if not rows:
            return None
        for name, number, digest in self._found():
            if number == rows:
                with suppress(FileNotFoundError):  # Somebody else goes on, and has removed it.
                    data = self._files.read(name)
                    if hashlib.sha256(data).hexdigest() == digest:
                        return data
        raise DamagedError(
            f"What the build remembers of {self._step} after {rows} rows is damaged or gone.",
            f"Set aside what was built: coinbase_insights verify {self._lake} --repair",
        )

    def write(self, rows: int, data: bytes) -> str:
        """Keep what is remembered after so many rows, beside what is there; give its name."""
        digest = hashlib.sha256(data).hexdigest()
        name = f"{FOLDER}/{self._step}-{rows:020d}-{digest}.msgpack"
        self._files.write(name, data)
        return name

    def keep_only(self, kept: str) -> None:
        """Remove all memories of the step but this one: those before it, and those of tables that are no more."""
        for name, _, _ in self._found():
            if name != kept:
                self._files.remove(name)

    def _found(self) -> list[tuple[str, int, str]]:
        matches = [_NAME(name) for name in self._files.names(FOLDER)]
        return [
            (f"{FOLDER}/{match[0]}", int(match[2]), match[3])
            for match in matches
            if match is not None and match[1] == self._step
        ]
