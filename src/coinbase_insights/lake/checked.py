"""A table of the lake for whoever reads it by Arrow's datasets: each part is checked before a row of it is seen."""

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow.dataset import Dataset
from pyarrow.fs import PyFileSystem

from ..errors import StorageError
from .delta import Delta
from .parquet import to_parquet
from .parts import Part
from .place import options
from .reaching import reaching


class CheckedFiles(DeltaStorageHandler):
    """The files of a table; one is read whole, for its name is the sum of all its bytes."""

    def __init__(self, table: Delta) -> None:
        """Read nothing yet."""
        super().__init__(table.url, options())
        self._table = table
        self.fault: StorageError | None = None
        """Why a part could not be read. Arrow and DuckDB pass no error of ours on."""

    def open_input_file(self, path: str) -> pa.BufferReader:
        """Give a part; of one that cannot be read nothing, and keep the StorageError.

        An error of Python's, raised on a thread of Arrow's, can stop both for ever: Arrow asks for Python's lock to
        write the error down, while whoever has that lock waits for Arrow. Over an empty file it stumbles by itself.
        """
        part = Part.parse(path)
        try:
            if part is None:
                raise StorageError(f"{self._table.url} names a file that is not ours: {path}.")
            holder, data = self._table.holder(part)
            if holder != part:  # It was joined into another since: its rows alone, as Arrow expects them.
                declared = self._table.declared
                data, _ = to_parquet(self._table.groups(part), declared, declared.level)
            return pa.BufferReader(data)
        except StorageError as error:
            self.fault = error
            return pa.BufferReader(b"")


def checked(table: Delta) -> tuple[Dataset, CheckedFiles]:
    """Give a table as a dataset, and its files, which know why one of them cannot be read."""
    files = CheckedFiles(table)
    with reaching(table.url):
        opened = DeltaTable(table.url, version=table.version, storage_options=options())
        dataset = opened.to_pyarrow_dataset(filesystem=PyFileSystem(files))
    return dataset, files
