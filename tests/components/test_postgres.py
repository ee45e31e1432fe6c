"""Tables of a lake in PostgreSQL: the same row by row, with the server stopped, and publishers killed and met."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from secrets import token_hex

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pytest

from coinbase_insights.errors import LockedError, StorageError
from coinbase_insights.lake.build import build
from coinbase_insights.lake.repair import set_aside
from coinbase_insights.lake.tables import BARS, BUILT, INSIGHTS
from coinbase_insights.message import Item
from coinbase_insights.warehouse.address import Address
from coinbase_insights.warehouse.postgres import Postgres
from coinbase_insights.warehouse.publish import TABLES, publish
from coinbase_insights.warehouse.statements import create, in_warehouse
from lakes import lake_of
from postgres import FOLDERS, Server, run_at
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

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not FOLDERS:
        assert os.environ.get("CI") != "true", "there is no PostgreSQL"
        pytest.skip("there is no PostgreSQL: on Debian and Ubuntu, sudo apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:  # Not that of pytest, which is root's alone.
        found = Server(Path(folder))
        found.start()
        yield found
        found.stop()


Run = Callable[[str], None]


@pytest.fixture
def to(server: Server) -> str:
    """The address of a database of its own."""
    name = f"test_{token_hex(4)}"
    run_at(server.address("postgres"), f"create database {name}")
    return server.address(name)


@pytest.fixture
def ask(to: str) -> Ask:
    def answer(query: str) -> pa.Table:
        with adbc.connect(to) as connection, connection.cursor() as cursor:
            cursor.execute("set search_path = coinbase_insights")
            cursor.execute(query)
            return cursor.fetch_arrow_table()

    return answer


@pytest.fixture
def run(to: str) -> Run:
    return lambda statement: run_at(to, statement)


def test_on_azure_an_administrator_may_let_analysts_read_what_the_app_has_made(built: str, to: str, run: Run) -> None:
    name = to.rpartition("/")[2]
    for role in ("azure_pg_admin nologin", "app login", "person login", "analyst login"):
        run(f"create role {role}")
    run("grant azure_pg_admin to app, person")
    run(f"grant create on database {name} to app")

    publish(built, Address.parse(to.replace("postgres@", "app@")))
    person = to.replace("postgres@", "person@")
    run_at(person, "grant usage on schema coinbase_insights to analyst")
    run_at(person, "grant select on all tables in schema coinbase_insights to analyst")

    with adbc.connect(to.replace("postgres@", "analyst@")) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from coinbase_insights.bars")
        assert cursor.fetchone() > (100,)
    run("drop schema coinbase_insights cascade")
    for role in ("analyst", "person", "app", "azure_pg_admin"):
        run(f"drop owned by {role} cascade")
        run(f"drop role {role}")


def test_every_table_is_that_of_the_lake_row_by_row_and_twice_changes_nothing(built: str, to: str, ask: Ask) -> None:
    sent = publish(built, Address.parse(to), at_once=100)
    before = ask("select * from published order by table_name")

    again = publish(built, Address.parse(to))

    assert [(each.name, each.rows) for each in sent] == [(each.name, len(whole(built, each))) for each in TABLES]
    assert [(each.rows, each.is_replaced) for each in again] == [(0, False)] * len(TABLES)
    assert ask("select * from published order by table_name").equals(before)
    assert_same_as_lake(built, ask)


def test_what_was_built_since_comes_behind_what_is_there(
    walk: list[Item], tmp_path: Path, to: str, ask: Ask, run: Run
) -> None:
    lake = lake_of(tmp_path / "lake", walk[:1500])
    build(lake, "ticker", "tilt")
    publish(lake, Address.parse(to))
    run("create table old as select xmin::text::bigint as writer, row from coinbase_insights.bars")
    collect_more(lake, walk[1500:])
    build(lake, "ticker", "tilt")

    publish(lake, Address.parse(to), at_once=300)

    assert_same_as_lake(lake, ask)
    joined = "select 1 from public.old left join bars on bars.row = old.row"
    assert len(ask(f"{joined} where writer is distinct from bars.xmin::text::bigint")) == 0


def test_whoever_looks_while_rows_are_replaced_sees_all_of_the_old_or_all_of_the_new(
    built: str, tmp_path: Path, to: str, ask: Ask, run: Run
) -> None:
    lake = str(shutil.copytree(built, tmp_path / "lake"))
    publish(lake, Address.parse(to))
    before = len(whole(lake, INSIGHTS))
    list(set_aside(lake, BUILT))
    build(lake, "ticker", "trend")
    run("create view public.seen as select * from coinbase_insights.insights")
    seen = set[tuple[int, int]]()

    with publisher(lake, to) as process:
        while process.poll() is None:
            (both,) = ask(
                "select count(*) as there, (select rows from published where table_name = 'insights') as noted "
                "from insights"
            ).to_pylist()
            seen.add((both["there"], both["noted"]))

    assert seen <= {(rows, rows) for rows in (before, len(whole(lake, INSIGHTS)))}
    assert len(ask("select 1 from public.seen")) == len(whole(lake, INSIGHTS))
    assert_same_as_lake(lake, ask)


def test_killed_again_and_again_in_the_middle_it_ends_with_the_same_rows(built: str, to: str, ask: Ask) -> None:
    for chunks in (1, 30, 60):
        with publisher(built, to) as process:
            assert process.stdout is not None
            for _ in range(chunks):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)

    sent = publish(built, Address.parse(to))

    assert not any(each.is_replaced for each in sent)
    assert sent[0].rows < len(whole(built, INSIGHTS))
    assert_same_as_lake(built, ask)


def test_killed_again_and_again_while_rows_are_replaced_the_old_ones_stay_until_the_end(
    built: str, to: str, ask: Ask, run: Run
) -> None:
    publish(built, Address.parse(to))
    run("delete from coinbase_insights.insights where row = 7")
    for _ in range(2):
        with publisher(built, to) as process:
            assert process.stdout is not None
            for _ in range(20):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert len(ask("select row from insights")) == len(whole(built, INSIGHTS)) - 1

    sent = publish(built, Address.parse(to), at_once=1000)

    assert [each.is_replaced for each in sent] == [True, False, False, False]
    assert_same_as_lake(built, ask)


def test_a_server_that_crashes_in_the_middle_is_an_error_and_the_next_publisher_goes_on(
    built: str, server: Server, to: str, ask: Ask
) -> None:
    with publisher(built, to) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(20):
            assert process.stdout.readline()
        server.stop()
        said = process.stderr.read()
    server.start()

    sent = publish(built, Address.parse(to))

    assert "StorageError" in said
    assert 0 < sent[0].rows < len(whole(built, INSIGHTS))
    assert_same_as_lake(built, ask)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_publisher_at_a_time_and_a_lost_server_ends_with_what_to_type(
    built: str, server: Server, to: str, ask: Ask
) -> None:
    publish(built, Address.parse(to), [BARS])
    waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%bars%'"
    typed = [sys.executable, "-m", "coinbase_insights", "publish", built, "--to", to]
    with adbc.connect(to) as holding, holding.cursor() as cursor:
        cursor.execute("lock table coinbase_insights.bars")
        with subprocess.Popen(typed, stderr=subprocess.PIPE, text=True) as first:
            wait_until(lambda: len(ask(waits)) > 0)
            second = command(built, to)
            server.stop()
            _, said = first.communicate()
    server.start()

    third = command(built, to)

    assert (second.returncode, second.stderr.splitlines()[0]) == (5, f"error: Another process publishes to {to}.")
    assert (first.returncode, third.returncode) == (4, 0)
    assert said.splitlines()[-1].startswith("hint: Check that it is up")
    assert "publish again: it goes on where it ended" in said
    assert_same_as_lake(built, ask)


def test_a_second_publisher_is_refused(built: str, to: str) -> None:
    with closing(Postgres(Address.parse(to))), pytest.raises(LockedError, match=f"Another process publishes to {to}"):
        publish(built, Address.parse(to))


def test_a_password_is_taken_from_the_environment_and_never_shown(
    built: str, server: Server, to: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create role guarded login password 'right-secret'")
    run("create schema coinbase_insights authorization guarded")  # It may not make one.
    guarded = to.replace("postgres@", "guarded@")

    wrong = command(built, guarded.replace("@", ":wrong-secret@"))
    away = command(built, guarded.replace("@", ":wrong-secret@").replace(f":{server.port}", ":1"))
    monkeypatch.setenv("PGPASSWORD", "right-secret")
    right = command(built, guarded)

    assert (wrong.returncode, away.returncode, right.returncode) == (4, 4, 0)
    assert f"{guarded} cannot be used: Failed to connect: connection to server" in wrong.stderr
    assert 'password authentication failed for user "guarded"' in wrong.stderr
    assert "secret" not in wrong.stderr + away.stderr + right.stderr


def test_every_value_arrives_whole(to: str, ask: Ask) -> None:
    declared = in_warehouse(EVERY_KIND)
    with closing(Postgres(Address.parse(to))) as warehouse, warehouse.transaction():
        for statement in create(declared, warehouse.dialect):
            warehouse.run(statement)
        warehouse.insert(declared.name, EXTREMES)

    found = ask("select * from every_kind order by row")
    decimals = ask("select price::text as price, size::text as size from every_kind order by row").to_pydict()

    others = [name for name in EXTREMES.column_names if name not in decimals]
    assert found.select(others).cast(EXTREMES.select(others).schema).equals(EXTREMES.select(others))
    for name, texts in decimals.items():
        assert texts == [None if value is None else f"{value:f}" for value in EXTREMES[name].to_pylist()]


def test_tables_have_keys_indices_and_words(built: str, to: str, ask: Ask) -> None:
    publish(built, Address.parse(to))

    indices = ask("select indexdef from pg_indexes where schemaname = 'coinbase_insights'")["indexdef"].to_pylist()
    for declared in map(in_warehouse, TABLES):
        about = f"'coinbase_insights.{declared.name}'::regclass"
        assert sum(f"coinbase_insights.{declared.name} " in each for each in indices) == 2
        assert any(f"{declared.name} USING btree (product_id, " in each for each in indices)
        assert ask(f"select obj_description({about}) as words").to_pylist() == [{"words": declared.meaning}]
        columns = ask(
            f"select attname::text as name, attnotnull as needed, col_description({about}, attnum) as words "
            f"from pg_attribute where attrelid = {about} and attnum > 0 order by attnum"
        ).to_pylist()
        for column, found in zip(declared.columns, columns, strict=True):
            assert (found["name"], found["needed"]) == (column.name, not column.nullable)
            assert found["words"].startswith(column.meaning)


def test_a_column_that_is_new_is_added_and_one_of_another_type_is_refused(
    built: str, to: str, ask: Ask, run: Run
) -> None:
    publish(built, Address.parse(to), [BARS])
    run("alter table coinbase_insights.bars drop column mean, add column mine text default 'kept'")

    publish(built, Address.parse(to), [BARS])

    assert ask("select distinct mean, mine from bars").to_pylist() == [{"mean": None, "mine": "kept"}]
    run("alter table coinbase_insights.bars alter column quotes type numeric")
    with pytest.raises(StorageError, match="quotes of bars is numeric there, and should be bigint"):
        publish(built, Address.parse(to), [BARS])
