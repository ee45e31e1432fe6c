"""Quotes of ten products through every rule and into the tables: `python -m benchmarks.programs.building LAKE QUOTES`.

The quotes are made first, in another process (`... LAKE QUOTES make [QUOTES_A_SECOND]`), so that memory and time are
those of the build.
"""

import json
import resource
import sys
import time

import numpy as np
import pyarrow as pa

from coinbase_insights.lake.build import fold_quotes
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.tables import QUOTES, schema

PRODUCTS = [f"COIN{number}-USD" for number in range(10)]
PIECE = 100_000
START = 1_700_000_000_000_000


def piece(first: int, rows: int, chance: np.random.Generator, last: np.ndarray, pace: int = 1) -> pa.Table:
    """Make the next quotes: a random walk of each product, so many quotes a second, or about so."""
    each = rows // len(PRODUCTS)
    tables = []
    for number, product_id in enumerate(PRODUCTS):
        steps = np.cumsum(chance.integers(-3, 4, each)) + last[number]
        steps = np.maximum(steps, 1000)
        last[number] = steps[-1]
        times = (
            START
            + (first // len(PRODUCTS) + np.arange(each)) * (1_000_000 // pace)
            + chance.integers(0, 900_000 // pace, each)
        )
        columns = [
            first // len(PRODUCTS) + np.arange(each),
            pa.repeat(product_id, each),
            pa.array(times).cast(pa.timestamp("us", "UTC")),
            pa.array(first * 3 + np.arange(each) * 7),
            decimals(steps, 2, (22, 10)),
            decimals(chance.integers(1, 10**9, each), 8, (26, 8)),
            decimals(steps + chance.integers(1, 9, each), 2, (22, 10)),
            decimals(chance.integers(1, 10**9, each), 8, (26, 8)),
            pa.nulls(each, pa.timestamp("us", "UTC")),
        ]
        tables.append(pa.table(columns, schema=schema(QUOTES)))
    return pa.concat_tables(tables)


def decimals(units: np.ndarray, places: int, digits: tuple[int, int]) -> pa.Array:
    """Whole numbers of 10^-places as exact decimals."""
    words = np.zeros((len(units), 2), dtype=np.int64)
    words[:, 0] = units
    array = pa.Array.from_buffers(pa.decimal128(38, places), len(units), [None, pa.py_buffer(words.tobytes())])
    return array.cast(pa.decimal128(*digits))


def make(lake: str, rows: int, pace: int) -> None:
    """Fill the table of quotes."""
    table, chance, last = Delta(lake, QUOTES, create=True), np.random.default_rng(1), np.full(len(PRODUCTS), 200_000)
    for first in range(0, rows, PIECE):
        table.land(QUOTES.name, first, [piece(first, min(PIECE, rows - first), chance, last, pace)], first)


def main() -> None:
    """Make, or build."""
    lake, rows = sys.argv[1], int(sys.argv[2])
    if sys.argv[3:4] == ["make"]:
        make(lake, rows, int((sys.argv[4:] or ["1"])[0]))
        return
    began, cpu = time.monotonic(), time.process_time()
    fold_quotes(lake, "tilt")
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - began,
                "cpu": time.process_time() - cpu,
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


main()
