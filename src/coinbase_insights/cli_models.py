"""The commands that make and judge forecasters. What they need is imported when they are called."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import settings
from .cli_talk import lacks, say
from .errors import RecordingError, UsageError
from .options import Channel, Forecaster, ListFormat, ListFormatOption

if TYPE_CHECKING:
    from .models.backtest import Judgement


def backtest(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Recordings, folders of them, 5-second grids (.parquet), or lakes."),
    ],
    forecaster: Annotated[
        list[Forecaster] | None, typer.Option("--forecaster", help="Which to judge; all if none is named.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option("--grid", metavar="GRID", help='Try all of these: "ridge=1,3,10 half_life_h=6,24".')
    ] = None,
    channel: Annotated[
        Channel, typer.Option(help="Take quotes from tickers, or from the level2 book.")
    ] = Channel.TICKER,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write a page with pictures, to read in a browser.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="LAKE", help="Add the rows to the table backtests of a lake.")
    ] = None,
    output: ListFormatOption = ListFormat.LINES,
) -> None:
    """Judge the forecasters on what has been: how wrong each was, beside "nothing changes"."""
    combinations = None if grid is None else settings.grid(grid)
    if report is not None and not report.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {report.parent} to write {report.name} in.", "Make it, or name another.")
    run_at = time.time_ns() // 1000
    try:
        from .models.backtest import HEADS, KEPT_HEADS, Question
        from .models.backtest import backtest as judge
        from .models.backtest import rows as rows_of
    except ImportError as error:
        raise lacks("backtest", error) from error
    from .show.listing import json_lines, table

    question = Question(tuple(forecaster or list(Forecaster)), channel=channel, with_curves=report is not None)
    if combinations is not None:
        question = question._replace(grid=combinations)
    judgements = judge(paths, question, say)
    is_json = output is ListFormat.JSON
    heads: tuple[str, ...] = ("source", *HEADS) if is_json or len(paths) > 1 else HEADS
    rows = rows_of(judgements, heads)
    print(json_lines(heads, rows) if is_json else table(heads, rows))
    sys.stdout.flush()
    if to is not None:
        from .lake.backtests import keep

        keep(to, run_at, rows_of(judgements, KEPT_HEADS))
        say(f"{len(judgements):,} new backtests in {to}")
    if report is not None:
        _write(report, judgements, run_at)


def _write(path: Path, judgements: "list[Judgement]", run_at: int) -> None:
    from .models.report import report

    try:
        path.write_text(report(judgements, run_at), encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from error
    say(f"the report is in {path}")
