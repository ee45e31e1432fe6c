"""What a warehouse should hold of a lake, and ways to break off a publisher."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.tables import Column, Table, schema
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item
from coinbase_insights.warehouse.publish import TABLES, numbered

Ask = Callable[[str], pa.Table]
"""Gives the answer of a warehouse to a query."""


def whole(lake: str, declared: Table) -> pa.Table:
    """All rows of a table of the lake, numbered."""
    table = Delta(lake, declared)
    return numbered(pa.concat_tables([schema(declared).empty_table(), *table.rows(0, table.landed(declared.name))]), 0)


def assert_same_as_lake(lake: str, ask: Ask, tables: Sequence[Table] = TABLES) -> None:
    """Every row equals that of the lake, bit for bit, and the note says how many there are."""
    for declared in tables:
        expected = whole(lake, declared)
        names = ", ".join(f'"{name}"' for name in expected.column_names)
        found = ask(f'select {names} from {declared.name} order by "row"')
        note = ask(f"select lake_table, rows from published where table_name = '{declared.name}'").to_pylist()
        assert found.cast(expected.schema).equals(expected), declared.name
        assert note == [{"lake_table": Delta(lake, declared).id, "rows": len(expected)}]


def collect_more(lake: str, items: list[Item]) -> None:
    """Bring more items into raw, as a service that goes on would."""
    folder = Path(lake)
    journal = Segments(folder / "journal")
    for item in items:
        journal.write(item)
    journal.sync()
    Landing(Raw(lake), folder / "journal").land(journal.durable)
    journal.close()


KILLED = """
import sys
from coinbase_insights.warehouse.address import Address
from coinbase_insights.warehouse.publish import publish
publish(sys.argv[1], Address.parse(sys.argv[2]), tell=lambda progress: print(progress.done, flush=True), at_once=20)
"""


def publisher(lake: str, to: str) -> subprocess.Popen[str]:
    """A publisher of small chunks, which writes a line after each."""
    command = [sys.executable, "-c", KILLED, lake, to]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def command(lake: str, to: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a person types it."""
    typed = [sys.executable, "-m", "coinbase_insights", "publish", lake, "--to", to, *words]
    return subprocess.run(typed, capture_output=True, text=True, check=False)


EVERY_KIND = Table(
    "every_kind",
    "It's a table with a column of each kind.",
    (
        Column("text", "text", "", "it's a text", True),
        Column("name", "name", "", "a name", True),
        Column("end", "whole", "", "a whole number, under a word of SQL", True),
        Column("small", "small", "ns", "a small one", True),
        Column("real", "real", "s", "a real one", True),
        Column("price", "price", "quote currency", "an exact price", True),
        Column("size", "size", "base currency", "an exact size", True),
        Column("time", "time", "UTC, microseconds", "a time", True),
        Column("truth", "truth", "", "whether it is", True),
    ),
)
EXTREMES = numbered(
    pa.table(
        [
            ["", "\\N'\t\r\n\U0001f600", None],
            ["ETH-USD", "é", None],
            [2**63 - 1, -(2**63), None],
            pa.array([32_767, -32_768, None], pa.int16()),
            [5e-324, -1.7976931348623157e308, None],
            pa.array([Decimal("999999999999.9999999999"), Decimal("0.0000000001"), None], pa.decimal128(22, 10)),
            pa.array([Decimal("999999999999999999.99999999"), Decimal("0"), None], pa.decimal128(26, 8)),
            pa.array(
                [
                    datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
                    datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
                    None,
                ],
                pa.timestamp("us", "UTC"),
            ),
            [True, False, None],
        ],
        schema=schema(EVERY_KIND),
    ),
    0,
)
"""Values at the ends of what each kind holds, and null."""
