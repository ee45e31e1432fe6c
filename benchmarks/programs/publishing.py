"""A table of a lake into a warehouse: `python -m benchmarks.programs.publishing LAKE TABLE URL`.

The rows are made first, in another process (`... LAKE TABLE make ROWS`): random walks, with null where null may be.
"""

import json
import resource
import sys
import time

import numpy as np
import pyarrow as pa

from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.tables import TABLES, Column, Table, schema
from coinbase_insights.warehouse.address import Address
from coinbase_insights.warehouse.publish import publish

PIECE, PART = 100_000, 500_000
START = 1_700_000_000_000_000


def values(column: Column, first: int, rows: int, chance: np.random.Generator) -> pa.Array:
    """Make the values of a column."""
    if column.kind == "name":
        return pa.array([f"{column.name}{number}" for number in range(10)]).take(pa.array(chance.integers(0, 10, rows)))
    if column.kind == "time":
        return pa.array(START + 1_000_000 * np.arange(first, first + rows)).cast(pa.timestamp("us", "UTC"))
    if column.kind == "whole":
        return pa.array(chance.integers(0, 900, rows))
    walk = 2000 + np.cumsum(chance.integers(-3, 4, rows)) / 100
    return pa.array(walk, mask=chance.random(rows) < 0.05 if column.nullable else None)


def piece(declared: Table, first: int, rows: int, chance: np.random.Generator) -> pa.Table:
    """Make the next rows of a table."""
    return pa.table([values(each, first, rows, chance) for each in declared.columns], schema=schema(declared))


def make(lake: str, declared: Table, rows: int) -> None:
    """Fill a table."""
    table, chance = Delta(lake, declared, create=True), np.random.default_rng(1)
    for first in range(0, rows, PART):
        table.land(
            declared.name, first, [piece(declared, first + each, PIECE, chance) for each in range(0, PART, PIECE)]
        )


def main() -> None:
    """Make, or publish."""
    lake, name, to = sys.argv[1:4]
    (declared,) = (table for table in TABLES if table.name == name)
    if to == "make":
        make(lake, declared, int(sys.argv[4]))
        return
    began = time.monotonic()
    (sent,) = publish(lake, Address.parse(to), [declared])
    seconds = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"speed": sent.rows / seconds, "memory": memory}))


main()
