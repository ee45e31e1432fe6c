"""What can be asked, described for programs (spec.openapis.org/oas/v3.1.0)."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from .. import __version__
from ..engine.insight import Insight
from ..lake.tables import Kind, Table
from .asked import LENGTHS, MOST_ROWS, NAMES, SHOWN, TYPES, WRITTEN, Order, Output
from .frame import Frame, Point

PRODUCT = {"type": "string", "pattern": "^[A-Z0-9]{1,20}-[A-Z0-9]{1,20}$", "examples": ["ETH-USD"]}
PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "product_id": ("Of this product alone.", PRODUCT),
    "length": ("Bars of this length alone.", {"enum": list(LENGTHS)}),
    "start": ("Rows of this time and later, UTC where no zone is said.", {"type": "string", "format": "date-time"}),
    "end": ("Rows of earlier times only.", {"type": "string", "format": "date-time"}),
    "columns": ("Only these columns, in this order, with commas.", {"type": "string"}),
    "limit": ("How many rows.", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 1000}),
    "order": (
        "By time, and at one time as they were made: the first of them first, or the last.",
        {"enum": list(get_args(Order)), "default": "asc"},
    ),
    "after": (
        "Rows behind those of the page before: its `next`, or the address in its header Link.",
        {"type": "string", "pattern": WRITTEN},
    ),
    "format": ("How to give them.", {"enum": list(get_args(Output)), "default": "json"}),
}
JSON: dict[Kind, tuple[str, dict[str, str]]] = {
    "text": ("string", {}),
    "name": ("string", {}),
    "whole": ("integer", {}),
    "small": ("integer", {}),
    "real": ("number", {}),
    "price": ("string", {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
    "size": ("string", {"pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
    "time": ("string", {"format": "date-time"}),
    "truth": ("boolean", {}),
}
"""What a column of each kind is in JSON."""
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "hint": {"type": "string"}},
}


def openapi() -> dict[str, Any]:
    """Give the description."""
    (frame, insight, point), components = msgspec.json.schema_components(
        [Frame, Insight, Point], ref_template="#/components/schemas/{name}"
    )
    has = {"has_live": {"type": "boolean"}, "has_lake": {"type": "boolean"}}
    followed = {"live": {"anyOf": [frame, {"type": "null"}]}}
    past = {"products": {"type": "array", "items": PRODUCT}, "trouble": {"type": ["string", "null"]}}
    newest = {"state": {"type": "string"}, "is_live": {"type": "boolean"}, "now": {"type": "string"}}
    paths = {
        "/api/products": _path(
            "All products in a line each.",
            _object(followed | has),
        ),
        "/api/lake": _path(
            "The products that the lake has bars of; where it cannot be read, none, and what the trouble is.",
            _object(past),
        ),
        "/api/insights/{product_id}": _path(
            "The newest insight of a product, live.",
            _object(newest | {"insight": {"anyOf": [insight, {"type": "null"}]}}),
            [_of_path()],
        ),
        "/api/chart/{product_id}": _path(
            "What the charts of a product show, oldest first, a point a second at most.",
            _object({"points": {"type": "array", "items": point}}),
            [_of_path()],
        ),
        "/api/stream": _path(
            "The newest frame, a few times a second, as server-sent events; each is JSON as the schema Frame. "
            "Where a lake alone is served there are none: 404.",
            {"type": "string"},
            [_of_query("product_id")],
            kind="text/event-stream",
        ),
        **{f"/api/{name}": _table(name) for name in SHOWN},
    }
    about = "Live figures of Coinbase's market data, and the tables of a lake. Nothing can be changed here."
    return {
        "openapi": "3.1.0",
        "info": {"title": "coinbase_insights", "version": __version__, "description": about},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": ERROR, **{name: _row(table) for name, table in SHOWN.items()}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],  # Whether it is needed, the server's owner has said.
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _table(name: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{name}"}
    about_id = "Of the table: another one where it was made anew, and rows are others."
    rows = _object(
        {
            "rows": {"type": "array", "items": row},
            "next": {"type": ["string", "null"]},
            "table_id": {"type": "string", "description": about_id},
        }
    )
    path = _path(f"Rows of the lake's table {name}, by time.", rows, [_of_query(each, name) for each in NAMES[name]])
    contents = path["get"]["responses"]["200"]["content"]
    contents |= {kind: {"schema": {"type": "string"}} for output, kind in TYPES.items() if output != "json"}
    path["get"]["responses"]["200"]["headers"] = {
        "ETag": {"description": "Names this answer; send it as If-None-Match.", "schema": {"type": "string"}},
        "Link": {"description": "The address of the next page, where there is one.", "schema": {"type": "string"}},
    }
    path["get"]["responses"]["304"] = {"description": "What you have is still right (If-None-Match)."}
    return path


def _row(table: Table) -> dict[str, Any]:
    """Describe a row: all columns, or those that were asked for."""
    properties = {}
    for column in table.columns:
        kind, form = JSON[column.kind]
        about = f"{column.meaning} ({column.unit})" if column.unit else column.meaning
        properties[column.name] = {"type": [kind, "null"] if column.nullable else kind, "description": about, **form}
    return {"type": "object", "description": table.meaning, "properties": properties, "additionalProperties": False}


def _path(
    about: str,
    schema: dict[str, Any],
    parameters: Sequence[dict[str, Any]] = (),
    kind: str = "application/json",
) -> dict[str, Any]:
    refused = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    answers = {
        "200": {"description": "Well.", "content": {kind: {"schema": schema}}},
        "401": {"description": "A token is needed, where the server has one.", **refused},
        "403": {"description": "The request calls the server by another name, or is of another origin.", **refused},
        "400": {"description": "A parameter is wrong; the answer says which.", **refused},
        "404": {"description": "There is no such product, no lake, or nothing live.", **refused},
        "503": {"description": "The lake cannot be read now, or too many look.", **refused},
    }
    return {"get": {"summary": about, "parameters": list(parameters), "responses": answers}}


def _of_path() -> dict[str, Any]:
    return {"name": "product_id", "in": "path", "required": True, "schema": PRODUCT}


def _of_query(name: str, table: str = "") -> dict[str, Any]:
    about, schema = PARAMETERS[name]
    if name == "columns":
        word = f"({'|'.join(column.name for column in SHOWN[table].columns)})"
        schema = schema | {"pattern": f"^{word}(,{word})*$"}
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}
