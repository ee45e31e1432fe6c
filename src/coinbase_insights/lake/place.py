"""Where the files of a table are: a folder, or an object store that delta-rs knows (az://, abfss://, s3://, ...).

What `write` has returned from is there for good. Object stores take their keys from the environment, under the names
that delta-rs documents (AZURE_STORAGE_ACCOUNT_NAME, AWS_ACCESS_KEY_ID, ...); nothing here looks at them.
"""

import os
from pathlib import Path
from typing import Protocol

from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileSelector, PyFileSystem


class Place(Protocol):
    """Files by their names, with `/` between folders."""

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced."""

    def read(self, name: str) -> bytes:
        """Give a file. Raises FileNotFoundError."""

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files right in a folder, without it, in their order."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def harden(self, name: str) -> None:
        """Bring a file that somebody else has written there onto the disk."""


def place(url: str) -> Place:
    """Give the place of this address."""
    return Store(url) if "://" in url and not url.startswith("file://") else Folder(Path(url.removeprefix("file://")))


class Folder:
    """A folder on a disk of ours; what is written is synced, and so is its name."""

    def __init__(self, root: Path) -> None:
        """Make nothing yet."""
        self.root = root

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync(path.parent)

    def read(self, name: str) -> bytes:
        """Give a file. Raises FileNotFoundError."""
        return (self.root / name).read_bytes()

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files right in a folder, without it, in their order."""
        path = self.root / folder
        return sorted(each.name for each in path.iterdir() if each.is_file()) if path.is_dir() else []

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.root / name).unlink(missing_ok=True)

    def harden(self, name: str) -> None:
        """Bring a file that somebody else has written there onto the disk."""
        _sync(self.root / name)
        _sync((self.root / name).parent)


class Store:
    """An object store; what it has acknowledged is its own to keep."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._files = PyFileSystem(DeltaStorageHandler(url))

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced."""
        with self._files.open_output_stream(name) as stream:
            stream.write(data)

    def read(self, name: str) -> bytes:
        """Give a file. Raises FileNotFoundError."""
        with self._files.open_input_file(name) as file:
            return bytes(file.readall())

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files right in a folder, without it, in their order."""
        found = self._files.get_file_info(FileSelector(folder, allow_not_found=True))
        return sorted(each.base_name for each in found if each.is_file)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._files.delete_file(name)

    def harden(self, name: str) -> None:
        """Nothing is to be done: it has acknowledged it."""


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
