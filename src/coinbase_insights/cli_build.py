"""The commands that make tables and ask them: `build` and `sql`. What they need is imported when they are called."""

import sys
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_repeat import Repeating
from .cli_talk import Telling, chosen_model, lacks, say, say_late
from .errors import UsageError
from .options import (
    Channel,
    ChosenForecasterOption,
    EveryOption,
    HealthHostOption,
    HealthPortOption,
    LakeArgument,
    ModelOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine.model import Model
    from .lake.step import Progress


class Engine(StrEnum):
    """What makes the figures."""

    LOCAL = "local"
    SPARK = "spark"


class AnswerFormat(StrEnum):
    """Ways to give an answer."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def build(
    lake: LakeArgument,
    channel: Annotated[Channel, typer.Option(help="The channel that was collected.")] = Channel.TICKER_BATCH,
    forecaster: ChosenForecasterOption = None,
    model: ModelOption = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="LOG", help="Which log of raw, where it holds several.")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where the figures are made: here, or by Spark.")] = Engine.LOCAL,
    master: Annotated[
        str | None,
        typer.Option(
            "--master", metavar="MASTER", show_default="local[*]", help="Of --engine spark, where none runs already."
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Set aside what was built before, and begin at the start of raw.")
    ] = False,
    every: EveryOption = None,
    health_port: HealthPortOption = None,
    health_host: HealthHostOption = None,
) -> None:
    """Make quotes, insights, bars, scores and gaps from what was collected; go on where the tables end."""
    try:
        from .lake.build import fold_quotes, read_quotes, refuse
    except ImportError as error:
        raise lacks("build", error) from error
    if master is not None and engine is not Engine.SPARK:
        raise UsageError("--master is that of Spark.", "Add --engine spark, or leave it out.")
    if anew and every is not None:
        raise UsageError("--anew is done once, and --every again and again.", "Leave one of them out.")
    repeating = Repeating.typed(every, health_host, health_port)
    from .engine.compiled import COMPILING, is_compiled
    from .show.summary import left_out

    if not is_compiled():
        say(COMPILING)
    begun_with = chosen_model(model, forecaster)
    fold = fold_quotes if engine is Engine.LOCAL else _on_spark(master or "local[*]")
    if anew:
        from .lake.repair import set_aside
        from .lake.tables import BUILT

        refuse(lake, channel, log)
        for done in set_aside(lake, BUILT):
            say(done)

    def go_on(moved: "Callable[[], None]") -> None:
        told = Telling(moved)
        try:
            made = read_quotes(lake, channel, log, told.tell) | fold(lake, begun_with, told.tell)
        finally:
            told.end()
        say_late(begun_with, told.late)
        say(", ".join(f"{rows:,} new {name}" for name, rows in made.items()))
        if told.counts is not None and (others := left_out(told.counts)):
            say(f"left out: {', '.join(others)}")

    repeating.do(go_on)


def _on_spark(master: str) -> "Callable[[str, Model, Callable[[Progress], None]], dict[str, int]]":
    """Start Spark, or find it running, and give what folds there."""
    try:
        from .lake.spark import fold_on_spark, session

        spark = session(master)
    except ImportError as error:
        raise lacks("--engine spark", error) from error
    return partial(fold_on_spark, spark)


def sql(
    lake: LakeArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help='Such as "select * from bars".')],
    output: Annotated[AnswerFormat, typer.Option("--format", help="How to give the answer.")] = AnswerFormat.TABLE,
) -> None:
    """Ask the lake's tables in SQL, in DuckDB's words."""
    try:
        from .lake.ask import ask
    except ImportError as error:
        raise lacks("sql", error) from error
    if output is AnswerFormat.PARQUET and sys.stdout.isatty():
        raise UsageError("A Parquet file is not for eyes.", "Write it to a file: ... --format parquet > answer.parquet")
    from .lake.answer import drawn, json_lines, write

    answer = ask(lake, query)
    if output is AnswerFormat.TABLE:
        print(drawn(answer))
    elif output is AnswerFormat.JSON:
        for line in json_lines(answer):
            print(line)
    else:
        write(answer, output.value, sys.stdout.buffer)
