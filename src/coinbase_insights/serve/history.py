"""The tables of a lake for the API: rows of one, chosen by product and time, a page of them at a time."""

import hashlib
from datetime import datetime
from functools import reduce
from io import BytesIO
from operator import and_
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from .. import __version__
from ..errors import NoTableError
from ..lake.answer import write
from ..lake.ask import OpenTables
from ..lake.delta import Delta
from ..lake.tables import BARS, GAPS
from ..lake.times import ROW, TIME, Stretch, Times, microseconds
from .asked import SHOWN, Choice, Cursor, NoPageError, Output

FIRST_LOOK = 4
"""Where to look first: at the times of so many rows for each that is asked for, whatever product they are of."""


class Page(NamedTuple):
    """Some rows, ready to be sent."""

    body: bytes
    following: str | None
    """What `after` must be for the next rows; None where these are the last."""


class Answer(NamedTuple):
    """What a request gets."""

    tag: str
    """Its name: another one where the table, the choice or the program is another."""
    page: Page | None
    """None where whoever asks has it already."""


class History:
    """A lake that pages ask."""

    def __init__(self, lake: str) -> None:
        """Ask nobody yet: the lake may be away, or not be made, when a server starts."""
        self.lake = lake
        self._times = {name: Times(table.time) for name, table in SHOWN.items()}
        self._products: tuple[tuple[str, int], list[str]] = (("", 0), [])

    def look(self) -> None:
        """Raise StorageError when there is no lake."""
        OpenTables(self.lake)

    def answer(self, choice: Choice, known: str = "") -> Answer:
        """Give the rows, and the tag of the very table that they are of; no rows where the tag is among the known.

        Raises StorageError when the table is not there, or damaged.
        """
        table = Delta(self.lake, SHOWN[choice.table])
        named = f"{__version__} {table.id} {table.version} {choice}"
        tag = f'"{hashlib.sha256(named.encode()).hexdigest()[:32]}"'
        return Answer(tag, None if tag in known else self._page(table, choice))

    def _page(self, table: Delta, choice: Choice) -> Page:
        """Give the rows, by time and as they were made."""
        times = self._times[choice.table]
        if choice.after is not None and choice.after.made != table.id:
            raise NoPageError(f"The table {choice.table} was made anew since the page before.", "Begin without after.")
        times.look(table)
        columns = choice.columns or tuple(column.name for column in table.declared.columns)
        needed = tuple(dict.fromkeys((*columns, SHOWN[choice.table].time, *_named(choice))))
        asked_for, rows = _stretch(choice), FIRST_LOOK * choice.limit
        while True:
            within, rows = times.enough(rows, asked_for, newest=choice.order == "desc")
            found = times.rows(table, within, needed, _wanted(choice))
            if len(found) > choice.limit or within == asked_for:
                break
            rows *= max(2, min(16, 2 * choice.limit // (len(found) + 1)))
        order = "descending" if choice.order == "desc" else "ascending"
        given = found.sort_by([(SHOWN[choice.table].time, order), (ROW, order)]).slice(0, choice.limit)
        following = _following(choice, table.id, given) if len(found) > choice.limit else None
        return Page(_body(given.select(columns), choice.output, table.id, following), following)

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


def _named(choice: Choice) -> dict[str, list[str]]:
    """Give the columns by whose values rows are chosen, with those that will do."""
    named = {} if choice.product_id is None else {"product_id": [choice.product_id]}
    if choice.table == GAPS.name and named:
        named["product_id"].append("*")
    return named if choice.length is None else {**named, "length": [choice.length]}


def _wanted(choice: Choice) -> ds.Expression:
    """Tell which rows of a stretch are given."""
    wanted = [ds.field(name).isin(values) for name, values in _named(choice).items()]
    if choice.after is not None:
        time, row = ds.field(SHOWN[choice.table].time), ds.field(ROW)
        is_behind = row < choice.after.row if choice.order == "desc" else row > choice.after.row
        wanted.append((time != pa.scalar(choice.after.time, TIME)) | is_behind)  # Other times are those of _stretch.
    return reduce(and_, wanted, ds.scalar(True))


def _stretch(choice: Choice) -> Stretch:
    """Give the time in which the rows are."""
    firsts = [microseconds(datetime.fromisoformat(time)) for time in (choice.start,) if time is not None]
    lasts = [microseconds(datetime.fromisoformat(time)) - 1 for time in (choice.end,) if time is not None]
    if choice.after is not None:
        (lasts if choice.order == "desc" else firsts).append(choice.after.time)
    return Stretch(max(firsts, default=None), min(lasts, default=None))


def _following(choice: Choice, made: str, rows: pa.Table) -> str:
    """Name the last of the rows."""
    time, row = (rows.column(name)[len(rows) - 1].as_py() for name in (SHOWN[choice.table].time, ROW))
    return Cursor(choice.table, made, microseconds(time), row).text


def _body(rows: pa.Table, output: Output, table_id: str, following: str | None) -> bytes:
    if output == "json":
        return msgspec.json.encode({"rows": _objects(rows), "next": following, "table_id": table_id})
    sink = BytesIO()
    if output == "arrow":
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    else:
        write(rows.to_reader(), output, sink)
    return sink.getvalue()


def _objects(rows: pa.Table) -> list[msgspec.Struct]:
    """Give each row as an object; as a dict, it would take four times as long to make and to write."""
    columns = [_times(each) if pa.types.is_timestamp(each.type) else each.to_pylist() for each in rows.columns]
    return list(map(msgspec.defstruct("Row", rows.column_names, gc=False), *columns))


def _times(column: pa.ChunkedArray) -> list[str | None]:
    """Write times as the lines of `run` have them; Arrow writes a column of them at once."""
    plain = pc.replace_substring(column.cast(pa.timestamp("us")).cast(pa.string()), " ", "T")
    return list(pc.binary_join_element_wise(plain, "Z", "").to_pylist())
