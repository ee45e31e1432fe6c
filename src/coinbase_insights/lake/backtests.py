"""The table `backtests`: what was found out about forecasters, kept run after run. No clock here."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from .compact import compact
from .delta import Delta
from .tables import BACKTESTS, schema


def begin(lake: str) -> None:
    """See that a run can be kept: make the table where there is none. Raises StorageError."""
    Delta(lake, BACKTESTS, create=True)


def keep(lake: str, run_at: int, rows: Sequence[Sequence[Any]]) -> None:
    """Add the rows of a run, which have the columns of the table but `run_at` (microseconds since 1970), in order.

    Makes the table where there is none. Raises StorageError and LockedError.
    """
    table = Delta(lake, BACKTESTS, create=True)
    columns = zip(*((run_at, *row) for row in rows), strict=True)
    arrays = [_array(values, field.type) for values, field in zip(columns, schema(BACKTESTS), strict=True)]
    name = BACKTESTS.name
    table.land(name, table.landed(name), [pa.table(arrays, schema=schema(BACKTESTS))])
    compact(table)
    table.clean()


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
