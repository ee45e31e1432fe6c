"""Questions in SQL about the tables of a lake, answered by DuckDB; nothing but these tables can be read, or written."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from ..errors import UsageError
from .delta import no_table, reaching, table_url
from .tables import RAW, TABLES, Table


def ask(lake: str, query: str) -> pa.RecordBatchReader:
    """Give the answer to one question, a batch at a time.

    Raises StorageError when there is no lake, and UsageError when the question cannot be answered.
    """
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    connection.execute("set TimeZone = 'UTC'")  # Not that of the machine, by which now() and casts would go.
    known = []
    with reaching(lake):
        for declared in TABLES:
            try:
                table = DeltaTable(table_url(lake, declared))
            except TableNotFoundError:
                continue
            connection.register(f"_{declared.name}", table.to_pyarrow_dataset())
            connection.execute(without_zones(declared))
            known.append(declared.name)
    if not known:
        raise no_table(lake, RAW)
    with understanding(known):
        answer = connection.sql(query)
    if answer is None:
        raise UsageError("That is no question: it has no answer.", 'Ask for rows, such as "select * from bars".')
    batches = answer.to_arrow_reader(10_000)
    return pa.RecordBatchReader.from_batches(batches.schema, _batches(batches, known))


def _batches(answer: pa.RecordBatchReader, known: list[str]) -> Iterator[pa.RecordBatch]:
    with understanding(known):
        yield from answer


def without_zones(declared: Table) -> str:
    """Give the view of a table with times that name no zone: DuckDB reckons with zones by a part that is not here."""
    times = [column.name for column in declared.columns if column.kind == "time"]
    plain = ", ".join(f'make_timestamp(epoch_us("{name}")) as "{name}"' for name in times)
    return f"create view {declared.name} as select * replace ({plain}) from _{declared.name}"  # noqa: S608 - our own names


@contextmanager
def understanding(known: list[str]) -> Iterator[None]:
    """Say what DuckDB does not understand in its own words, and what there is to ask about."""
    try:
        yield
    except duckdb.Error as error:
        hint = f"The tables are {', '.join(known)}; their columns are in docs/reference/tables.md."
        raise UsageError(str(error).splitlines()[0], hint) from error
