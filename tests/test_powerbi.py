"""The Power BI project names only what there is. No Power BI was there to open it: these checks stand in for it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from coinbase_insights.lake import tables
from tmdl import Node, read

ROOT = Path(__file__).parents[1]
POWERBI = ROOT / "powerbi"
MODEL = "coinbase_insights.SemanticModel/definition"
REPORT = "coinbase_insights.Report/definition"

TYPES = {
    "text": "string",
    "name": "string",
    "whole": "int64",
    "small": "int64",
    "real": "double",
    "price": "decimal",
    "size": "decimal",
    "time": "dateTime",
    "truth": "boolean",
}
IMPORTED = {"insights", "bars", "scores", "gaps", "backtests", "models"}
MADE = {"date", "minute"}
"""Columns of imported tables that the lake does not have."""

SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric/"
# What Microsoft's schemas ask for: https://github.com/microsoft/json-schemas/tree/main/fabric has each at its address.
REQUIRED: dict[str, tuple[str, dict[str, set[str]]]] = {
    r".*\.pbip": (
        "pbip/pbipProperties/1.0.0/schema.json",
        {"": {"version", "artifacts"}, "artifacts/*/report": {"path"}},
    ),
    r".*/definition\.pbism": ("item/semanticModel/definitionProperties/1.0.0/schema.json", {"": {"version"}}),
    r".*/definition\.pbir": (
        "item/report/definitionProperties/2.0.0/schema.json",
        {"": {"version", "datasetReference"}, "datasetReference/byPath": {"path"}},
    ),
    r".*/version\.json": ("item/report/definition/versionMetadata/1.0.0/schema.json", {"": {"version"}}),
    r".*/report\.json": ("item/report/definition/report/3.0.0/schema.json", {"": {"themeCollection"}}),
    r".*/pages\.json": (
        "item/report/definition/pagesMetadata/1.0.0/schema.json",
        {"": {"pageOrder", "activePageName"}},
    ),
    r".*/page\.json": (
        "item/report/definition/page/2.0.0/schema.json",
        {"": {"name", "displayName", "displayOption", "height", "width"}},
    ),
    r".*/visual\.json": (
        "item/report/definition/visualContainer/2.4.0/schema.json",
        {
            "": {"name", "position", "visual"},
            "position": {"x", "y", "height", "width"},
            # .../visualConfiguration/2.2.0/schema-embedded.json
            "visual": {"visualType", "query"},
            "visual/query": {"queryState"},
            "visual/query/queryState/*": {"projections"},
            "visual/query/queryState/*/projections/*": {"field", "queryRef"},
            "visual/query/sortDefinition/sort/*": {"field", "direction"},
            "visual/syncGroup": {"groupName"},
            "visual/visualContainerObjects/*/*": {"properties"},
            "visual/objects/*/*": {"properties"},
        },
    ),
}
ALLOWED = {
    "": {
        "$schema",
        "name",
        "position",
        "visual",
        "filterConfig",
        "isHidden",
        "parentGroupName",
        "annotations",
        "howCreated",
    },
    "position": {"x", "y", "z", "height", "width", "tabOrder", "angle"},
    "visual": {"visualType", "query", "objects", "visualContainerObjects", "syncGroup", "drillFilterOtherVisuals"},
    "visual/query": {"queryState", "sortDefinition", "options"},
    "visual/query/queryState/*/projections/*": {
        "field",
        "queryRef",
        "nativeQueryRef",
        "displayName",
        "format",
        "active",
    },
}
"""Keys that a visual may have there: the schema knows no others (and some more that we have no use for)."""

ROLES = {
    "slicer": {"Values"},
    "tableEx": {"Values"},
    "cardVisual": {"Data"},
    "lineChart": {"Category", "Series", "Y"},
    "clusteredColumnChart": {"Category", "Series", "Y"},
}
"""Where a visual of a type takes fields: in any other place, it would be drawn empty."""


class Project(NamedTuple):
    """All of the project that the checks look at."""

    root: Path
    tables: dict[str, Node]
    relationships: list[Node]
    parameters: dict[str, Node]

    @property
    def columns(self) -> set[tuple[str, str]]:
        return {(name, column) for name, table in self.tables.items() for column in table.all("column")}

    @property
    def measures(self) -> dict[str, str]:
        return {name: home for home, table in self.tables.items() for name in table.all("measure")}

    def files(self) -> list[Path]:
        """All but what Power BI Desktop keeps for one person, which git ignores."""
        return [path for path in sorted(self.root.rglob("*")) if path.is_file() and ".pbi" not in path.parts]

    def parts(self) -> Iterator[tuple[str, Any]]:
        for path in self.files():
            if path.suffix in {".json", ".pbip", ".pbir", ".pbism"}:
                yield path.relative_to(self.root).as_posix(), json.loads(path.read_text(encoding="utf-8"))

    def visuals(self) -> Iterator[tuple[str, Any]]:
        return ((name, part) for name, part in self.parts() if name.endswith("/visual.json"))


def project(root: Path) -> Project:
    definition = root / MODEL
    found = [read(path)[0] for path in sorted((definition / "tables").glob("*.tmdl"))]
    return Project(
        root,
        {node.name: node for node in found},
        read(definition / "relationships.tmdl"),
        {node.name: node for node in read(definition / "expressions.tmdl")},
    )


def strange_columns(it: Project) -> Iterator[str]:
    """Where an imported table is not what the lake declares: its columns in their order, their types and words."""
    declared = {table.name: table for table in tables.TABLES}
    if {name for name in it.tables if name in declared} != IMPORTED:
        yield "not the tables that are to be imported"
    for name in IMPORTED & set(it.tables):
        columns = it.tables[name].all("column")
        if [each for each in columns if each not in MADE] != [each.name for each in declared[name].columns]:
            yield f"{name} has other columns than the lake"
        if it.tables[name].description != declared[name].meaning:
            yield f"{name} means something else"
        for column in declared[name].columns:
            node = columns.get(column.name)
            words = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
            if node and node.properties["dataType"] != TYPES[column.kind]:
                yield f"{name}[{column.name}] has another type"
            if node and node.description != words:
                yield f"{name}[{column.name}] means something else"
            if node and (node.properties["sourceColumn"] != column.name or f'"{column.name}"' not in _m(it, name)):
                yield f"{name}[{column.name}] is not read"


def _m(it: Project, name: str) -> str:
    return next(iter(it.tables[name].all("partition").values())).expression


def bare_columns(it: Project) -> Iterator[str]:
    """Where a column or a measure lacks what a person is shown, or has the name of another."""
    for name, table in it.tables.items():
        for column in table.all("column").values():
            if not column.description or "summarizeBy" not in column.properties:
                yield f"{name}[{column.name}] lacks its description or how it is summed"
            if column.properties["dataType"] not in {"string", "boolean"} and not column.properties.get("formatString"):
                yield f"{name}[{column.name}] has no format"
        for measure in table.all("measure").values():
            if not measure.description or not measure.properties.get("formatString") or not measure.expression:
                yield f"[{measure.name}] lacks its description, format or expression"
            if measure.name.lower() in {column.lower() for column in table.all("column")}:
                yield f"[{measure.name}] has the name of a column"
    names = [measure.lower() for table in it.tables.values() for measure in table.all("measure")]
    yield from {f"[{name}] is there twice" for name in names if names.count(name) > 1}


def strange_dax(it: Project) -> Iterator[str]:
    """Every table, column and measure in DAX that is not in the model."""
    for name, table in it.tables.items():
        calculated = [
            part for part in table.all("partition").values() if part.properties["mode"] and name not in IMPORTED
        ]
        own = {"Date", "Value", *table.all("column")} if calculated else set()
        for node in [*table.all("measure").values(), *calculated]:
            code = re.sub(r"//.*", "", node.expression)
            code = re.sub(r'"[^"]*"', '""', code)
            for home, field in re.findall(r"('[^']+'|\b\w+\b)?\[([^\]]+)\]", code):
                if home and (home.strip("'"), field) not in it.columns:
                    yield f"{node.name}: there is no {home}[{field}]"
                if not home and field not in it.measures and field not in own:
                    yield f"{node.name}: there is no [{field}]"
            known = {*it.tables, *re.findall(r"\bVAR (\w+) =", code)}
            for word in re.findall(r"(?<![\w\[])[a-z_]+\b(?![\w(\]\[])", re.sub(r"\[[^\]]*\]", "[]", code)):
                if word not in known:
                    yield f"{node.name}: there is no {word}"
            if code.count("(") != code.count(")") or code.count("{") != code.count("}"):
                yield f"{node.name}: brackets do not match"


def strange_relationships(it: Project) -> Iterator[str]:
    """Every relationship that does not go from many rows of a table to one of `products` or `dates`, by equal types."""
    for node in it.relationships:
        many, one = (tuple(node.properties.get(end, ".").split(".")) for end in ("fromColumn", "toColumn"))
        if set(node.properties) != {"fromColumn", "toColumn"}:
            yield f"{node.name} is not the plain kind: one direction, many to one"
        if many not in it.columns or one not in it.columns:
            yield f"{node.name} relates what is not there"
        elif one[0] not in {"products", "dates"} or many[1] != one[1]:
            yield f"{node.name} does not go to products or dates"
        elif "isKey" not in it.tables[one[0]].all("column")[one[1]].properties:
            yield f"{node.name} does not go to a key"
        elif len({it.tables[table].all("column")[column].properties["dataType"] for table, column in (many, one)}) > 1:
            yield f"{node.name} relates two types"


def strange_fields(it: Project) -> Iterator[str]:
    """Every field of a visual that is not in the model, or is in a place that such a visual does not have."""
    for name, part in it.visuals():
        roles = part["visual"]["query"]["queryState"]
        if not set(roles) <= ROLES[part["visual"]["visualType"]]:
            yield f"{name} has a place for fields that is none"
        for kind, entity, field in _fields(part):
            known = it.measures.get(field) == entity if kind == "Measure" else (entity, field) in it.columns
            if not known:
                yield f"{name}: there is no {kind} {entity}[{field}]"
        for one in (one for role in roles.values() for one in role["projections"]):
            kind, entity, field = next(_fields(one))
            if one["queryRef"] != f"{entity}.{field}" or one["nativeQueryRef"] != field:
                yield f"{name}: {one['queryRef']} is not the name of {entity}[{field}]"


def _fields(value: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for kind in {"Column", "Measure"} & set(value):
            yield kind, value[kind]["Expression"]["SourceRef"]["Entity"], value[kind]["Property"]
        for inner in value.values():
            yield from _fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner)


def broken_parts(it: Project) -> Iterator[str]:
    """Every part in JSON that Microsoft's schema would not take."""
    for name, part in it.parts():
        rule = next((rule for pattern, rule in REQUIRED.items() if re.fullmatch(pattern, name)), None)
        if rule is None:
            yield f"{name} is no part that is known"
            continue
        if part.get("$schema") != SCHEMAS + rule[0]:
            yield f"{name} has another $schema"
        for path, keys in rule[1].items():
            yield from (f"{name}: no {key} at {path}" for at in _at(part, path) for key in sorted(keys - set(at)))
        for path, keys in ALLOWED.items() if name.endswith("/visual.json") else ():
            yield from (f"{name}: {key} at {path}" for at in _at(part, path) for key in sorted(set(at) - keys))


def _at(value: Any, path: str) -> Iterator[Any]:
    """Give every value at a path; `*` is any key, and nothing is given for what is not there."""
    head, _, rest = path.partition("/")
    if not head:
        yield value
    elif head == "*":
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _at(inner, rest)
    elif head in value:
        yield from _at(value[head], rest)


def broken_pages(it: Project) -> Iterator[str]:
    """Where pages and visuals are not named as their folders, are hidden from readers, or do not fit the page."""
    parts = dict(it.parts())
    pages = {name.split("/")[-2]: part for name, part in parts.items() if name.endswith("/page.json")}
    order = parts[f"{REPORT}/pages/pages.json"]
    if sorted(order["pageOrder"]) != sorted(pages) or order["activePageName"] not in pages:
        yield "pages.json names other pages"
    titles = [page["displayName"] for page in pages.values()]
    if len(set(titles)) < len(titles) or any(page["name"] != name for name, page in pages.items()):
        yield "two pages have one name, or a page is not named as its folder"
    for name, part in it.visuals():
        if part["name"] != name.split("/")[-2]:
            yield f"{name} is not named as its folder"
        shown = part["visual"]["visualContainerObjects"]
        for kind, key in (("title", "text"), ("general", "altText")):
            texts = list(_at(shown, f"{kind}/*/properties/{key}/expr/Literal/Value"))
            if not (texts and re.fullmatch(r"'([^']|'')+'", texts[0])):
                yield f"{name} has no {key}"
        box, page = part["position"], pages[name.split("/")[-4]]
        if box["x"] + box["width"] > page["width"] or box["y"] + box["height"] > page["height"]:
            yield f"{name} does not fit its page"
    for name in pages:
        kinds = [part["visual"]["visualType"] for at, part in it.visuals() if f"/{name}/" in at]
        if kinds.count("slicer") != 2:
            yield f"{name} has no slicers for product and dates"


SECRET = re.compile(
    r"(?<![\w.])/(?:home|root|tmp|work|Users|mnt|var)/|\b[A-Za-z]:\\|[a-z0-9]+\.(?:dfs|blob)\.core\.windows\.net"
    r"|(?i:password|accountkey|sharedaccess|\bsig=|pwd=|bearer )|localhost:\d|(?:\d{1,3}\.){3}\d{1,3}"
)
"""An absolute path, an account, an address or a key. `ACCOUNT` stands where people put theirs."""


def secrets(it: Project) -> Iterator[str]:
    for path in it.files():
        if path.suffix != ".pyc" and (found := SECRET.search(path.read_text(encoding="utf-8"))):
            yield f"{path.name} has {found.group()}"


CHECKS: tuple[Callable[[Project], Iterator[str]], ...] = (
    strange_columns,
    bare_columns,
    strange_dax,
    strange_relationships,
    strange_fields,
    broken_parts,
    broken_pages,
    secrets,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_nothing_is_wrong(check: Callable[[Project], Iterator[str]]) -> None:
    assert list(check(project(POWERBI))) == []


TMDL = f"{MODEL}/tables"
VISUAL = f"{REPORT}/pages/live/visuals/newest/visual.json"


@pytest.mark.parametrize(
    ("check", "file", "old", "new"),
    [
        (strange_columns, f"{TMDL}/bars.tmdl", "column seconds_covered", "column seconds_coverd"),
        (strange_columns, f"{TMDL}/bars.tmdl", "sourceColumn: open", "sourceColumn: opne"),
        (strange_columns, f"{TMDL}/scores.tmdl", "dataType: int64", "dataType: double"),
        (strange_columns, f"{TMDL}/gaps.tmdl", "how many are missing", "how many there were"),
        (strange_columns, f"{TMDL}/gaps.tmdl", "table gaps\n", "table gasp\n"),
        (bare_columns, f"{TMDL}/gaps.tmdl", "formatString: #,0\n", "\n"),
        (bare_columns, f"{TMDL}/bars.tmdl", "measure 'Count of quotes'", "measure 'Quotes'"),
        (bare_columns, f"{TMDL}/bars.tmdl", "measure 'Count of quotes'", "measure 'count of gaps'"),
        (strange_dax, f"{TMDL}/scores.tmdl", "scores[error_of_last] * ", "scores[error_of_lst] * "),
        (strange_dax, f"{TMDL}/scores.tmdl", "FILTER(scores,", "FILTER(scroes,"),
        (strange_dax, f"{TMDL}/scores.tmdl", "forecasts >= 12", "forecast >= 12"),
        (strange_dax, f"{TMDL}/scores.tmdl", "RETURN\n\t\t\t    IF(", "RETURN\n\t\t\t    IF(("),
        (strange_dax, f"{TMDL}/insights.tmdl", "[Newest mid-price])", "[Newest price])"),
        (strange_dax, f"{TMDL}/products.tmdl", "bars[product_id]", "bars[product]"),
        (strange_dax, f"{TMDL}/dates.tmdl", "MIN(models[date])", "MIN(models[day])"),
        (strange_relationships, f"{MODEL}/relationships.tmdl", "fromColumn: gaps.date", "fromColumn: gaps.day"),
        (strange_relationships, f"{MODEL}/relationships.tmdl", "toColumn: dates.date", "toColumn: dates.month"),
        (
            strange_relationships,
            f"{MODEL}/relationships.tmdl",
            "fromColumn: bars.product_id",
            "fromColumn: bars.length",
        ),
        (strange_fields, VISUAL, '"Property": "product_id"', '"Property": "product"'),
        (strange_fields, VISUAL, '"Property": "Newest spread"', '"Property": "Newest sprad"'),
        (strange_fields, VISUAL, '"queryRef": "products.product_id"', '"queryRef": "products.product"'),
        (strange_fields, VISUAL, '"Values": {', '"Rows": {'),
        (broken_parts, VISUAL, "visualContainer/2.4.0", "visualContainer/9.9.9"),
        (broken_parts, VISUAL, '"width"', '"widht"'),
        (broken_parts, VISUAL, '"visualType"', '"visualKind"'),
        (broken_parts, f"{REPORT}/report.json", '"themeCollection"', '"theme"'),
        (broken_pages, f"{REPORT}/pages/pages.json", '"data_quality"', '"data_qualty"'),
        (broken_pages, f"{REPORT}/pages/live/page.json", '"displayName": "Live"', '"displayName": "Data quality"'),
        (broken_pages, VISUAL, '"altText"', '"text"'),
        (broken_pages, VISUAL, '"width": 1248', '"width": 1348'),
        (secrets, f"{MODEL}/expressions.tmdl", "https://ACCOUNT.", "https://somebody."),
        (secrets, f"{MODEL}/expressions.tmdl", '"localhost"', '"C:\\lake"'),
    ],
)
def test_a_planted_mistake_is_found(
    check: Callable[[Project], Iterator[str]], file: str, old: str, new: str, tmp_path: Path
) -> None:
    copy = tmp_path / "powerbi"
    shutil.copytree(POWERBI, copy)
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert list(check(project(copy))) != []


@pytest.mark.parametrize(
    ("old", "new"), [("dataType:", "dataTyp:"), ("\tcolumn start", "\tcolum start"), ("\tpartition", "\tpartitoin")]
)
def test_what_is_no_tmdl_is_refused(old: str, new: str, tmp_path: Path) -> None:
    text = (POWERBI / TMDL / "bars.tmdl").read_text(encoding="utf-8")
    (tmp_path / "bars.tmdl").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(AssertionError, match="that is known"):
        read(tmp_path / "bars.tmdl")


def test_the_tables_are_what_the_code_says() -> None:
    check = subprocess.run(
        [sys.executable, POWERBI / "generate.py", "--check"], capture_output=True, text=True, check=False, timeout=50
    )
    assert check.returncode == 0, check.stderr


def test_all_that_is_meant_to_be_related_is() -> None:
    related = {node.name for node in project(POWERBI).relationships}
    assert related == {f"{name}_dates" for name in IMPORTED} | {
        f"{name}_products" for name in ("insights", "bars", "scores", "backtests")
    }


def test_every_table_of_the_model_is_named_by_it() -> None:
    named = [node.name for node in read(POWERBI / MODEL / "model.tmdl") if node.kind == "ref"]
    assert sorted(named) == sorted(f"table {name}" for name in project(POWERBI).tables)


def test_dates_are_marked_as_such() -> None:
    dates = project(POWERBI).tables["dates"]
    assert dates.properties["dataCategory"] == "Time"
    assert "isKey" in dates.all("column")["date"].properties


@pytest.mark.parametrize("name", ["Source", "LakeUrl", "PostgresServer", "PostgresDatabase", "Days"])
def test_a_parameter_can_be_set_and_is_heeded(name: str) -> None:
    it = project(POWERBI)
    assert "IsParameterQuery=true" in it.parameters[name].expression
    queries = [it.parameters["Find"].expression, *(_m(it, table) for table in IMPORTED)]
    assert any(re.search(rf"\b{name}\b", query) for query in queries)


@pytest.mark.parametrize("name", sorted(IMPORTED))
def test_a_query_finds_its_own_table_and_makes_what_is_promised(name: str) -> None:
    it = project(POWERBI)
    assert f'Find("{name}")' in _m(it, name)
    made = set(re.findall(r'Table\.AddColumn\(\w+, "(\w+)"', _m(it, name)))
    assert made == set(it.tables[name].all("column")) & MADE


@pytest.mark.parametrize(
    "name", ["Forecast skill", "Mean forecast error", "Mean error of nothing changes", "Band hit rate"]
)
def test_nothing_is_said_of_skill_below_12_forecasts(name: str) -> None:
    expression = project(POWERBI).tables["scores"].all("measure")[name].expression
    assert re.search(r"IF\(\s*(HASONEVALUE\(scores\[product_id\]\) && )?forecasts >= 12\b", expression)


@pytest.mark.parametrize("name", ["Share of hours better", "Share of hours worse"])
def test_no_hour_is_judged_below_12_forecasts(name: str) -> None:
    assert "FILTER(scores, scores[scored] >= 12)" in project(POWERBI).tables["scores"].all("measure")[name].expression
