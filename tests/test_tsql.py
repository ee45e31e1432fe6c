"""What SQL Server is told: word for word, and as a parser of T-SQL reads it. No server of it runs here."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from coinbase_insights.errors import StorageError, UsageError
from coinbase_insights.lake.build import build
from coinbase_insights.lake.tables import GAPS, Table
from coinbase_insights.warehouse import tsql
from coinbase_insights.warehouse.address import Address
from coinbase_insights.warehouse.publish import TABLES
from coinbase_insights.warehouse.statements import (
    PUBLISHED,
    create,
    in_warehouse,
    migrate,
    note_of,
    remove_note,
    remove_rows,
    rows_of,
)
from coinbase_insights.warehouse.tsql import TSQL
from lakes import lake_of, long_walk
from warehouses import EVERY_KIND, command

MADE = [PUBLISHED, *map(in_warehouse, (*TABLES, EVERY_KIND))]
ABOUT_GAPS = (
    "@level0type = N'SCHEMA', @level0name = N'coinbase_insights', @level1type = N'TABLE', @level1name = N'gaps'"
)


def columns_of(declared: Table) -> dict[str, str]:
    return {each.name: TSQL.types[each.kind] for each in declared.columns}


def every_statement() -> Iterator[str]:
    yield from (tsql.LOCK, tsql.LOCKED, tsql.FIND_SCHEMA, tsql.CREATE_SCHEMA, tsql.DROP_STAGED)
    for declared in MADE:
        columns = columns_of(declared)
        yield from create(declared, TSQL)
        yield from migrate(declared, TSQL, {})
        yield from (make(declared.name, TSQL) for make in (remove_rows, rows_of, note_of, remove_note))
        yield tsql.columns_of(declared.name)
        yield from tsql.stage(columns)
        yield from tsql.take(declared.name, list(columns))
        yield tsql.insert_row(declared.name, list(columns))


def parsed(statement: str) -> exp.Expr:
    """The one statement that a text is; what the parser does not know it takes for a Command, and says nothing."""
    (tree,) = sqlglot.parse(statement, dialect="tsql")
    assert tree is not None
    assert not isinstance(tree, exp.Alias)
    assert tree.find(exp.Command) is None, statement
    return tree


def test_a_table_is_made_with_its_key_its_words_and_its_index() -> None:
    made = list(create(in_warehouse(GAPS), TSQL))

    assert made[0] == (
        "create table [coinbase_insights].[gaps] ([row] bigint primary key, [connection] bigint, "
        "[product_id] nvarchar(400) not null, [start] datetimeoffset(6) not null, [end] datetimeoffset(6), "
        "[cause] nvarchar(400) not null, [messages] bigint)"
    )
    assert made[1] == (
        "execute sys.sp_addextendedproperty @name = N'MS_Description', "
        f"@value = N'Stretches of time without data that are over, and why.', {ABOUT_GAPS}"
    )
    assert made[2] == (
        "execute sys.sp_addextendedproperty @name = N'MS_Description', "
        f"@value = N'place of the row in the lake''s table, counted from 0', {ABOUT_GAPS}, "
        "@level2type = N'COLUMN', @level2name = N'row'"
    )
    assert made[-1] == "create index [product_and_time] on [coinbase_insights].[gaps] ([product_id], [start])"
    assert len(made) == 3 + len(in_warehouse(GAPS).columns)


def test_a_column_that_is_new_is_added_with_its_words() -> None:
    there = {name: kind for name, kind in columns_of(in_warehouse(GAPS)).items() if name != "end"}

    assert list(migrate(in_warehouse(GAPS), TSQL, there)) == [
        "alter table [coinbase_insights].[gaps] add [end] datetimeoffset(6)",
        "execute sys.sp_addextendedproperty @name = N'MS_Description', "
        f"@value = N'when we had something again; null if rows are damaged (UTC, microseconds)', {ABOUT_GAPS}, "
        "@level2type = N'COLUMN', @level2name = N'end'",
    ]


def test_a_column_of_another_type_is_refused_by_name() -> None:
    there = columns_of(in_warehouse(GAPS)) | {"messages": "int"}

    with pytest.raises(StorageError, match="The column messages of gaps is int there, and should be bigint"):
        list(migrate(in_warehouse(GAPS), TSQL, there))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (remove_rows("gaps", TSQL), "delete from [coinbase_insights].[gaps]"),
        (rows_of("gaps", TSQL), "select count_big(*), max([row]) from [coinbase_insights].[gaps]"),
        (
            note_of("gaps", TSQL),
            "select [lake_table], [rows] from [coinbase_insights].[published] where [table_name] = N'gaps'",
        ),
        (remove_note("gaps", TSQL), "delete from [coinbase_insights].[published] where [table_name] = N'gaps'"),
        (
            tsql.insert_row("gaps", ["row", "end"]),
            "insert into [coinbase_insights].[gaps] ([row], [end]) values (?, ?)",
        ),
        (
            tsql.LOCK,
            "execute sys.sp_getapplock @Resource = N'coinbase_insights', @LockMode = N'Exclusive', "
            "@LockOwner = N'Session', @LockTimeout = 5000",
        ),
        (tsql.LOCKED, "select applock_mode(N'public', N'coinbase_insights', N'Session')"),
        (tsql.CREATE_SCHEMA, "create schema [coinbase_insights]"),
    ],
)
def test_each_statement_is_this(statement: str, expected: str) -> None:
    assert statement == expected


def test_rows_of_a_bulk_copy_wait_in_a_table_that_is_made_for_them_and_goes_with_them() -> None:
    assert [*tsql.stage({"row": "bigint", "end": "datetimeoffset(6)"}), *tsql.take("gaps", ["row", "end"])] == [
        "drop table if exists coinbase_insights.staged",
        "create table coinbase_insights.staged ([row] bigint null, [end] datetimeoffset(6) null)",
        "insert into [coinbase_insights].[gaps] ([row], [end]) select [row], [end] from coinbase_insights.staged",
        "drop table coinbase_insights.staged",
    ]


def test_every_statement_is_one_that_a_parser_of_t_sql_knows() -> None:
    kinds = {type(parsed(each)) for each in every_statement()}

    assert kinds == {exp.Create, exp.Execute, exp.Alter, exp.Drop, exp.Delete, exp.Insert, exp.Select}


def test_what_the_parser_does_not_know_is_noticed() -> None:
    with pytest.raises(AssertionError):
        parsed("create tabel [gaps] ([row] bigint)")


@pytest.mark.parametrize("declared", MADE, ids=lambda each: each.name)
def test_the_parser_reads_the_columns_that_are_declared(declared: Table) -> None:
    tree = parsed(next(create(declared, TSQL)))
    (key, *_), columns = declared.columns, list(tree.find_all(exp.ColumnDef))

    assert [each.name for each in columns] == [each.name for each in declared.columns]
    assert columns[0].find(exp.PrimaryKeyColumnConstraint) is not None
    assert [each.find(exp.NotNullColumnConstraint) is None for each in columns[1:]] == [
        each.nullable for each in declared.columns if each is not key
    ]
    for column, kind in zip(columns, columns_of(declared).values(), strict=True):
        assert column.kind == exp.DataType.build(kind, dialect="tsql")


def test_decimals_and_index_keys_fit_into_what_the_server_can_hold() -> None:
    decimals = [exp.DataType.build(TSQL.types[kind], dialect="tsql") for kind in ("price", "size")]
    name = exp.DataType.build(TSQL.types["name"], dialect="tsql")

    assert all(int(each.expressions[0].name) <= 38 for each in decimals)
    assert 2 * int(name.expressions[0].name) + 10 <= 1700


@pytest.mark.parametrize(
    ("text", "shown", "target"),
    [
        (
            "mssql://user:hunter%7D%3B2@db.example:1444/market",
            "mssql://user@db.example:1444/market",
            "Server={tcp:db.example,1444};Database={market};UID={user};"
            "ConnectRetryCount={0};Encrypt={yes};TrustServerCertificate={no};PWD={hunter}};2}",
        ),
        (
            "mssql://db.example/market?authentication=ActiveDirectoryMSI",
            "mssql://db.example/market",
            "Server={tcp:db.example,1433};Database={market};"
            "ConnectRetryCount={0};Encrypt={yes};TrustServerCertificate={no};Authentication={ActiveDirectoryMSI}",
        ),
        (
            "mssql://user@db.example/my%20market?Encrypt=strict&HostnameInCertificate=other.example",
            "mssql://user@db.example/my%20market",
            "Server={tcp:db.example,1433};Database={my market};UID={user};"
            "ConnectRetryCount={0};Encrypt={strict};TrustServerCertificate={no};HostnameInCertificate={other.example}",
        ),
    ],
)
def test_an_address_becomes_a_connection_string_which_demands_tls(text: str, shown: str, target: str) -> None:
    address = Address.parse(text)

    assert (address.scheme, address.shown, address.target) == ("mssql", shown, target)
    assert "unter" not in address.without_secrets(text + target)


@pytest.mark.parametrize(
    "more", ["PWD=hunter2", "Server=other", "Encrypt", "Encrypt=", "Encrypt=no&encrypt=yes", "a=b&"]
)
def test_a_parameter_that_is_not_known_is_refused_without_its_value(more: str) -> None:
    with pytest.raises(UsageError, match=r"a parameter that is unknown, empty or there twice\.") as caught:
        Address.parse(f"mssql://user:hunter2@host/db?{more}")

    assert "unter" not in caught.value.message + caught.value.hint


def test_a_password_that_the_address_has_comes_before_that_of_the_environment() -> None:
    without, with_one = Address.parse("mssql://user@host/db"), Address.parse("mssql://user:hunter2@host/db")

    assert without.with_password("hunter3").target == f"{without.target};PWD={{hunter3}}"
    assert without.with_password("hunter3").without_secrets("hunter3") == "***"
    assert with_one.with_password("hunter3") == with_one


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> str:
    lake = lake_of(tmp_path_factory.mktemp("built"), long_walk(0.1))
    build(lake, "ticker", "tilt")
    return lake


def test_a_server_that_is_not_there_is_said_in_a_line_without_the_password(built: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{probe.getsockname()[1]}"

        done = command(built, f"mssql://user:hunter2@{closed}/db")

    said, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (4, "")
    assert said.startswith(f"error: mssql://user@{closed}/db cannot be used: ")
    assert hint.startswith("hint: Check that it is up, and the address")
    assert "unter" not in done.stderr


def test_where_the_library_is_missing_a_line_says_what_to_install(built: str, tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['mssql_python'] = None; from coinbase_insights.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", hidden, "publish", built, "--to", "mssql://user:hunter2@host/db"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: publish needs more than the core: mssql_python is not installed.",
        "hint: In a clone of the repository: pip install '.[lake,mssql]'",
    ]
