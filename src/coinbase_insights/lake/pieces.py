"""Rows in pieces of one size, however they come. Pure."""

from collections.abc import Iterable, Iterator

import pyarrow as pa


def pieces(tables: Iterable[pa.Table], most: int) -> Iterator[pa.Table]:
    """Give the rows of tables in pieces of so many, the last one perhaps of fewer."""
    held: list[pa.Table] = []
    for table in tables:
        start = 0
        while start < len(table):
            part = table.slice(start, most - sum(len(each) for each in held))
            start += len(part)
            held.append(part)
            if sum(len(each) for each in held) == most:
                yield pa.concat_tables(held)
                held = []
    if held:
        yield pa.concat_tables(held)
