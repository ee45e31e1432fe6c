"""The command that copies tables of a lake into a warehouse. What it needs is imported when it is called."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_repeat import Repeating
from .cli_talk import Telling, lacks, say
from .options import EveryOption, HealthHostOption, HealthPortOption, LakeArgument

if TYPE_CHECKING:
    from collections.abc import Callable


class PublishedTable(StrEnum):
    """The tables that are published."""

    INSIGHTS = "insights"
    BARS = "bars"
    SCORES = "scores"
    GAPS = "gaps"


def publish(
    lake: LakeArgument,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="duckdb:///FILE.duckdb, postgresql://USER@HOST/DATABASE or mssql://USER@HOST/DATABASE.",
        ),
    ],
    table: Annotated[
        list[PublishedTable] | None,
        typer.Option("--table", help="Which table; repeat it for several; all if none is named."),
    ] = None,
    every: EveryOption = None,
    health_port: HealthPortOption = None,
    health_host: HealthHostOption = None,
) -> None:
    """Copy tables of a lake into a warehouse, for analysts and dashboards; go on where they end there."""
    try:
        from .warehouse.address import Address
        from .warehouse.publish import TABLES
        from .warehouse.publish import publish as send
    except ImportError as error:
        raise lacks("publish", error) from error
    repeating = Repeating.typed(every, health_host, health_port)
    address = Address.parse(to)
    wanted = [declared for declared in TABLES if table is None or declared.name in table]

    def go_on(moved: "Callable[[], None]") -> None:
        told = Telling(moved)
        try:
            sent = send(lake, address, wanted, told.tell)
        except ImportError as error:
            raise lacks("publish", error) from error
        finally:
            told.end()
        for each in sent:
            if each.is_replaced:
                say(f"{each.name} was published anew: what was there is not what the lake has")
        say(f"{', '.join(f'{each.rows:,} new {each.name}' for each in sent)} in {address.shown}")

    repeating.do(go_on)
