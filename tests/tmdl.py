"""A small reader of TMDL, the text that Power BI keeps a model in: as much of it as our model uses.

It refuses what it does not know, so that a test cannot overlook it. The language:
https://learn.microsoft.com/analysis-services/tmdl/tmdl-overview
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Node(NamedTuple):
    """An object of TMDL: `measure 'Count of gaps' = ...`, with its properties and what stands inside."""

    kind: str
    name: str
    description: str
    properties: dict[str, str]
    inside: list["Node"]
    expression: str

    def all(self, kind: str) -> dict[str, "Node"]:
        return {node.name: node for node in self.inside if node.kind == kind}


OBJECT = re.compile(r"(database|model|table|measure|column|partition|expression|relationship|annotation|ref)\b(.*)")
PROPERTIES = {
    "compatibilityLevel",
    "culture",
    "dataCategory",
    "dataType",
    "defaultPowerBIDataSourceVersion",
    "formatString",
    "fromColumn",
    "isHidden",
    "isKey",
    "lineageTag",
    "mode",
    "sourceColumn",
    "sourceQueryCulture",
    "summarizeBy",
    "toColumn",
}


def read(path: Path) -> list[Node]:
    """Read the TMDL of a file, as far as it is used here."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(_nodes(lines, 0))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip("\t"))


def _nodes(lines: list[str], depth: int) -> Iterator[Node]:
    described: list[str] = []
    while lines:
        if lines[0].strip() and _depth(lines[0]) < depth:
            return
        line = lines.pop(0)
        if line.strip().startswith("///"):
            described.append(line.strip()[3:].strip())
        elif line.strip():
            found = OBJECT.match(line.strip())
            assert found, f"no object that is known: {line!r}"
            kind, rest = found.groups()
            name, _, value = rest.partition(" = ") if " = " in rest else rest.removesuffix(" =").partition("\0")
            code = [value] if value and kind != "partition" else []
            while lines and (not lines[0].strip() or _depth(lines[0]) >= depth + 2) and rest.endswith(" ="):
                code.append(lines.pop(0))
            node = Node(kind, name.strip().strip("'"), " ".join(described), *_body(lines, depth + 1, code))
            described = []
            yield node


def _body(lines: list[str], depth: int, code: list[str]) -> tuple[dict[str, str], list[Node], str]:
    properties: dict[str, str] = {}
    inside: list[Node] = []
    while lines and (not lines[0].strip() or _depth(lines[0]) >= depth):
        text = lines[0].strip()
        if not text:
            lines.pop(0)
        elif text.startswith("source ="):
            lines.pop(0)
            while lines and (not lines[0].strip() or _depth(lines[0]) >= depth + 1):
                code.append(lines.pop(0))
        elif text.startswith("///") or (OBJECT.match(text) and not re.match(r"\w+:", text)):
            inside += _nodes(lines, depth)
        else:
            key, _, value = lines.pop(0).strip().partition(":")
            assert key in PROPERTIES, f"no property that is known: {text!r}"
            properties[key] = value.strip()
    return properties, inside, "\n".join(code).strip()
