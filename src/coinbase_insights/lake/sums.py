"""Checksums of the Delta log, for the log cannot vouch for itself: one small file beside each file of it.

`_checksums/00000000000000000012.json.sha256` holds what `sha256sum` prints of `_delta_log/00000000000000000012.json`.
Data files need none: they are named after their own bytes (parts.py).
"""

import hashlib

from .place import Place

LOG, SUMS = "_delta_log", "_checksums"
LAST_CHECKPOINT = "_last_checkpoint"
"""The one file of the log that is written anew."""


class Sums:
    """Keeps a checksum for each file of a table's log."""

    def __init__(self, files: Place) -> None:
        """Know nothing yet; `complete` looks."""
        self._files = files
        self._known: set[str] = set()
        self._last_checkpoint = b""

    def complete(self) -> None:
        """Write the sums that are missing: that of the last commit, and those that a crash has left out.

        Sums of files that the log has given up are removed.
        """
        names = self._files.names(LOG)
        if not self._known:
            self._known = {name.removesuffix(".sha256") for name in self._files.names(SUMS)}
        for name in names:
            if name.startswith("."):
                continue
            if name == LAST_CHECKPOINT:
                self._complete_last_checkpoint()
            elif name not in self._known:
                self._write(name)
        for name in self._known - set(names):
            self._files.remove(sum_name(name))
        self._known = set(names)

    def _write(self, name: str) -> bytes:
        data = self._files.read(f"{LOG}/{name}")
        self._files.harden(f"{LOG}/{name}")
        self._files.write(sum_name(name), sum_line(name, data))
        return data

    def _complete_last_checkpoint(self) -> None:
        if self._files.read(f"{LOG}/{LAST_CHECKPOINT}") != self._last_checkpoint:
            self._last_checkpoint = self._write(LAST_CHECKPOINT)


def sum_name(name: str) -> str:
    """Give the name of the file that holds the sum of this file of the log."""
    return f"{SUMS}/{name}.sha256"


def sum_line(name: str, data: bytes) -> bytes:
    """Write what `sha256sum` would, run in the folder of the log."""
    return f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()
