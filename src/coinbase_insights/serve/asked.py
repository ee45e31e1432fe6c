"""What a request asks for, checked once: below here every value is known to be good."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

from starlette.requests import Request

from ..errors import UsageError
from ..quote import is_product_id

TIMES = {"bars": "start", "scores": "hour", "gaps": "start", "insights": "time"}
"""The tables that can be asked for, and the time by which each is chosen."""
MOST_ROWS = 10_000
MOST_AFTER = 10**12
TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
Output = Literal["json", "csv", "arrow", "parquet"]
NAMES = {
    "bars": ("product_id", "length", "start", "end", "limit", "after", "format"),
    "scores": ("product_id", "start", "end", "limit", "after", "format"),
    "gaps": ("product_id", "start", "end", "limit", "after", "format"),
    "insights": ("product_id", "start", "end", "limit", "after", "format"),
}
"""The parameters of each table."""
LENGTHS = ("1m", "5m", "1h")
_WHOLE = re.compile(r"[0-9]{1,13}", re.ASCII).fullmatch


class Choice(NamedTuple):
    """Which rows of a table."""

    table: str
    product_id: str | None = None
    length: str | None = None
    """Of bars."""
    start: str | None = None
    """UTC; rows of this time and later ones."""
    end: str | None = None
    """Rows of earlier times only."""
    limit: int = 1000
    after: int = 0
    """Rows that were given already."""
    output: Output = "json"


def product_of(request: Request) -> str:
    """Give the product in the path. Raises UsageError when it cannot be one."""
    return _product(request.path_params["product_id"])


def product_asked_for(parameters: Mapping[str, str]) -> str:
    """Give the product whose figures are asked for; empty where none is. Raises UsageError when it cannot be one."""
    for name in parameters:
        if name not in ("product_id", "token"):
            raise UsageError(f"{name[:40]!a} is no parameter of the stream.", "There is product_id.")
    text = parameters.get("product_id", "")
    return text and _product(text)


def choice_of(table: str, parameters: Mapping[str, str]) -> Choice:
    """Read the parameters of a table. Raises UsageError, naming the one that is wrong."""
    for name in parameters:
        if name not in NAMES[table] and name != "token":
            raise UsageError(f"{name[:40]!a} is no parameter of {table}.", f"There are {', '.join(NAMES[table])}.")
    output = parameters.get("format", "json")
    if output not in get_args(Output):
        raise UsageError(f"{output[:40]!a} is no format.", f"There are {', '.join(get_args(Output))}.")
    length = parameters.get("length")
    if length is not None and length not in LENGTHS:
        raise UsageError(f"{length[:40]!a} is no length of bars.", f"There are {', '.join(LENGTHS)}.")
    return Choice(
        table,
        None if "product_id" not in parameters else _product(parameters["product_id"]),
        length,
        _time(parameters, "start"),
        _time(parameters, "end"),
        _whole(parameters, "limit", 1000, 1, MOST_ROWS),
        _whole(parameters, "after", 0, 0, MOST_AFTER),
        next(each for each in get_args(Output) if each == output),
    )


def _product(text: str) -> str:
    if not is_product_id(text):
        raise UsageError(f"{text[:40]!a} is not a product id.", "Product ids look like ETH-USD.")
    return text


def _time(parameters: Mapping[str, str], name: str) -> str | None:
    """Read a time with its zone; give it in UTC, without, as the tables have it."""
    if name not in parameters:
        return None
    text = parameters[name]
    try:
        found = datetime.fromisoformat(text.replace(" ", "+") if len(text) < 40 else "")
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text[:40]!a} is no time.", f"Write {name} as 2026-11-26T13:00:00Z.") from error
    return found.replace(tzinfo=None).isoformat()


def _whole(parameters: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = parameters.get(name, str(usual))
    if _WHOLE(text) is None or not least <= int(text) <= most:
        raise UsageError(f"{text[:40]!a} is no {name}.", f"It is a whole number from {least} to {most}.")
    return int(text)
