"""What a request asks for, checked once: below here every value is known to be good."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple, TypeVar, get_args

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from ..errors import UsageError
from ..lake.tables import BARS, GAPS, INSIGHTS, SCORES
from ..quote import is_product_id

SHOWN = {table.name: table for table in (BARS, SCORES, GAPS, INSIGHTS)}
"""The tables that can be asked for."""
MOST_ROWS = 10_000
WRITTEN = "^[A-Za-z0-9_-]{1,200}$"
"""How `after` is written."""
TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
Output = Literal["json", "csv", "arrow", "parquet"]
Order = Literal["asc", "desc"]
_OF_ALL = ("product_id", "start", "end", "order", "columns", "limit", "after", "format")
NAMES = {name: (*_OF_ALL, "length") if name == BARS.name else _OF_ALL for name in SHOWN}
"""The parameters of each table."""
LENGTHS = ("1m", "5m", "1h")
_WHOLE = re.compile(r"[0-9]{1,13}", re.ASCII).fullmatch
_WRITTEN = re.compile(WRITTEN, re.ASCII).fullmatch
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first microsecond of the year 1, and the last of the year 9999."""
T = TypeVar("T", bound=str)


class NoPageError(UsageError):
    """It may be written as the end of a page is, and it is none."""


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Behind which row the next page begins: it holds whatever rows are added meanwhile."""

    table: str
    made: str
    """Which table of that name it is of: where it was made anew, places are others."""
    time: Annotated[int, msgspec.Meta(ge=_EARLIEST, le=_LATEST)]
    """Of that row, in microseconds UTC."""
    row: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    """Its place in the table, counted from 0: no two of its rows have one, and it never changes."""

    @property
    def text(self) -> str:
        """What stands for it in an address."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


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
    order: Order = "asc"
    """By time, and at the same time as they were made; `desc` gives the newest row first."""
    after: Cursor | None = None
    """What was given already."""
    output: Output = "json"
    columns: tuple[str, ...] = ()
    """Their names, in the order in which they are given; all of the table where there is none."""


def product_of(request: Request) -> str:
    """Give the product in the path. Raises UsageError when it cannot be one."""
    return _product(request.path_params["product_id"])


def product_asked_for(given: QueryParams) -> str:
    """Give the product whose figures are asked for; empty where none is. Raises UsageError when it cannot be one."""
    parameters = _once(given)
    for name in parameters:
        if name not in ("product_id", "token"):
            raise UsageError(f"{name[:40]!a} is no parameter of the stream.", "There is product_id.")
    text = parameters.get("product_id", "")
    return text and _product(text)


def choice_of(table: str, given: QueryParams) -> Choice:
    """Read the parameters of a table. Raises UsageError, naming the one that is wrong."""
    parameters = _once(given)
    for name in parameters:
        if name not in NAMES[table] and name != "token":
            raise UsageError(f"{name[:40]!a} is no parameter of {table}.", f"There are {', '.join(NAMES[table])}.")
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
        _one_of(parameters, "order", get_args(Order)),
        None if "after" not in parameters else _cursor(table, parameters["after"]),
        _one_of(parameters, "format", get_args(Output)),
        _columns(table, parameters.get("columns")),
    )


def _once(given: QueryParams) -> dict[str, str]:
    """Give each parameter. Raises UsageError when one is there twice: which of them counts, nobody could know."""
    for name in given:
        if len(given.getlist(name)) > 1:
            raise UsageError(f"{name[:40]!a} is there more than once.", "Name each parameter once.")
    return dict(given)


def _one_of(parameters: Mapping[str, str], name: str, there_are: tuple[T, ...]) -> T:
    text = parameters.get(name, there_are[0])
    for each in there_are:
        if each == text:
            return each
    raise UsageError(f"{text[:40]!a} is no {name}.", f"There are {', '.join(there_are)}.")


def _columns(table: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names, there_are = text.split(","), [column.name for column in SHOWN[table].columns]
    for name in names:
        if name not in there_are:
            raise UsageError(f"{name[:40]!a} is no column of {table}.", f"Name some of {', '.join(there_are)}.")
    return tuple(dict.fromkeys(names))


def _cursor(table: str, text: str) -> Cursor:
    """Read where the page before has ended; only what we wrote ourselves, to the letter."""
    if _WRITTEN(text) is None:
        raise UsageError(f"{text[:40]!a} is no after.", "It is `next` of the page before, as it stands there.")
    try:
        found = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
        if found.text == text and found.table == table:
            return found
    except ValueError:
        pass
    raise NoPageError(f"{text[:40]!a} is no after of {table}.", "It is `next` of the page before, as it stands there.")


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
