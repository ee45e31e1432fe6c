"""What Microsoft's SQL Server, Azure SQL and the SQL database of Fabric are told, in their T-SQL. Pure.

Its source is learn.microsoft.com/sql/t-sql; none of it has met a server in our tests, only a parser.
"""

from collections.abc import Iterator, Mapping, Sequence

from ..lake.tables import PRICE, SIZE
from .server import SCHEMA
from .statements import Dialect, names_of, text_of

_ABOUT = (
    "execute sys.sp_addextendedproperty @name = N'MS_Description', @value = {words}, "
    f"@level0type = N'SCHEMA', @level0name = N'{SCHEMA}', @level1type = N'TABLE', @level1name = N'{{table_name}}'"
)
TSQL = Dialect(
    types={
        "text": "nvarchar(max)",
        "name": "nvarchar(400)",
        "whole": "bigint",
        "small": "smallint",
        "real": "float",
        "price": f"decimal({PRICE[0]},{PRICE[1]})",
        "size": f"decimal({SIZE[0]},{SIZE[1]})",
        "time": "datetimeoffset(6)",
        "truth": "bit",
    },
    indexed=True,
    name="[{}]",
    table=f"[{SCHEMA}].[{{}}]",
    text="N'{}'",
    row_count="count_big(*)",
    add="add",
    make_index="create index [product_and_time] on {table} ({columns})",
    about_table=_ABOUT,
    about_column=_ABOUT + ", @level2type = N'COLUMN', @level2name = N'{column_name}'",
)
"""An index holds 1,700 bytes of a row at most, hence the length of a name; a longer one is refused, and never cut."""
PATIENCE = 5_000
"""For how many ms a publisher waits for the lock: a server takes a moment to see that another was killed."""
LOCK = (
    f"execute sys.sp_getapplock @Resource = N'{SCHEMA}', @LockMode = N'Exclusive', @LockOwner = N'Session', "
    f"@LockTimeout = {PATIENCE}"
)
LOCKED = f"select applock_mode(N'public', N'{SCHEMA}', N'Session')"
"""Says `Exclusive` if the lock is ours; to wait for it in vain is no error to the server."""
FIND_SCHEMA = f"select 1 from sys.schemas where name = N'{SCHEMA}'"
CREATE_SCHEMA = f"create schema [{SCHEMA}]"
STAGED = f"{SCHEMA}.staged"
"""Where rows wait that came by bulk copy, which has a connection and so a transaction of its own."""
DROP_STAGED = f"drop table if exists {STAGED}"


def columns_of(table: str) -> str:
    """Ask for the columns of a table, and their types as we spell them."""
    return (
        "select c.name, case"
        " when t.name = N'decimal' then concat(t.name, N'(', c.precision, N',', c.scale, N')')"
        " when t.name = N'datetimeoffset' then concat(t.name, N'(', c.scale, N')')"
        " when t.name = N'nvarchar' and c.max_length = -1 then N'nvarchar(max)'"
        " when t.name = N'nvarchar' then concat(t.name, N'(', c.max_length / 2, N')')"
        " else t.name end"
        " from sys.columns as c join sys.types as t on t.user_type_id = c.user_type_id"
        f" where c.object_id = object_id({text_of(TSQL.table.format(table), TSQL)})"
    )


def stage(columns: Mapping[str, str]) -> Iterator[str]:
    """Make the table anew where rows of these columns, with their types, are to wait."""
    yield DROP_STAGED
    yield f"create table {STAGED} ({', '.join(f'[{name}] {kind} null' for name, kind in columns.items())})"


def take(table: str, columns: Sequence[str]) -> Iterator[str]:
    """Move the rows that wait into their table."""
    names = names_of(columns, TSQL)
    yield f"insert into {TSQL.table.format(table)} ({names}) select {names} from {STAGED}"
    yield f"drop table {STAGED}"


def insert_row(table: str, columns: Sequence[str]) -> str:
    """Add one row, whose values take the places of the question marks."""
    places = ", ".join("?" * len(columns))
    return f"insert into {TSQL.table.format(table)} ({names_of(columns, TSQL)}) values ({places})"
