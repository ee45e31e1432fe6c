"""Where the models of a lake are, and whether their folders still are what the table `models` says.

LAKE/models/                    Delta, a row for each that was trained
LAKE/_models/NAME/VERSION/      its folder
"""

import hashlib
from typing import Any

import pyarrow as pa

from .delta import Delta
from .place import place
from .reaching import reaching, table_url
from .sums import LOG
from .tables import MODELS, schema

FOLDER = "_models"
MODEL = "model.json"
"""The file of a folder whose SHA-256 the table keeps."""
Row = dict[str, Any]


def rows(lake: str) -> list[Row]:
    """Give the rows of `models`, in the order of training; none where nothing was trained. Raises StorageError."""
    with reaching(lake):
        if not place(table_url(lake, MODELS)).names(LOG):
            return []
    table = Delta(lake, MODELS)
    return [row for found in table.rows(0, table.landed(MODELS.name)) for row in found.to_pylist()]


def as_table(found: list[Row]) -> pa.Table:
    """Make a table of rows; times are microseconds since 1970, or as they were read."""
    columns = [[row[field.name] for row in found] for field in schema(MODELS)]
    arrays = [
        pa.array(values, pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type) and all(isinstance(value, int) for value in values)
        else pa.array(values, field.type)
        for values, field in zip(columns, schema(MODELS), strict=True)
    ]
    return pa.table(arrays, schema=schema(MODELS))


def path_of(name: str, version: int) -> str:
    """Give where the folder of a model is in its lake."""
    return f"{FOLDER}/{name}/{version}"


def fits(lake: str, row: Row) -> bool:
    """Tell whether the coefficients that a row is about are there, and have not changed."""
    with reaching(lake):
        try:
            data = place(lake).read(f"{path_of(row['name'], row['version'])}/{MODEL}")
        except FileNotFoundError:
            return False
    return hashlib.sha256(data).hexdigest() == str(row["digest"])
