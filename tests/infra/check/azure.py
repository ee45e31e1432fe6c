"""What Azure has: resource types, their newest API version, and each property with its type, from Microsoft's packages.

The types of Bicep's own compiler are in `msmcp-azure`; it cannot give those of three providers, which are taken from
the models of Microsoft's Python clients. Nothing here asks the network.
"""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

Json = dict[str, Any]
KEPT = Path(sys.prefix) / "types" / version("msmcp-azure")
"""Each answer is kept: a question takes a second or two."""

MODELS = {
    "microsoft.dbforpostgresql/flexibleservers": ("2024-08-01", "postgresqlflexibleservers.models", "Server"),
    "microsoft.dbforpostgresql/flexibleservers/databases": (
        "2024-08-01", "postgresqlflexibleservers.models", "Database",
    ),
    "microsoft.dbforpostgresql/flexibleservers/firewallrules": (
        "2024-08-01", "postgresqlflexibleservers.models", "FirewallRule",
    ),
    "microsoft.dbforpostgresql/flexibleservers/administrators": (
        "2024-08-01", "postgresqlflexibleservers.models", "ActiveDirectoryAdministratorAdd",
    ),
    "microsoft.insights/actiongroups": ("2023-01-01", "monitor.v2023_01_01.models", "ActionGroupResource"),
    "microsoft.insights/metricalerts": ("2018-03-01", "monitor.v2018_03_01.models", "MetricAlertResource"),
    "microsoft.insights/diagnosticsettings": (
        "2021-05-01-preview", "monitor.v2021_05_01_preview.models", "DiagnosticSettingsResource",
    ),
    "microsoft.network/privatednszones": ("2024-06-01", "privatedns.models", "PrivateZone"),
    "microsoft.network/privatednszones/virtualnetworklinks": ("2024-06-01", "privatedns.models", "VirtualNetworkLink"),
}  # fmt: skip
PLAIN = {"str": "string", "int": "int", "bool": "bool", "float": "int", "iso-8601": "string", "duration": "string"}


@dataclass(frozen=True)
class Property:
    """What stands under a name."""

    type: str
    """`string`, `int`, `bool`, `any`, the name of a shape, `A | B | string`, or one of these with `[]` behind it."""
    required: bool = False
    given: bool = True
    """False where Azure fills it in."""


@dataclass(frozen=True)
class Shape:
    """What an object may hold."""

    properties: dict[str, Property]
    others: str | None = None
    """The type of all other names; None where there may be none."""
    by: str = ""
    """The property whose value decides which of `kinds` it is."""
    kinds: dict[str, "Shape"] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """A resource type."""

    version: str
    body: Shape
    shapes: dict[str, Shape]


@cache
def known(name: str) -> Known | None:
    """Give what Azure has under a type's name; None where it has nothing."""
    if name.lower() in MODELS:
        return _from_models(*MODELS[name.lower()])
    answer = _asked(name)
    resource = next((each for each in answer if each["$type"] == "Resource"), None)
    if resource is None or resource["name"].partition("@")[0] != name:
        return None
    objects = {each["name"]: _shape(each) for each in answer if each["$type"] in ("Object", "DiscriminatedObject")}
    return Known(resource["name"].partition("@")[2], _shape(resource["bodyType"]), objects)


def _asked(name: str) -> list[Json]:
    if not re.fullmatch(r"[A-Za-z.]+(/[A-Za-z]+)+", name):
        return []
    kept = KEPT / f"{name.replace('/', '_')}.json"
    if not kept.exists():
        program = Path(sys.prefix) / "bin" / "azmcp"
        quiet = {**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"}
        ask = [str(program), "bicepschema", "get", "--resource-type", name]
        text = subprocess.run(ask, capture_output=True, text=True, check=False, env=quiet).stdout
        answer = json.loads(text[text.index("{") :])
        if answer["status"] != 200:
            return []
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(answer["results"]["BicepSchemaResult"]))
        part.replace(kept)
    found: list[Json] = json.loads(kept.read_text())
    return found


def _shape(found: Json) -> Shape:
    if found["$type"] == "DiscriminatedObject":
        base = _properties(found["baseProperties"])
        kinds = {}
        for each in found["elements"]:
            own = _properties(each["properties"])
            kinds[own[found["discriminator"]].type] = Shape({**base, **own}, each.get("additionalPropertiesType"))
        return Shape(base, by=found["discriminator"], kinds=kinds)
    return Shape(_properties(found["properties"]), found.get("additionalPropertiesType"))


def _properties(found: list[Json]) -> dict[str, Property]:
    flags = {each["name"]: each.get("flags", "") for each in found}
    return {
        each["name"]: Property(each["type"], "Required" in flags[each["name"]], "ReadOnly" not in flags[each["name"]])
        for each in found
    }


def _from_models(number: str, module: str, model: str) -> Known:
    models = importlib.import_module(f"azure.mgmt.{module}")
    shapes: dict[str, Shape] = {}
    _add_model(models, model, shapes)
    body = shapes[model]
    name = {"name": Property("string", required=True)}
    return Known(number, Shape({**body.properties, **name}), shapes)


def _add_model(models: Any, model: str, shapes: dict[str, Shape]) -> None:
    """Take a model and those that it holds; `properties.x` stands in an object of its own, as in what is sent."""
    kind = getattr(models, model)
    shapes[model] = Shape({})
    for attribute, told in kind._attribute_map.items():
        rule = kind._validation.get(attribute, {})
        *above, last = _names(told["key"])
        if not last:  # Whatever else there may be: what we do not know, we do not say.
            continue
        shape = model
        for each in above:
            shapes[shape].properties.setdefault(each, Property(f"{shape}.{each}"))
            shape = f"{shape}.{each}"
            shapes.setdefault(shape, Shape({}))
        is_required, is_given = bool(rule.get("required")), not rule.get("readonly")
        shapes[shape].properties[last] = Property(_type(models, kind, attribute, told["type"]), is_required, is_given)
        inner = told["type"].strip("[]")
        if hasattr(models, inner) and inner not in shapes:
            _add_model(models, inner, shapes)
    for attribute, kinds in (vars(kind).get("_subtype_map") or {}).items():
        (by,) = _names(kind._attribute_map[attribute]["key"])
        for each in kinds.values():
            if each not in shapes:
                _add_model(models, each, shapes)
        ways = {
            value: Shape({**shapes[each].properties, by: Property(value, required=True)})
            for value, each in kinds.items()
        }
        shapes[model] = Shape(shapes[model].properties, by=by, kinds=ways)


def _names(key: str) -> list[str]:
    """Take the path of a property apart; a dot in a name is written `\\.`."""
    return [each.replace("\\.", ".") for each in re.split(r"(?<!\\)\.", key)]


def _type(models: Any, kind: Any, attribute: str, told: str) -> str:
    if told.startswith("["):
        return _type(models, kind, attribute, told[1:-1]) + "[]"
    if told.startswith("{"):
        return "any"
    parameter = inspect.signature(kind).parameters.get(attribute)
    for name in re.findall(r"_models\.(\w+)", str(parameter.annotation) if parameter else ""):
        if issubclass(getattr(models, name), Enum):
            return " | ".join([each.value for each in getattr(models, name)] + ["string"])
    return PLAIN.get(told, told)
