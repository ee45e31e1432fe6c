"""Where the files of a table are: a folder, or an object store that delta-rs knows (az://, abfss://, s3://, ...).

What `write` has returned from is there for good. Object stores take their keys from the environment, under the names
that delta-rs documents (AZURE_STORAGE_ACCOUNT_NAME, AWS_ACCESS_KEY_ID, ...); nothing here looks at them. In Azure no
key is needed: the managed identity has a token.
"""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from ..errors import StorageError
from ..log.segments import sync_path

PARTIAL = ".partial"
"""Ends the name of a file on a disk until it is whole."""


class Place(Protocol):
    """Files by their names, with `/` between folders."""

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced."""

    def create(self, name: str, data: bytes) -> None:
        """Keep a file of a name that is free. Raises FileExistsError; of several at once one succeeds."""

    def read(self, name: str) -> bytes:
        """Give a file. Raises FileNotFoundError."""

    def tree(self) -> list[str]:
        """Give the names of all files, those in folders too, in their order."""

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files right in a folder, without it, in their order."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def move(self, name: str, to: str) -> None:
        """Give a file another name."""

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
        partial = path.with_name(f"{path.name}.{token_hex(4)}{PARTIAL}")  # Another process may write the same file.
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_path(path.parent)

    def create(self, name: str, data: bytes) -> None:
        """Keep a file of a name that is free. Raises FileExistsError; of several at once one succeeds."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_path(path.parent)

    def read(self, name: str) -> bytes:
        """Give a file. Raises FileNotFoundError."""
        return (self.root / name).read_bytes()

    def tree(self) -> list[str]:
        """Give the names of all files, those in folders too, in their order."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if not path.is_dir())

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files right in a folder, without it, in their order."""
        path = self.root / folder
        if not path.is_dir():
            return []
        return sorted(each.name for each in path.iterdir() if each.is_file() and not each.name.endswith(PARTIAL))

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.root / name).unlink(missing_ok=True)

    def move(self, name: str, to: str) -> None:
        """Give a file another name."""
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).replace(self.root / to)
        sync_path((self.root / to).parent)
        sync_path((self.root / name).parent)

    def harden(self, name: str) -> None:
        """Bring a file that somebody else has written there onto the disk."""
        sync_path(self.root / name)
        sync_path((self.root / name).parent)


class Store:
    """An object store; what it has acknowledged is its own to keep."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet. Raises StorageError when this can be no address of a store."""
        try:
            self._store = from_url(url, client_options={"allow_http": _allows_http()})
        except (ValueError, BaseError) as error:
            said = f"{url[:100]!a} is no address of a lake: {str(error).splitlines()[0][:200]}."
            raise StorageError(said, "Write a folder, or an address such as az://CONTAINER/FOLDER.") from error

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; one of that name is replaced."""
        obstore.put(self._store, name, data)

    def create(self, name: str, data: bytes) -> None:
        """Keep a file of a name that is free. Raises FileExistsError; of several at once one succeeds."""
        try:
            obstore.put(self._store, name, data, mode="create")
        except AlreadyExistsError as error:
            raise FileExistsError(name) from error

    def tree(self) -> list[str]:
        """Give the names of all files, those in folders too, in their order."""
        return sorted(str(each["path"]) for some in obstore.list(self._store) for each in some)

    def read(self, name: str) -> bytes:
        """Give a file. Raises FileNotFoundError."""
        return bytes(obstore.get(self._store, name).bytes())

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files right in a folder, without it, in their order."""
        found = obstore.list_with_delimiter(self._store, folder or None)["objects"]
        return sorted(str(each["path"]).rpartition("/")[2] for each in found)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            obstore.delete(self._store, name)

    def move(self, name: str, to: str) -> None:
        """Give a file another name."""
        obstore.rename(self._store, name, to)

    def harden(self, name: str) -> None:
        """Nothing is to be done: it has acknowledged it."""


def options() -> dict[str, str] | None:
    """Give what delta-rs must be told beside: where App Service tells who we are; the other library looks by itself."""
    endpoint = os.environ.get("IDENTITY_ENDPOINT")
    return {"azure_msi_endpoint": endpoint} if endpoint else None


def _allows_http() -> bool:
    """Whether the environment asks for a store without TLS, as an emulator is; delta-rs heeds the same names."""
    return any(os.environ.get(name, "").lower() == "true" for name in ("AZURE_ALLOW_HTTP", "AWS_ALLOW_HTTP"))
