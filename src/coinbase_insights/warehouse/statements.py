"""Statements made of the one declaration of columns (lake/tables.py), in the SQL that all warehouses share. Pure.

They hold our own names and words only: no value is ever written into a statement.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..errors import StorageError
from ..lake.tables import Column, Kind, Table

Types = Mapping[Kind, str]
"""How a warehouse spells the type of each kind of column."""


class Dialect(NamedTuple):
    """What warehouses spell each in its own way; braces stand for what is filled in."""

    types: Types
    """The types of columns, as it gives them itself when it is asked."""
    indexed: bool
    """Whether tables get indices: by their key, and by product and time."""
    name: str = '"{}"'
    """A declared name, so that no word of SQL is in its way, such as `end`."""
    table: str = '"{}"'
    text: str = "'{}'"
    row_count: str = "count(*)"
    add: str = "add column"
    make_index: str = "create index on {table} ({columns})"
    about_table: str = "comment on table {table} is {words}"
    about_column: str = "comment on column {table}.{column} is {words}"


ROW = Column("row", "whole", "", "place of the row in the lake's table, counted from 0")
PUBLISHED = Table(
    "published",
    "How far each table was published, by `coinbase_insights publish`.",
    (
        Column("table_name", "name", "", "the table, here and in the lake"),
        Column("lake_table", "text", "", "id of the lake's table; another one when that was made anew"),
        Column("rows", "whole", "", "how many of its rows are here, from the first on"),
        Column("published_at", "time", "UTC, microseconds", "when the last of them came, by the publisher's clock"),
    ),
    made_by="publish",
)
"""The first column of a table of a warehouse is its key."""


def in_warehouse(declared: Table) -> Table:
    """Give a table of the lake as a warehouse has it: with the place of each row."""
    return declared._replace(columns=(ROW, *declared.columns))


def create(declared: Table, dialect: Dialect) -> Iterator[str]:
    """Make a table, with what it and its columns mean; `indexed` by its key, and by product and time if it has them."""
    table, (key, *others) = dialect.table.format(declared.name), declared.columns
    columns = [
        f"{_typed(key, dialect)} {'primary key' if dialect.indexed else 'not null'}",
        *(f"{_typed(each, dialect)}{'' if each.nullable else ' not null'}" for each in others),
    ]
    yield f"create table {table} ({', '.join(columns)})"
    yield dialect.about_table.format(table=table, table_name=declared.name, words=text_of(declared.meaning, dialect))
    yield from (_comment(declared, each, dialect) for each in declared.columns)
    times = [each.name for each in others if each.kind == "time"]
    if dialect.indexed and times and any(each.name == "product_id" for each in others):
        yield dialect.make_index.format(table=table, columns=names_of(["product_id", times[0]], dialect))


def migrate(declared: Table, dialect: Dialect, there: Mapping[str, str]) -> Iterator[str]:
    """Add the columns that are declared now and not there; what only is there stays. Raises StorageError.

    `there` has the type of each column that is there. Rows from before have null in a new column.
    """
    for column in declared.columns:
        found, wanted = there.get(column.name), dialect.types[column.kind]
        if found is None:
            yield f"alter table {dialect.table.format(declared.name)} {dialect.add} {_typed(column, dialect)}"
            yield _comment(declared, column, dialect)
        elif found != wanted:
            raise StorageError(
                f"The column {column.name} of {declared.name} is {found} there, and should be {wanted}.",
                f"Rename that table, or drop it: then `publish` makes {declared.name} anew.",
            )


def remove_rows(table: str, dialect: Dialect) -> str:
    """Remove all rows of a table."""
    return f"delete from {dialect.table.format(table)}"


def rows_of(table: str, dialect: Dialect) -> str:
    """Ask how many rows a table has, and for the place of the last."""
    return f"select {dialect.row_count}, max({dialect.name.format(ROW.name)}) from {dialect.table.format(table)}"


def note_of(table: str, dialect: Dialect) -> str:
    """Ask of which of the lake's tables a table was published, and how many rows of it."""
    return f"select {names_of(['lake_table', 'rows'], dialect)} from {_noted(table, dialect)}"


def remove_note(table: str, dialect: Dialect) -> str:
    """Remove what is noted of a table."""
    return f"delete from {_noted(table, dialect)}"


def names_of(columns: Iterable[str], dialect: Dialect) -> str:
    """Write the names of columns, with a comma between."""
    return ", ".join(dialect.name.format(each) for each in columns)


def text_of(words: str, dialect: Dialect) -> str:
    """Write words as a value of text."""
    return dialect.text.format(words.replace("'", "''"))


def _noted(table: str, dialect: Dialect) -> str:
    published, name = dialect.table.format(PUBLISHED.name), dialect.name.format("table_name")
    return f"{published} where {name} = {text_of(table, dialect)}"


def _typed(column: Column, dialect: Dialect) -> str:
    return f"{dialect.name.format(column.name)} {dialect.types[column.kind]}"


def _comment(declared: Table, column: Column, dialect: Dialect) -> str:
    words = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
    return dialect.about_column.format(
        table=dialect.table.format(declared.name),
        column=dialect.name.format(column.name),
        table_name=declared.name,
        column_name=column.name,
        words=text_of(words, dialect),
    )
