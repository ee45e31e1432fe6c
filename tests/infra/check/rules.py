"""Every rule that a folder of Bicep is held to. A finding is the line and a sentence."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tree_sitter import Node

from .azure import Known, known
from .source import Declaration, Source, bare, chain, line, literal, looped, member, pairs, read, said, uses, walk
from .values import KINDS, Finding, Values

ROLES = {
    "acrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "eventHubsDataReceiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
    "eventHubsDataSender": "2b629674-e913-4c01-ae53-ef4638d8f975",
    "storageBlobDataContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "storageBlobDataReader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
}
"""As published: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles."""
LOADED = {"loadJsonContent", "loadTextContent"}
FUNCTIONS = set(
    "any array base64 base64ToJson base64ToString bool cidrHost cidrSubnet coalesce concat contains dataUri "
    "dateTimeAdd dateTimeFromEpoch dateTimeToEpoch deployer deployment empty endsWith environment extensionResourceId "
    "fail filter first flatten format getSecret groupBy guid indexOf int intersection items join json last "
    "lastIndexOf length loadFileAsBase64 loadJsonContent loadTextContent loadYamlContent managementGroup map "
    "mapValues max min newGuid objectKeys padLeft parseCidr pickZones range reduce reference replace resourceGroup "
    "resourceId shallowMerge skip sort split startsWith string subscription subscriptionResourceId substring take "
    "tenant tenantResourceId toLower toObject toUpper trim union uniqueString uri uriComponent uriComponentToString "
    "utcNow".split()
)
"""https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-functions"""
DECORATORS = {
    "allowed",
    "batchSize",
    "description",
    "maxLength",
    "maxValue",
    "metadata",
    "minLength",
    "minValue",
    "secure",
}
"""https://learn.microsoft.com/azure/azure-resource-manager/bicep/parameters"""
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def findings(source: Source) -> Iterator[Finding]:
    """Give all that is wrong with a file, and with what it says of others."""
    yield from source.troubles
    yield from symbols(source)
    yield from loads(source)
    for each in source.declarations:
        if each.kind == "resource":
            yield from resource(source, each)
        elif each.kind == "module":
            yield from module(source, each)
    yield from reads(source)
    yield from roles(source)


def symbols(source: Source) -> Iterator[Finding]:
    """Every symbol that is used is declared, once, and every parameter and variable that is declared is used."""
    inner = source.of("parameter", "variable", "resource", "module")
    declared = [each.name for each in source.declarations if each.kind != "output"]
    for name in sorted({each for each in declared if declared.count(each) > 1}):
        yield line(inner[name].node), f"{name} is declared twice"
    used = list(uses(source.root))
    for node in used:
        if said(node) not in inner and said(node) not in looped(node):
            yield line(node), f"nothing is called {said(node)} here"
    for called, allowed in _called(source.root):
        if said(called) not in allowed:
            yield line(called), f"Bicep has no function {said(called)}"
    for name, each in source.of("parameter", "variable").items():
        if name not in {said(node) for node in used}:
            yield line(each.node), f"{each.kind} {name} is never used"


def loads(source: Source) -> Iterator[Finding]:
    """Every file that is loaded exists."""
    for node, path in _loaded(source.root):
        if not (source.path.parent / path).is_file():
            yield line(node), f"there is no file {path}"


def resource(source: Source, each: Declaration) -> Iterator[Finding]:
    """A resource's type and version exist, and so does all that it says; its parent is one."""
    name, _, number = each.declared.partition("@")
    found = known(name)
    if found is None:
        yield line(each.node), f"Azure has no resource type {name}"
        return
    if number != found.version:
        yield line(each.node), f"{name} is checked at version {found.version}, and {number!r} is another"
    if each.value is not None:
        yield from Values(source, found).resource(each.value, each.name, each.existing)
        yield from _neighbours(source, each.value, name)


def module(source: Source, each: Declaration) -> Iterator[Finding]:
    """A module's file exists, takes what it is given, and is given what it needs and reads."""
    other = _module(source, each)
    if other is None:
        yield line(each.node), f"there is no file {each.declared}"
        return
    takes = other.of("parameter")
    params = member(each.value, "params") if each.value is not None else None
    given = {} if params is None else {name: (pair, value) for name, pair, value in pairs(params)}
    for name, (pair, value) in given.items():
        if name not in takes:
            yield line(pair), f"{each.declared} has no parameter {name}"
            continue
        yield from _fits(source, value, takes[name].declared, f"{each.declared}: {name}")
        yield from _holds(source, value, other, takes[name])
    for name, parameter in takes.items():
        if parameter.value is None and name not in given:
            yield line(each.node), f"{each.declared} is not given {name}"
    if each.value is not None:
        yield from _neighbours(source, each.value, "")


def reads(source: Source) -> Iterator[Finding]:
    """Every property and output that is read exists."""
    declared = source.of("parameter", "variable", "resource", "module")
    for node in walk(source.root):
        if node.type != "member_expression" or (node.parent is not None and node.parent.type == node.type):
            continue
        first, names = chain(node)
        each = declared.get(said(first)) if first.type == "identifier" else None
        if each is None or not names:
            continue
        if each.kind == "module":
            yield from _output(source, each, names, node)
        elif each.kind == "resource" and (found := known(each.declared.partition("@")[0])) is not None:
            yield from _property(found, each.name, names, node)
        elif each.kind == "variable" and each.value is not None:
            for _, path in _loaded(each.value):
                if path.endswith(".json") and names[0] not in _json(source.path.parent / path):
                    yield line(node), f"{path} has no {names[0]}"


def roles(source: Source) -> Iterator[Finding]:
    """A role is one of the table roles.json, each with its published id."""
    for _, path in _loaded(source.root):
        if Path(path).name == "roles.json":
            for name, given in _json(source.path.parent / path).items():
                if ROLES.get(name) != given:
                    yield 1, f"roles.json: {given!r} is not the published id of {name}"
    for node in walk(source.root):
        text = literal(node) if node.type == "string" else None
        if text is not None and GUID.search(text):
            yield line(node), f"{text} is written out: roles belong to roles.json, and nothing else needs an id"


def parameters(main: Source, path: Path) -> Iterator[Finding]:
    """The file of parameters names only those that there are."""
    for name in _json(path)["parameters"]:
        if name not in main.of("parameter"):
            yield 1, f"main.bicep has no parameter {name}"


def services(azure: dict[str, Any], root: Path, app: set[str]) -> Iterator[Finding]:
    """azure.yaml names a module that exists, and for each service a folder and an app that bears its tag."""
    infra = azure["infra"]
    if not (root / infra["path"] / f"{infra['module']}.bicep").is_file():
        yield 1, f"there is no {infra['path']}/{infra['module']}.bicep"
    for name, service in azure["services"].items():
        if not (root / service["project"]).is_dir():
            yield 1, f"service {name}: there is no folder {service['project']}"
        if "env" in service:
            yield 1, f"service {name}: env is ignored for App Service"
        if name not in app:
            yield 1, f"service {name}: no app is tagged with it"
    for name in sorted(app - set(azure["services"])):
        yield 1, f"the app {name} is no service"


def _module(source: Source, each: Declaration) -> Source | None:
    path = source.path.parent / each.declared
    return read(path) if each.declared and path.is_file() else None


def _neighbours(source: Source, body: Node, child: str) -> Iterator[Finding]:
    """What a body names as its parent, scope and what it waits for."""
    kinds = source.of("resource", "module")
    parent = member(body, "parent")
    if parent is not None:
        first, _ = chain(parent)
        above = kinds.get(said(first))
        if above is None or above.declared.partition("@")[0] != child.rpartition("/")[0]:
            yield line(parent), f"the parent of {child} must be a {child.rpartition('/')[0]}"
    waits = member(body, "dependsOn")
    for each in waits.named_children if waits is not None else []:
        if said(chain(each)[0]) not in kinds:
            yield line(each), f"there is no resource {said(each)} to wait for"


def _fits(source: Source, value: Node, declared: str, where: str) -> Iterator[Finding]:
    """A value's kind is the one that a parameter takes, as far as it can be seen."""
    each = source.of("parameter").get(said(value)) if value.type == "identifier" else None
    found = each.declared if each is not None else KINDS.get(value.type, declared)
    if found != declared:
        yield line(value), f"{where} must be {declared}, and {said(value)[:60]} is {found}"


def _holds(source: Source, value: Node, other: Source, parameter: Declaration) -> Iterator[Finding]:
    """An object, or a list of them, has the names that a module reads of it, and no more."""
    read_of, is_whole = _read_of(other, parameter.name)
    if value.type == "identifier" and (variable := source.of("variable").get(said(value))) is not None:
        value = variable.value or value
    for each in value.named_children if value.type == "array" else [value]:
        if each.type != "object" or (not read_of and is_whole):
            continue
        given = {name for name, _, _ in pairs(each) if name is not None}
        for name in sorted(read_of - given):
            yield line(each), f"{other.path.name} reads {parameter.name}.{name}, and it is not given"
        for name in sorted(given - read_of) if not is_whole else []:
            yield line(each), f"{other.path.name} never reads {parameter.name}.{name}"


def _read_of(other: Source, name: str) -> tuple[set[str], bool]:
    """Give the names that a file reads of a parameter, or of an element of it; and whether it hands it on whole."""
    found: set[str] = set()
    is_whole = False
    for node in uses(other.root):
        loop = node.parent if node.parent is not None and node.parent.type == "for_statement" else None
        if said(node) == name and loop is not None:
            elements = [each for each in looped(loop) if each != "index"]
            found |= {key for inner in uses(loop) if said(inner) in elements for key in _member_of(inner)}
        elif said(node) == name:
            keys = _member_of(node)
            found |= keys
            is_whole = is_whole or not keys
    return found, is_whole


def _member_of(node: Node) -> set[str]:
    above = node.parent
    if above is None or above.type != "member_expression" or above.child_by_field_name("object") != node:
        return set()
    return {said(above.child_by_field_name("property") or node)}


def _output(source: Source, each: Declaration, names: list[str], node: Node) -> Iterator[Finding]:
    other = _module(source, each)
    if other is None or names == ["name"]:
        return
    outputs = other.of("output")
    if names[0] != "outputs" or len(names) < 2:
        yield line(node), f"of the module {each.name} only outputs can be read"
    elif names[1] not in outputs:
        yield line(node), f"{each.declared} has no output {names[1]}"
    elif len(names) > 2:
        value = outputs[names[1]].value
        if value is None or value.type != "object" or member(value, names[2]) is None:
            yield line(node), f"the output {names[1]} of {each.declared} has no {names[2]}"


def _property(found: Known, where: str, names: list[str], node: Node) -> Iterator[Finding]:
    shape = found.body
    if shape.kinds:
        shape = next(iter(shape.kinds.values()))
    for name in names:
        told = shape.properties.get(name)
        if told is None:
            yield line(node), f"{where} has no property {name}"
            return
        if told.type not in found.shapes:
            return
        shape = found.shapes[told.type]
        if shape.others is not None or shape.kinds:
            return


def _called(root: Node) -> Iterator[tuple[Node, set[str]]]:
    """Give the name of each function that is called, and those that there may be."""
    for node in walk(root):
        name = node.child_by_field_name("function") if node.type == "call_expression" else None
        if name is not None:
            is_decorator = node.parent is not None and node.parent.type == "decorator"
            yield name, DECORATORS if is_decorator else FUNCTIONS


def _loaded(root: Node) -> Iterator[tuple[Node, str]]:
    for node in walk(root):
        if node.type == "call_expression" and said(node.named_children[0]) in LOADED:
            path = literal(bare(node.named_children[1].named_children[0]))
            if path is not None:
                yield node, path


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found
