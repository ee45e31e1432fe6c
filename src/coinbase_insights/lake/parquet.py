"""Rows of a table as the bytes of a Parquet file, and back. Pure."""

from collections.abc import Iterable
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from .tables import Table, schema

PAGE_BYTES = 8 * 2**20
"""Texts are compressed a page at a time, and find more to repeat in a larger one."""


def from_parquet(data: bytes, declared: pa.Schema) -> pa.Table:
    """Read rows from a Parquet file, of whatever version of ours wrote it: as the columns are declared now.

    A column that it has not is null, or 0; one of another type is converted; one that we do not know is left out.
    """
    table = pq.ParquetFile(pa.BufferReader(data)).read()
    if table.schema.equals(declared):
        return table
    return pa.table([_declared(table, field) for field in declared], schema=declared)


def _declared(table: pa.Table, field: pa.Field) -> pa.Array:
    if field.name in table.column_names:
        return table.column(field.name).cast(field.type)
    return pa.repeat(pa.scalar(None if field.nullable else 0, field.type), len(table))


def to_parquet(tables: Iterable[pa.Table], declared: Table, level: int) -> tuple[bytes, int]:
    """Write rows as one Parquet file, each table a row group, and count them; `level` is that of zstd.

    No column is larger than its text: whole numbers are kept as steps, names and prices once a group.
    """
    steps = [each.name for each in declared.columns if each.kind in ("whole", "small", "time")]
    often = [each.name for each in declared.columns if each.kind in ("name", "price", "size")]
    reals = [each.name for each in declared.columns if each.kind == "real"]
    sink, count = BytesIO(), 0
    with pq.ParquetWriter(
        sink,
        schema(declared),
        compression="zstd",
        compression_level=level,
        use_dictionary=often,
        column_encoding=dict.fromkeys(steps, "DELTA_BINARY_PACKED") | dict.fromkeys(reals, "BYTE_STREAM_SPLIT"),
        data_page_size=PAGE_BYTES,
        write_page_checksum=True,
        write_statistics=steps,
    ) as writer:
        for table in tables:
            writer.write_table(table)
            count += len(table)
    return sink.getvalue(), count
