"""Questions in SQL about the tables of a lake, answered by DuckDB; nothing but these tables can be read, or written."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import duckdb
import pyarrow as pa

from ..errors import StorageError, UsageError
from .checked import CheckedFiles, checked
from .delta import Delta, no_table
from .place import place
from .reaching import reaching
from .sums import LOG
from .tables import TABLES, Table

_EXPLAIN = re.compile(r"\s*explain\s+(?:analyze\s+)?", re.IGNORECASE).match
"""Before a question: it asks too. Before anything else it would do that."""


class OpenTables:
    """The tables of a lake, open for questions."""

    def __init__(self, lake: str, tables: Sequence[Table] = TABLES) -> None:
        """Look which of these tables there are. Raises StorageError when there is none."""
        self._lake = lake
        self._connection = _engine().cursor()
        self._connection.execute("set TimeZone = 'UTC'")  # Not the machine's, by which now() and casts would go.
        self._files: list[CheckedFiles] = []
        self._names: list[str] = []
        for declared in tables:
            with reaching(lake):
                if not place(f"{lake.rstrip('/')}/{declared.name}").names(LOG):
                    continue
            dataset, files = checked(Delta(lake, declared))
            self._connection.register(f"_{declared.name}", dataset)
            self._connection.execute(without_zones(declared))
            self._files.append(files)
            self._names.append(declared.name)
        if not self._names:
            raise no_table(lake, tables[0])

    def ask(self, query: str) -> pa.RecordBatchReader:
        """Give the answer to one question, a batch at a time; a name that comes twice gets a number, as in `a_1`.

        Raises UsageError when it cannot be answered, and StorageError, also later, when a part is damaged or gone.
        """
        with self._understanding():
            explained = _EXPLAIN(query)
            statements = self._connection.extract_statements(query[explained.end() :] if explained else query)
            if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
                raise UsageError(
                    "That is no single question.", 'Ask for rows, one question at a time: "select * from bars".'
                )
            answer = self._connection.sql(query).to_arrow_reader(10_000)
        schema = answer.schema
        for number, name in enumerate(_different(schema.names)):
            schema = schema.set(number, schema.field(number).with_name(name))
        return pa.RecordBatchReader.from_batches(schema, self._batches(answer, schema))

    def _batches(self, answer: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._understanding():
            for batch in answer:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        """Say what DuckDB does not understand in its own words, and what is wrong with the lake in ours."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            for files in self._files:
                if files.fault is not None:
                    raise files.fault from error
            if not isinstance(error, duckdb.Error):
                raise
            if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
                raise StorageError(
                    f"There is no room to answer that: {str(error).splitlines()[0]}", "Ask for fewer rows."
                ) from error
            for declared in TABLES:
                if declared.name not in self._names and f"name {declared.name} does not exist" in str(error):
                    raise no_table(self._lake, declared) from error
            is_of_names = isinstance(error, duckdb.CatalogException | duckdb.BinderException)
            hint = f"The tables are {', '.join(self._names)}; their columns are in docs/reference/tables.md."
            raise UsageError(str(error).splitlines()[0], hint if is_of_names else "") from error


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Start DuckDB, once: each who asks has a cursor, and on it tables that nobody else sees."""
    return duckdb.connect(":memory:", config={"enable_external_access": "false"})


def ask(lake: str, query: str) -> pa.RecordBatchReader:
    """Ask a lake one question; see `OpenTables`."""
    return OpenTables(lake).ask(query)


def _different(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        other, number = name, 0
        while other in found or (number and other in names):
            number += 1
            other = f"{name}_{number}"
        found.append(other)
    return found


def without_zones(declared: Table) -> str:
    """Give the view of a table with times that name no zone: DuckDB reckons with zones by a part that is not here."""
    times = [column.name for column in declared.columns if column.kind == "time"]
    plain = ", ".join(f'make_timestamp(epoch_us("{name}")) as "{name}"' for name in times)
    return f"create temp view {declared.name} as select * replace ({plain}) from _{declared.name}"  # noqa: S608 - our own names
