"""A Bicep file as declarations and syntax trees. Knows nothing of Azure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

KINDS = ("parameter", "variable", "resource", "module", "output")
_PARSER = Parser(Language(tree_sitter_bicep.language()))


@dataclass(frozen=True)
class Declaration:
    """One `param`, `var`, `resource`, `module` or `output`."""

    kind: str
    name: str
    node: Node
    declared: str
    """The type of a parameter or output; `TYPE@VERSION` of a resource; the path of a module."""
    value: Node | None
    """The default, value or body, without its `if` and `for`; None where there is none."""
    existing: bool = False


@dataclass
class Source:
    """One file."""

    path: Path
    root: Node
    declarations: list[Declaration] = field(default_factory=list)
    troubles: list[tuple[int, str]] = field(default_factory=list)
    """Line and what is wrong with the syntax."""

    def of(self, *kinds: str) -> dict[str, Declaration]:
        """Give the declarations of these kinds by their names."""
        return {each.name: each for each in self.declarations if each.kind in kinds}


@cache
def read(path: Path) -> Source:
    """Read a file, once. (checkov reads it too, with a parser of its own.)"""
    source = Source(path, _PARSER.parse(path.read_bytes()).root_node)
    wrong = (node for node in walk(source.root) if node.is_error or node.is_missing)
    source.troubles += [(line(node), "this is no Bicep") for node in wrong]
    for node in source.root.named_children:
        kind = node.type.removesuffix("_declaration")
        if kind in KINDS:
            source.declarations.append(_declaration(kind, node))
    return source


def walk(node: Node) -> Iterator[Node]:
    """Give a node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def line(node: Node) -> int:
    """Give the line that a node begins on, from 1."""
    return int(node.start_point[0]) + 1


def said(node: Node) -> str:
    """Give the text of a node."""
    return (node.text or b"").decode()


def literal(node: Node) -> str | None:
    """Give what a string says; None for all else, and for a string with `${...}` in it."""
    if node.type != "string" or any(child.type == "interpolation" for child in node.named_children):
        return None
    return said(node)[1:-1]


def bare(node: Node) -> Node:
    """Take `if` and `for` and brackets off."""
    while node.type in ("if_statement", "for_statement", "parenthesized_expression"):
        node = node.child_by_field_name("body") or node.named_children[-1]
    return node


def pairs(node: Node) -> Iterator[tuple[str | None, Node, Node]]:
    """Give each property of an object: its name (None where it is computed), its node and its value."""
    for each in node.named_children:
        if each.type == "object_property":
            name, value = each.named_children[0], each.named_children[-1]
            yield (literal(name) if name.type == "string" else said(name)), each, value


def member(node: Node, name: str) -> Node | None:
    """Give the value of a property of an object; None where it has none."""
    return next((value for key, _, value in pairs(node) if key == name), None)


def chain(node: Node) -> tuple[Node, list[str]]:
    """Take `a[0].b.c` apart: what stands first, and the names behind it; an index is no name."""
    names: list[str] = []
    while node.type in ("member_expression", "subscript_expression"):
        if node.type == "member_expression":
            names.append(said(node.child_by_field_name("property") or node))
        node = node.child_by_field_name("object") or node.named_children[0]
    return node, names[::-1]


def uses(node: Node) -> Iterator[Node]:
    """Give each identifier below a node that stands for a value."""
    for each in walk(node):
        parent = each.parent
        if each.type != "identifier" or parent is None:
            continue
        is_first = parent.named_children[0] == each
        is_name = parent.type.endswith("_declaration") and is_first
        is_key = parent.type == "object_property" and is_first
        is_called = parent.type == "call_expression" and parent.child_by_field_name("function") == each
        is_loop = parent.type == "for_statement" and parent.child_by_field_name("initializer") == each
        is_loop = is_loop or (parent.type == "lambda_expression" and is_first)
        if not (is_name or is_key or is_called or is_loop):
            yield each


def looped(node: Node) -> set[str]:
    """Give the names that the loops and the small functions around a node make."""
    found: set[str] = set()
    around: Node | None = node
    while around is not None:
        if around.type == "for_statement":
            heads = [each for each in around.named_children if each.type == "for_loop_parameters"]
            first = around.child_by_field_name("initializer")
            found |= {said(each) for head in heads for each in head.named_children}
            found |= {said(first)} if first is not None else set()
        elif around.type == "lambda_expression":
            found.add(said(around.named_children[0]))
        around = around.parent
    return found


def _declaration(kind: str, node: Node) -> Declaration:
    name, *rest = [each for each in node.named_children if each.type not in ("comment", "decorators")]
    types = [each for each in rest if each.type == "type"]
    if kind in ("resource", "module"):
        declared, rest = literal(rest[0]) or "", rest[1:]
    else:
        declared, rest = (said(types[0]) if types else ""), [each for each in rest if each.type != "type"]
    existing = any(child.type == "existing" for child in node.children)
    return Declaration(kind, said(name), node, declared, bare(rest[-1]) if rest else None, existing)
