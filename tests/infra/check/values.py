"""A value against the type of the property that it stands under."""

from collections.abc import Iterator

from tree_sitter import Node

from .azure import Known, Property, Shape
from .source import Source, bare, line, literal, pairs, said

Finding = tuple[int, str]
KINDS = {"number": "int", "boolean": "bool", "string": "string", "object": "object", "array": "array"}
BICEP = {"parent", "scope", "dependsOn"}
"""What Bicep itself takes in a resource."""


class Values:
    """Compares values of one file with the types of one resource."""

    def __init__(self, source: Source, known: Known) -> None:
        """Variables and parameters of the file are looked up where they stand for a value."""
        self._variables = source.of("variable")
        self._parameters = source.of("parameter")
        self._shapes = known.shapes
        self._known = known

    def resource(self, node: Node, where: str, existing: bool) -> Iterator[Finding]:
        """Check the body of a resource. An existing one has its name and no more."""
        body = self._known.body
        if existing:
            body = Shape({"name": Property("string", required=True)})
        yield from self._object(node, body, where, BICEP)

    def value(self, node: Node, kind: str, where: str) -> Iterator[Finding]:
        """Check a value of any form."""
        if node.type == "for_statement" and kind.endswith("[]"):
            kind = kind[:-2]
        node = bare(node)
        if node.type == "identifier" and said(node) in self._variables:
            node = self._variables[said(node)].value or node
        if node.type == "identifier" and said(node) in self._parameters:
            yield from self._compare(node, self._parameters[said(node)].declared, kind, where)
        elif node.type == "object" and kind in self._shapes:
            yield from self._object(node, self._shapes[kind], where, set())
        elif (parts := _parts(node, kind)) is not None:
            for part, inner in parts:
                yield from self.value(part, inner, where)
        elif node.type in KINDS:
            yield from self._compare(node, KINDS[node.type], kind, where)

    def _object(self, node: Node, shape: Shape, where: str, extra: set[str]) -> Iterator[Finding]:
        given = {name for name, _, _ in pairs(node)}
        if shape.by:
            chosen = next((literal(value) for name, _, value in pairs(node) if name == shape.by), None)
            if chosen is None:
                chosen = next(iter(shape.kinds)) if shape.by in given else None
            if chosen not in shape.kinds:
                yield line(node), f"{where}.{shape.by} must be one of {', '.join(sorted(shape.kinds))}"
                return
            shape = shape.kinds[chosen]
        for name, pair, value in pairs(node):
            told = shape.properties.get(name or "")
            if told is None and shape.others is not None:
                yield from self.value(value, shape.others, f"{where}.{name}")
            elif told is None and name not in extra:
                yield line(pair), f"{where} has no property {name}"
            elif told is not None and not told.given:
                yield line(pair), f"{where}.{name} is filled in by Azure"
            elif told is not None:
                yield from self.value(value, told.type, f"{where}.{name}")
        for name in sorted(set(shape.properties) - given):
            if shape.properties[name].required and shape.properties[name].given:
                yield line(node), f"{where} lacks {name}"

    def _compare(self, node: Node, found: str, kind: str, where: str) -> Iterator[Finding]:
        """Check a value that is not taken apart: its kind, and its words where the type lists them."""
        words = kind.split(" | ")
        if kind == "any" or (found == "object" and kind in self._shapes) or (found == "array" and kind.endswith("[]")):
            return
        if found != ("string" if self._is_text(kind) else kind):
            yield line(node), f"{where} must be {kind}, and {said(node)[:60]} is {found}"
        elif kind != "string" and self._is_text(kind) and literal(node) is not None and literal(node) not in words:
            yield line(node), f"{where} must be one of {', '.join(word for word in words if word != 'string')}"

    def _is_text(self, kind: str) -> bool:
        return kind not in ("int", "bool") and kind not in self._shapes and not kind.endswith("[]")


def _parts(node: Node, kind: str) -> list[tuple[Node, str]] | None:
    """Give what a value is made of, each with the type that it must have; None for one that is whole."""
    if node.type == "ternary_expression":
        sides = [node.child_by_field_name(side) for side in ("consequence", "alternative")]
        return [(side, kind) for side in sides if side is not None]
    if node.type == "call_expression" and said(node).startswith("union("):
        return [(each, kind) for each in node.named_children[-1].named_children]
    if node.type == "array" and kind.endswith("[]"):
        return [(each, kind[:-2]) for each in node.named_children]
    return None
