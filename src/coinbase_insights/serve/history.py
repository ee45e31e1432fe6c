"""The tables of a lake for the API: rows of one, chosen by product and time, a page of them at a time."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from io import BytesIO
from operator import and_
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds

from ..errors import NoTableError
from ..lake.answer import write
from ..lake.ask import OpenTables
from ..lake.delta import Delta
from ..lake.tables import BARS, GAPS
from ..lake.times import Stretch, Times, microseconds
from .asked import SHOWN, TIMES, Choice, Output, Place, key_of

FIRST_LOOK = 4
"""Where to look first: at the times of so many rows for each that is asked for, whatever product they are of."""


ZONED = pa.timestamp("us", "UTC")


class Page(NamedTuple):
    """Some rows, ready to be sent."""

    body: bytes
    following: str | None
    """What `after` must be for the next rows; None where these are the last."""


class History:
    """A lake that pages ask."""

    def __init__(self, lake: str) -> None:
        """Raises StorageError when there is no lake."""
        self.lake = lake
        self._times = {table: Times(column) for table, column in TIMES.items()}
        self._products: tuple[tuple[str, int], list[str]] = (("", 0), [])
        OpenTables(lake)

    def tag(self, choice: Choice) -> str:
        """Name the answer: another one only when the table or the choice is another. Raises StorageError."""
        table = Delta(self.lake, SHOWN[choice.table])
        return hashlib.sha256(f"{table.id} {table.version} {choice}".encode()).hexdigest()[:32]

    def page(self, choice: Choice) -> Page:
        """Give the rows, by time and product. Raises StorageError when the table is not there, or damaged."""
        declared, times = SHOWN[choice.table], self._times[choice.table]
        times.look(Delta(self.lake, declared))
        query, values = _query(choice)
        asked_for, rows = _stretch(choice), FIRST_LOOK * choice.limit
        while True:
            within, rows = times.enough(rows, asked_for, newest=choice.order == "desc")
            answer = OpenTables(self.lake, (declared,), times, within).ask(query, values).read_all()
            if len(answer) > choice.limit or within == asked_for:
                break
            rows *= max(2, min(16, 2 * choice.limit // (len(answer) + 1)))
        found = answer.slice(0, choice.limit)
        following = _following(choice, found) if len(answer) > choice.limit else None
        return Page(_body(_chosen(found, choice.columns), choice.output, following), following)

    def products(self) -> list[str]:
        """Give the products that have bars; none where none was built."""
        try:
            table = Delta(self.lake, BARS)
        except NoTableError:
            return []
        if self._products[0] != (table.id, table.version):
            answer = OpenTables(self.lake, (BARS,)).ask("select distinct product_id from bars order by 1")
            self._products = ((table.id, table.version), answer.read_all().column(0).to_pylist())
        return self._products[1]


def _query(choice: Choice) -> tuple[str, list[str | int]]:
    """Write the question; every value is a parameter, and names are our own."""
    time, key = TIMES[choice.table], key_of(choice.table)
    place, is_newest = choice.after, choice.order == "desc"
    conditions: list[tuple[str, Sequence[str | int | None]]] = [
        ("product_id in (?, '*')" if choice.table == GAPS.name else "product_id = ?", [choice.product_id]),
        ("length = ?", [choice.length]),
        (f'"{time}" >= ?::timestamp', [choice.start]),
        (f'"{time}" < ?::timestamp', [choice.end]),
        (
            f'("{time}", {", ".join(key)}) {"<=" if is_newest else ">="} (make_timestamp(?){", ?" * len(key)})',
            [None] if place is None else [place.time, *place.key],
        ),
    ]
    used = [(text, values) for text, values in conditions if values[0] is not None]
    where = f" where {' and '.join(text for text, _ in used)}" if used else ""
    by = ", ".join(f"{name} {choice.order}" for name in (f'"{time}"', *key, "columns(*)"))
    query = f"select * from {choice.table}{where} order by {by} limit ? offset ?"  # noqa: S608 - our own names
    values = [value for _, each in used for value in each if value is not None]
    return query, [*values, choice.limit + 1, 0 if place is None else place.given]


def _stretch(choice: Choice) -> Stretch:
    """Give the time in which the rows are."""
    firsts = [microseconds(datetime.fromisoformat(time)) for time in (choice.start,) if time is not None]
    lasts = [microseconds(datetime.fromisoformat(time)) - 1 for time in (choice.end,) if time is not None]
    if choice.after is not None:
        (lasts if choice.order == "desc" else firsts).append(choice.after.time)
    return Stretch(max(firsts, default=None), min(lasts, default=None))


def _following(choice: Choice, rows: pa.Table) -> str:
    """Name the last of the rows, and how many of its time and key were given: on this page, and just before it."""
    names = (TIMES[choice.table], *key_of(choice.table))
    (last,) = rows.select(names).slice(len(rows) - 1).to_pylist()
    given = len(rows.filter(reduce(and_, (ds.field(name) == last[name] for name in names))))
    time, *key = last.values()
    place = Place(microseconds(time), tuple(key), given)
    if choice.after is not None and (choice.after.time, choice.after.key) == (place.time, place.key):
        place = Place(place.time, place.key, given + choice.after.given)
    return place.text


def _chosen(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Give the columns that were asked for; their times say that they are UTC."""
    chosen = rows.select(columns or rows.column_names)
    zoned = [field.with_type(ZONED) if pa.types.is_timestamp(field.type) else field for field in chosen.schema]
    return chosen.cast(pa.schema(zoned))


def _body(rows: pa.Table, output: Output, following: str | None) -> bytes:
    if output == "json":
        return msgspec.json.encode({"rows": rows.to_pylist(), "next": following})
    sink = BytesIO()
    if output == "arrow":
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    else:
        write(rows.to_reader(), output, sink)
    return sink.getvalue()
