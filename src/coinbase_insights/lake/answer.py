"""The answer to a question in SQL, as a table, CSV, JSON lines or Parquet. Rows of Arrow in, text out."""

import json
import math
from base64 import b64encode
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv
from pyarrow.parquet import ParquetWriter

from ..errors import UsageError
from ..show.listing import table
from ..show.safe import safe

EXPLAINED = ["explain_key", "explain_value"]
"""The columns of an answer that is a drawing."""


def json_lines(answer: pa.RecordBatchReader) -> Iterator[str]:
    """Give each row as a JSON object."""
    names = answer.schema.names
    for row in _rows(answer):
        yield json.dumps(dict(zip(names, map(plain, row), strict=True)))


def drawn(answer: pa.RecordBatchReader) -> str:
    """Give the answer as a table; that to `explain` is drawn already."""
    rows = [[_cell(value) for value in row] for row in _rows(answer)]
    if answer.schema.names == EXPLAINED:
        return "\n".join(safe(line) for row in rows for line in str(row[1]).splitlines())
    return table(answer.schema.names, rows, digits=10)


def write(answer: pa.RecordBatchReader, output: str, file: BinaryIO) -> None:
    """Write the answer as `csv` or `parquet`. Raises UsageError when that cannot hold a column."""
    try:
        with _writer(answer.schema, output, file) as writer:
            for batch in answer:
                writer.write_batch(batch)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(f"{output} cannot hold this answer: {error}.", "Take --format json.") from error


def _writer(schema: pa.Schema, output: str, file: BinaryIO) -> Any:  # noqa: ANN401 - pyarrow is untyped
    return csv.CSVWriter(file, schema) if output == "csv" else ParquetWriter(file, schema, compression="zstd")


def _rows(answer: pa.RecordBatchReader) -> Iterator[list[Any]]:
    for batch in answer:
        for row in zip(*batch.columns, strict=True):
            yield [value.as_py() for value in row]


def _cell(value: Any) -> str | float | int | None:  # noqa: ANN401 - whatever an answer may hold
    found = value if isinstance(value, float) else plain(value)
    return json.dumps(found) if isinstance(found, list | dict) else found


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever an answer may hold
    """Give a value as JSON has it: times as RFC 3339, decimals as text without padding, bytes as base64.

    JSON has no word for a float that is no number, or infinite: null stands for it.

    >>> plain([Decimal("1.50"), float("nan")])
    ['1.5', None]
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else int(text)
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, pa.MonthDayNano):
        return f"P{value.months}M{value.days}DT{Decimal(value.nanoseconds) / 10**9:f}S"
    return [plain(each) for each in value] if isinstance(value, list | tuple) else str(value)
