"""Tables of a lake in DuckDB: the same row by row, whatever was there before and whoever is killed when."""

import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from coinbase_insights.cli_publish import PublishedTable
from coinbase_insights.errors import DamagedError, LockedError, StorageError, UsageError
from coinbase_insights.lake.build import build
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.repair import set_aside
from coinbase_insights.lake.step import Progress
from coinbase_insights.lake.tables import BARS, BUILT, INSIGHTS
from coinbase_insights.message import Item
from coinbase_insights.warehouse.address import Address
from coinbase_insights.warehouse.duckdb import DuckDB
from coinbase_insights.warehouse.publish import TABLES, Sent, publish
from coinbase_insights.warehouse.statements import create, in_warehouse
from lakes import lake_of
from warehouses import (
    EVERY_KIND,
    EXTREMES,
    Ask,
    assert_same_as_lake,
    collect_more,
    command,
    publisher,
    whole,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.duckdb"


@pytest.fixture
def address(file: Path) -> Address:
    return Address.parse(f"duckdb:///{file}")


@pytest.fixture
def ask(file: Path) -> Ask:
    def answer(query: str) -> pa.Table:
        with duckdb.connect(str(file)) as connection:
            return connection.sql(query).to_arrow_table()

    return answer


def run(file: Path, statement: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(statement)


def test_every_table_is_that_of_the_lake_row_by_row(built: str, address: Address, ask: Ask) -> None:
    sent = publish(built, address, at_once=100)

    assert_same_as_lake(built, ask)
    assert [(each.name, each.rows) for each in sent] == [(each.name, len(whole(built, each))) for each in TABLES]
    assert all(each.rows for each in sent)


def test_published_twice_nothing_changes(built: str, address: Address, ask: Ask) -> None:
    publish(built, address)
    before = ask("select * from published").to_pylist()

    sent = publish(built, address)

    assert [(each.rows, each.is_replaced) for each in sent] == [(0, False)] * len(TABLES)
    assert ask("select * from published").to_pylist() == before
    assert_same_as_lake(built, ask)


def test_what_was_built_since_comes_behind_what_is_there(
    walk: list[Item], tmp_path: Path, address: Address, ask: Ask
) -> None:
    lake = lake_of(tmp_path / "lake", walk[:1500])
    build(lake, "ticker", "tilt")
    publish(lake, address)
    run(Path(address.target), "update bars set quotes = -1 where row = 0")
    collect_more(lake, walk[1500:])
    build(lake, "ticker", "tilt")

    sent = publish(lake, address, at_once=300)

    assert all(each.rows and not each.is_replaced for each in sent)
    assert ask("select quotes from bars where row = 0").to_pylist() == [{"quotes": -1}]  # It was not sent again.
    run(Path(address.target), f"update bars set quotes = {whole(lake, BARS)['quotes'][0]} where row = 0")
    assert_same_as_lake(lake, ask)


def test_a_lake_that_was_built_anew_takes_the_place_of_the_old_rows(
    built: str, tmp_path: Path, address: Address, ask: Ask
) -> None:
    lake = str(shutil.copytree(built, tmp_path / "lake"))
    publish(lake, address)
    list(set_aside(lake, BUILT))
    build(lake, "ticker", "trend")

    sent = publish(lake, address, at_once=100)

    assert all(each.is_replaced for each in sent)
    assert_same_as_lake(lake, ask)


def test_a_lake_without_a_row_takes_the_place_of_the_old_rows(
    built: str, walk: list[Item], tmp_path: Path, address: Address, ask: Ask
) -> None:
    publish(built, address)
    empty = lake_of(tmp_path / "lake", walk[:2])
    build(empty, "ticker", "tilt")

    publish(empty, address)

    assert_same_as_lake(empty, ask)
    assert ask("select count(*) n from bars").to_pylist() == [{"n": 0}]


@pytest.mark.parametrize(
    "statement",
    ["delete from bars where row > 100", "delete from bars where row = 7", "drop table bars", "delete from bars"],
)
def test_rows_that_somebody_has_removed_come_back(
    statement: str, built: str, file: Path, address: Address, ask: Ask
) -> None:
    publish(built, address)
    run(file, statement)

    publish(built, address)

    assert_same_as_lake(built, ask)


def test_until_all_rows_are_there_that_take_the_place_of_others_the_old_ones_are_read(
    built: str, file: Path, address: Address, ask: Ask
) -> None:
    publish(built, address, [BARS])
    run(file, "delete from bars where row = 7")
    seen = list[Progress]()

    def break_off(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 3:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        publish(built, address, [BARS], break_off, at_once=50)

    assert len(ask("select * from bars")) == len(whole(built, BARS)) - 1
    assert publish(built, address, [BARS], at_once=50) == [Sent("bars", len(whole(built, BARS)), True)]
    assert_same_as_lake(built, ask, [BARS])


def test_a_column_that_is_new_is_added_and_one_that_is_not_ours_stays(
    built: str, file: Path, address: Address, ask: Ask
) -> None:
    publish(built, address, [BARS])
    run(file, "alter table bars drop column mean")
    run(file, "alter table bars add column mine varchar default 'kept'")

    publish(built, address, [BARS])

    found = ask("select mean, mine from bars").to_pylist()
    comment = ask("select comment from duckdb_columns() where table_name = 'bars' and column_name = 'mean'")
    assert found == [{"mean": None, "mine": "kept"}] * len(whole(built, BARS))
    assert comment.to_pylist() == [{"comment": "arithmetic mean over its quotes (quote currency)"}]


def test_a_column_of_another_type_is_refused_by_name(built: str, file: Path, address: Address) -> None:
    publish(built, address, [BARS])
    run(file, "alter table bars alter column quotes type double")

    with pytest.raises(StorageError, match="The column quotes of bars is DOUBLE there, and should be BIGINT"):
        publish(built, address, [BARS])


def test_a_table_of_somebody_else_is_left_alone(built: str, file: Path, address: Address, ask: Ask) -> None:
    run(file, "create table bars (product_id varchar)")

    with pytest.raises(StorageError, match="a table bars that `publish` has not made"):
        publish(built, address)

    assert ask("select * from bars").column_names == ["product_id"]


def test_killed_again_and_again_in_the_middle_it_ends_with_the_same_rows(
    built: str, file: Path, address: Address, ask: Ask
) -> None:
    for chunks in (1, 30, 60):
        with publisher(built, f"duckdb:///{file}") as process:
            assert process.stdout is not None
            for _ in range(chunks):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)

    sent = publish(built, address)

    assert not any(each.is_replaced for each in sent)
    assert sent[0].rows < len(whole(built, INSIGHTS))
    assert_same_as_lake(built, ask)


def test_a_damaged_part_is_an_error_and_what_came_before_it_stays(
    built: str, tmp_path: Path, address: Address, ask: Ask
) -> None:
    lake = str(shutil.copytree(built, tmp_path / "lake"))
    table = Delta(lake, INSIGHTS)
    part = table.parts()[1]
    table.place.write(part.name, table.place.read(part.name)[:-1])

    with pytest.raises(DamagedError, match="its bytes have changed"):
        publish(lake, address, at_once=100)

    found = ask("select * from insights order by row")
    assert 0 < len(found) <= part.first
    assert found.cast(whole(built, INSIGHTS).schema).equals(whole(built, INSIGHTS).slice(0, len(found)))
    assert ask("select rows from published where table_name = 'insights'").to_pylist() == [{"rows": len(found)}]


def test_a_file_that_is_open_in_another_program_is_locked(built: str, file: Path, address: Address) -> None:
    holding = f"import duckdb; held = duckdb.connect({str(file)!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with pytest.raises(LockedError, match=f"{file} is open in another program"):
            publish(built, address)
        done = command(built, f"duckdb:///{file}")

        other.communicate("\n")
    assert (done.returncode, "Traceback" in done.stderr) == (5, False)


def test_every_value_arrives_whole(address: Address, ask: Ask) -> None:
    declared = in_warehouse(EVERY_KIND)
    with closing(DuckDB(address)) as warehouse, warehouse.transaction():
        for statement in create(declared, warehouse.dialect):
            warehouse.run(statement)
        warehouse.insert(declared.name, EXTREMES)

    found = ask("select * from every_kind order by row")

    assert found.cast(EXTREMES.schema).equals(EXTREMES)


def test_tables_and_columns_say_what_they_mean(built: str, address: Address, ask: Ask) -> None:
    publish(built, address)

    tables = {each["table_name"]: each["comment"] for each in ask("from duckdb_tables()").to_pylist()}
    columns = {(each["table_name"], each["column_name"]): each for each in ask("from duckdb_columns()").to_pylist()}

    for declared in map(in_warehouse, TABLES):
        assert tables[declared.name] == declared.meaning
        for column in declared.columns:
            found = columns[declared.name, column.name]
            assert found["comment"].startswith(column.meaning)
            assert column.unit in found["comment"]
            assert found["is_nullable"] is column.nullable


def test_the_command_sends_the_tables_that_are_named_and_says_how_many_rows(built: str, file: Path, ask: Ask) -> None:
    done = command(built, f"duckdb:///{file}", "--table", "bars", "--table", "gaps")

    bars, gaps = (f"{len(whole(built, each)):,} new {each.name}" for each in TABLES if each.name in ("bars", "gaps"))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{bars}, {gaps} in duckdb:///{file}\n"
    assert set(ask("select table_name from duckdb_tables()")["table_name"].to_pylist()) == {"published", "bars", "gaps"}


def test_the_command_knows_every_table_that_is_published() -> None:
    assert [each.value for each in PublishedTable] == [declared.name for declared in TABLES]


def test_a_lake_that_is_not_built_makes_no_warehouse(walk: list[Item], tmp_path: Path, file: Path) -> None:
    lake = lake_of(tmp_path / "lake", walk[:10])

    done = command(lake, f"duckdb:///{file}")

    assert (done.returncode, file.exists()) == (4, False)
    assert "It is made by `coinbase_insights build`" in done.stderr


@pytest.mark.parametrize("path", ["{}/none/file.duckdb", "{}"])
def test_a_file_that_cannot_be_made_is_said_in_a_line(path: str, built: str, tmp_path: Path) -> None:
    done = command(built, f"duckdb:///{path.format(tmp_path)}")

    assert (done.returncode, "Traceback" in done.stderr) == (4, False)
    assert done.stderr.splitlines()[1] == "hint: Check the file and its folder; or name another."


@pytest.mark.parametrize(
    "text",
    [
        "file.duckdb",
        "duckdb://file.duckdb",
        "duckdb:///",
        "duckdb:///:memory:",
        "mysql://user:hunter2@host/db",
        "mssql://user:hunter2@host",
        "mssql://user:hun/ter2@host/db",
        "mssql://user:hun@ter2@host/db",
        "mssql://user:hunter2@host,other/db",
        "mssql://user:hunter2@host:port/db",
        "mssql://user:hunter2@host;PWD=hunter2/db",
        "mssql:///db",
        "postgresql://user:hunter2@host",
        "postgresql://user:hunter2@host/",
        "postgresql://user:hun/ter2@host/db",
        "postgresql://user:hun ter2@host/db",
        "postgresql://user:hun@ter2@host/db",
        "postgresql:user:hunter2@host/db",
        "",
    ],
)
def test_a_bad_address_says_what_a_good_one_is_and_no_password(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(text)

    assert caught.value.hint == (
        "Write it as duckdb:///FILE.duckdb, postgresql://USER@HOST/DATABASE or mssql://USER@HOST/DATABASE."
    )
    assert "ter2" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("duckdb:///file.duckdb", "duckdb:///file.duckdb"),
        ("duckdb:////home/me/a b.duckdb", "duckdb:////home/me/a b.duckdb"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgres://user:hunter2@host:5433/db?sslmode=require", "postgresql://user@host:5433/db"),
        ("postgresql:///db?host=/run/postgresql&password=hunter2", "postgresql:///db"),
        ("postgresql://user:hunter%32@[::1]:5432,other/db", "postgresql://user@[::1]:5432,other/db"),
        ("mssql://user:hunter%32@host:1433/db?Encrypt=strict", "mssql://user@host:1433/db"),
    ],
)
def test_an_address_is_shown_without_its_password(text: str, shown: str) -> None:
    address = Address.parse(text)

    assert address.shown == shown
    assert "unter" not in address.without_secrets(text) or not address.secrets


def test_a_password_that_stands_in_words_by_chance_is_not_told_by_where_they_are_broken() -> None:
    said = "connection to server failed: password authentication failed"
    short, long = (Address.parse(f"postgresql://user:{password}@host/db") for password in ("ion", "server"))

    assert "ion to" not in short.without_secrets(said)
    assert "*" not in short.without_secrets(said)
    assert long.without_secrets(said) == "connection to *** failed: password authentication failed"
