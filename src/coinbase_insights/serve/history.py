"""The tables of a lake for the API: rows of one, chosen by product and time, a page of them at a time."""

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

import pyarrow as pa

from ..errors import DamagedError, StorageError
from ..lake.answer import json_lines, write
from ..lake.ask import OpenTables
from ..lake.delta import Delta
from ..lake.tables import BARS, GAPS, INSIGHTS, SCORES, Table
from .asked import TIMES, Choice, Output


class Page(NamedTuple):
    """Some rows, ready to be sent."""

    body: bytes
    following: int | None
    """What `after` must be for the next rows; None where these are the last."""


class History:
    """A lake that pages ask."""

    def __init__(self, lake: str) -> None:
        """Raises StorageError when there is no lake."""
        self.lake = lake
        OpenTables(lake)

    def tag(self, choice: Choice) -> str:
        """Name the answer: another one only when the table or the choice is another. Raises StorageError."""
        table = Delta(self.lake, _declared(choice.table))
        return hashlib.sha256(f"{table.id} {table.version} {choice}".encode()).hexdigest()[:32]

    def page(self, choice: Choice) -> Page:
        """Give the rows, by time and product. Raises StorageError when the table is not there, or damaged."""
        query, values = _query(choice)
        answer = OpenTables(self.lake, (_declared(choice.table),)).ask(query, values).read_all()
        rows = answer.slice(0, choice.limit)
        following = choice.after + choice.limit if len(answer) > choice.limit else None
        return Page(_body(rows, choice.output, following), following)

    def products(self) -> list[str]:
        """Give the products that have bars; none where none was built."""
        try:
            answer = OpenTables(self.lake, (BARS,)).ask("select distinct product_id from bars order by 1")
        except DamagedError:
            raise
        except StorageError:
            return []
        return [str(name) for name in answer.read_all().column(0).to_pylist()]


def _declared(name: str) -> Table:
    return next(declared for declared in (BARS, SCORES, GAPS, INSIGHTS) if declared.name == name)


def _query(choice: Choice) -> tuple[str, list[str | int]]:
    """Write the question; every value is a parameter, and names are our own."""
    time = TIMES[choice.table]
    conditions: list[tuple[str, str | None]] = [
        ("product_id in (?, '*')" if choice.table == GAPS.name else "product_id = ?", choice.product_id),
        ("length = ?", choice.length),
        (f'"{time}" >= ?::timestamp', choice.start),
        (f'"{time}" < ?::timestamp', choice.end),
    ]
    used = [(text, value) for text, value in conditions if value is not None]
    where = f" where {' and '.join(text for text, _ in used)}" if used else ""
    order = f'order by "{time}", product_id, columns(*) limit ? offset ?'
    query = f"select * from {choice.table}{where} {order}"  # noqa: S608 - our own names
    return query, [*(value for _, value in used), choice.limit + 1, choice.after]


def _body(rows: pa.Table, output: Output, following: int | None) -> bytes:
    if output == "json":
        lines = ", ".join(_lines(rows))
        return f'{{"rows": [{lines}], "next": {json.dumps(following)}}}'.encode()
    sink = BytesIO()
    if output == "arrow":
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    else:
        write(rows.to_reader(), output, sink)
    return sink.getvalue()


def _lines(rows: pa.Table) -> Iterator[str]:
    return json_lines(rows.to_reader())
