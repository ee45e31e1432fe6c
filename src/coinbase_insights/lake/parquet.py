"""Rows of a table as the bytes of a Parquet file, and back. Pure."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .tables import Table, schema

PAGE_BYTES = 8 * 2**20
"""Texts are compressed a page at a time, and find more to repeat in a larger one."""


def from_parquet(data: bytes, declared: pa.Schema) -> pa.Table:
    """Read rows from a Parquet file, of whatever version of ours wrote it: as the columns are declared now.

    A column that it has not is null, or 0; one of another type is converted; one that we do not know is left out.
    """
    return as_declared(pq.ParquetFile(pa.BufferReader(data)).read(), declared)


def groups(data: bytes, declared: pa.Schema, first: int, until: int) -> Iterator[pa.Table]:
    """Give the rows from one number up to another, and hold no more of the file at once than a group of them."""
    file, start = pq.ParquetFile(pa.BufferReader(data)), 0
    for number in range(file.num_row_groups):
        end = start + file.metadata.row_group(number).num_rows
        if start < until and end > first:
            table = as_declared(file.read_row_group(number), declared)
            yield table.slice(max(0, first - start), min(until, end) - max(first, start))
        start = end


def last_value(data: bytes, name: str) -> Any:  # noqa: ANN401 - of whatever kind the column is
    """Give what stands last in a column, and read no more than its last group; None where there is no row."""
    file = pq.ParquetFile(pa.BufferReader(data))
    if not file.metadata.num_rows:
        return None
    column = file.read_row_group(file.num_row_groups - 1, columns=[name]).column(name)
    return column[len(column) - 1].as_py()


def as_declared(table: pa.Table, declared: pa.Schema) -> pa.Table:
    """Give rows with the columns that are declared now, whatever version of ours wrote them."""
    if table.schema.equals(declared):
        return table
    return pa.table([_declared(table, field) for field in declared], schema=declared)


def _declared(table: pa.Table, field: pa.Field) -> pa.Array:
    if field.name in table.column_names:
        return table.column(field.name).cast(field.type)
    return pa.repeat(pa.scalar(None if field.nullable else 0, field.type), len(table))


def to_parquet(tables: Iterable[pa.Table], declared: Table, level: int) -> tuple[bytes, int]:
    """Write rows as one Parquet file, each table a row group, and count them; `level` is that of zstd.

    No column is larger than its text: whole numbers are kept as steps, names and prices once a group. Only encodings
    that Spark 3.5 and Polars read are used, which leaves BYTE_STREAM_SPLIT out.
    """
    steps = [each.name for each in declared.columns if each.kind in ("whole", "small", "time")]
    often = [each.name for each in declared.columns if each.kind in ("name", "price", "size")]
    sink, count = BytesIO(), 0
    with pq.ParquetWriter(
        sink,
        schema(declared),
        compression="zstd",
        compression_level=level,
        use_dictionary=often,
        column_encoding=dict.fromkeys(steps, "DELTA_BINARY_PACKED"),
        data_page_size=PAGE_BYTES,
        write_page_checksum=True,
        store_schema=False,
        write_statistics=steps,
    ) as writer:
        for table in tables:
            writer.write_table(table)
            count += len(table)
    return sink.getvalue(), count
