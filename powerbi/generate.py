"""Write the tables of the Power BI model from the lake's declarations, so that no name, type or meaning can drift.

    python powerbi/generate.py            write what has changed
    python powerbi/generate.py --check    write nothing; show what is stale, and exit with 1 if anything is

Columns come from lake/tables.py, measures from powerbi/measures.toml. What stands beside them in the model (parameters,
relationships, `products`, `dates`) and the pages of the report are written by people, and left alone.
"""

import difflib
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from coinbase_insights.lake import tables
from coinbase_insights.lake.tables import Column, Table

ROOT = Path(__file__).parent
TABLES = ROOT / "coinbase_insights.SemanticModel/definition/tables"

TYPES = {
    "text": ("string", "type text"),
    "name": ("string", "type text"),
    "whole": ("int64", "Int64.Type"),
    "small": ("int64", "Int64.Type"),
    "real": ("double", "type number"),
    "time": ("dateTime", "type datetime"),
    "truth": ("boolean", "type logical"),
}
"""Kind of a column: its type in the model, and in M. Prices and sizes have none: Power BI's decimal has 4 places."""

SHARES = {"band_coverage", "band_hit_rate", "skill"}
"""Shown in percent."""

SUMS = {"scores": {"banded", "scored", "unscored"}, "gaps": {"messages"}}
"""Columns whose sum says something. That of bars does not: an hour is in it three times, by its three lengths."""


class Import(NamedTuple):
    """What is imported of the lake, and which days and minutes it gets."""

    table: Table
    day_of: str
    """The time whose day relates it to `dates`."""
    recent: bool = False
    """Only the last `Days` are read, and there is a `minute` to draw by."""
    optional: bool = False
    """A lake may have no such table yet: then it is empty."""


IMPORTS = (
    Import(tables.INSIGHTS, "time", recent=True),
    Import(tables.BARS, "start"),
    Import(tables.SCORES, "hour"),
    Import(tables.GAPS, "start"),
    Import(tables.BACKTESTS, "run_at", optional=True),
    Import(tables.MODELS, "trained_at", optional=True),
)


def texts() -> dict[Path, str]:
    """Give the text of each generated file by its path."""
    measures = tomllib.loads((ROOT / "measures.toml").read_text(encoding="utf-8"))
    return {TABLES / f"{each.table.name}.tmdl": text(each, measures.get(each.table.name, {})) for each in IMPORTS}


def text(each: Import, measures: dict[str, dict[str, str]]) -> str:
    """Give a table in TMDL, as Power BI writes it itself: then what it saves differs in what was changed alone."""
    name = each.table.name
    parts = [f"/// {each.table.meaning}\ntable {name}\n\tlineageTag: {tag(name)}\n"]
    parts += [_measure(name, *item) for item in measures.items()]
    parts += [_column(name, column) for column in each.table.columns]
    parts += [_derived(name, *item) for item in derived(each).items()]
    parts.append(f"\tpartition {name} = m\n\t\tmode: import\n\t\tsource =\n{_indented(_query(each), 4)}\n\n")
    return "\n".join(parts)


def derived(each: Import) -> dict[str, tuple[str, str]]:
    """Give the columns that the lake does not have, with their meaning and format: they are made as it is read."""
    made = {"date": (f"day of {each.day_of}, UTC: relates to dates", "yyyy-MM-dd")}
    if each.recent:
        made["minute"] = (f"begin of the minute of {each.day_of}, UTC: to draw by", "yyyy-MM-dd HH:mm")
    return made


def describe(column: Column) -> str:
    """Give what a person reads about a column: its meaning, and its unit."""
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def shape(column: Column) -> str:
    """Give how its values are shown; empty for those that are no numbers and no times."""
    if column.name in SHARES:
        return "0.0%"
    if column.name == "p_value":
        return "0.0000"
    if column.kind == "real":
        return "#,0.########" if column.unit == "quote currency" else "#,0.####"
    return {"time": "yyyy-MM-dd HH:mm:ss", "whole": "#,0", "small": "0"}.get(column.kind, "")


def tag(*names: str) -> str:
    """Give the lineage tag, by which Power BI knows a thing again: always the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("coinbase_insights", *names))))


def _measure(table: str, name: str, says: dict[str, str]) -> str:
    code = says["expression"].strip()
    return (
        f"\t/// {' '.join(says['description'].split())}\n"
        f"\tmeasure '{name}' ="
        + (f"\n{_indented(code, 3)}\n" if "\n" in code else f" {code}\n")
        + f"\t\tformatString: {says['format']}\n\t\tlineageTag: {tag(table, 'measure', name)}\n"
    )


def _column(table: str, column: Column) -> str:
    form = shape(column)
    summed = "sum" if column.name in SUMS.get(table, ()) else "none"
    return (
        f"\t/// {describe(column)}\n\tcolumn {column.name}\n\t\tdataType: {TYPES[column.kind][0]}\n"
        + (f"\t\tformatString: {form}\n" if form else "")
        + f"\t\tlineageTag: {tag(table, column.name)}\n\t\tsummarizeBy: {summed}\n\t\tsourceColumn: {column.name}\n"
    )


def _derived(table: str, name: str, says: tuple[str, str]) -> str:
    return (
        f"\t/// {says[0]}\n\tcolumn {name}\n\t\tdataType: dateTime\n"
        + ("\t\tisHidden\n" if name == "date" else "")
        + f"\t\tformatString: {says[1]}\n\t\tlineageTag: {tag(table, name)}\n\t\tsummarizeBy: none\n"
        f"\t\tsourceColumn: {name}\n"
    )


def _indented(code: str, tabs: int) -> str:
    return "\n".join("\t" * tabs + line if line else "" for line in code.splitlines())


def _query(each: Import) -> str:
    """Give a table's query in M: find it, choose its columns, and make each what the model says it is."""
    steps = list(_steps(each))
    return "let\n" + ",\n".join(f"    {name} = {code}" for name, code in steps) + f"\nin\n    {steps[-1][0]}"


def _steps(each: Import) -> Iterator[tuple[str, str]]:
    table, columns = each.table, each.table.columns
    names = _list(f'"{column.name}"' for column in columns)
    yield "Found", f'Find("{table.name}")'
    if each.optional:
        yield "Rows", f"if Found = null then #table({names}, {{}}) else Found"
    else:
        hint = f"there is no table {table.name} there: coinbase_insights {table.made_by} makes it"
        yield "Rows", f'if Found = null then error Error.Record("{table.name}", "{hint}") else Found'
    # A table of PostgreSQL has one more, `row`.
    yield "Chosen", f"Table.SelectColumns(Rows, {names})"
    if each.recent:
        yield "Since", "DateTimeZone.FixedUtcNow() - #duration(Days, 0, 0, 0)"
        yield "Zoned", f'Type.Is(Type.TableColumn(Value.Type(Chosen), "{each.day_of}"), type nullable datetimezone)'
        # Compared as it is stored, so that a database is asked for these rows only.
        yield "Edge", "if Zoned then Since else DateTimeZone.RemoveZone(Since)"
        yield "Recent", f"if Days = 0 then Chosen else Table.SelectRows(Chosen, each [{each.day_of}] >= Edge)"
    rows = "Recent" if each.recent else "Chosen"
    times = _list(f'{{"{column.name}", Utc, type nullable datetime}}' for column in columns if column.kind == "time")
    yield "Plain", f"Table.TransformColumns({rows}, {times})"
    types = _list(f'{{"{column.name}", {TYPES[column.kind][1]}}}' for column in columns)
    yield "Typed", f"Table.TransformColumnTypes(Plain, {types})"
    yield "Dated", f'Table.AddColumn(Typed, "date", each DateTime.Date([{each.day_of}]), type nullable date)'
    if each.recent:
        time = f"[{each.day_of}]"
        minute = f"DateTime.Date({time}) & #time(Time.Hour({time}), Time.Minute({time}), 0)"
        yield "Minuted", f'Table.AddColumn(Dated, "minute", each {minute}, type nullable datetime)'


def _list(items: Iterator[str]) -> str:
    return "{\n" + ",\n".join(f"        {item}" for item in items) + "\n    }"


def difference(path: Path, new: str) -> list[str]:
    """Show what would change in a file; nothing when it is as it should be."""
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    name = path.relative_to(ROOT.parent).as_posix()
    return list(difflib.unified_diff(old, new.splitlines(), name, f"{name} (from the code)", lineterm=""))


def main() -> int:
    """Write, or with --check compare."""
    stale: dict[Path, Any] = {path: lines for path, new in texts().items() if (lines := difference(path, new))}
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(texts()[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT.parent).as_posix()}")
        return 0
    for line in [line for lines in stale.values() for line in lines] + (["", "hint: make docs"] if stale else []):
        print(line, file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
