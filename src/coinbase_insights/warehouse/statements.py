"""Statements made of the one declaration of columns (lake/tables.py), in the SQL that all warehouses share. Pure.

They hold our own names and words only: no value is ever written into a statement.
"""

from collections.abc import Iterator, Mapping

from ..errors import StorageError
from ..lake.tables import Column, Kind, Table

Types = Mapping[Kind, str]
"""How a warehouse spells the type of each kind of column."""
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


def create(declared: Table, types: Types, indexed: bool) -> Iterator[str]:
    """Make a table, with what it and its columns mean; `indexed` by its key, and by product and time if it has them."""
    name, (key, *others) = quoted(declared.name), declared.columns
    columns = [
        f"{quoted(key.name)} {types[key.kind]} {'primary key' if indexed else 'not null'}",
        *(f"{quoted(each.name)} {types[each.kind]}{'' if each.nullable else ' not null'}" for each in others),
    ]
    yield f"create table {name} ({', '.join(columns)})"
    yield f"comment on table {name} is {_text(declared.meaning)}"
    yield from (_comment(declared, each) for each in declared.columns)
    times = [each.name for each in others if each.kind == "time"]
    if indexed and times and any(each.name == "product_id" for each in others):
        yield f"create index on {name} (product_id, {quoted(times[0])})"


def migrate(declared: Table, types: Types, there: Mapping[str, str]) -> Iterator[str]:
    """Add the columns that are declared now and not there; what only is there stays. Raises StorageError.

    `there` has the type of each column that is there. Rows from before have null in a new column.
    """
    for column in declared.columns:
        found = there.get(column.name)
        if found is None:
            yield f"alter table {quoted(declared.name)} add column {quoted(column.name)} {types[column.kind]}"
            yield _comment(declared, column)
        elif found != types[column.kind]:
            raise StorageError(
                f"The column {column.name} of {declared.name} is {found} there, and should be {types[column.kind]}.",
                f"Rename that table, or drop it: then `publish` makes {declared.name} anew.",
            )


def remove_rows(table: str) -> str:
    """Remove all rows of a table."""
    return f"delete from {quoted(table)}"


def rows_of(table: str) -> str:
    """Ask how many rows a table has, and for the place of the last."""
    return f"select count(*), max({quoted(ROW.name)}) from {quoted(table)}"


def note_of(table: str) -> str:
    """Ask of which of the lake's tables a table was published, and how many rows of it."""
    return f"select lake_table, rows from {PUBLISHED.name} where table_name = {_text(table)}"


def remove_note(table: str) -> str:
    """Remove what is noted of a table."""
    return f"delete from {PUBLISHED.name} where table_name = {_text(table)}"


def _comment(declared: Table, column: Column) -> str:
    words = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
    return f"comment on column {quoted(declared.name)}.{quoted(column.name)} is {_text(words)}"


def quoted(name: str) -> str:
    """Write a declared name so that no word of SQL is in its way, such as `end`."""
    return f'"{name}"'


def _text(words: str) -> str:
    doubled = words.replace("'", "''")
    return f"'{doubled}'"
