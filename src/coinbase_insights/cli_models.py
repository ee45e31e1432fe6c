"""The commands that make and judge forecasters. What they need is imported when they are called."""

from pathlib import Path
from typing import Annotated

import typer

from .cli_talk import lacks, say
from .options import Channel, Forecaster, ListFormat, ListFormatOption


def backtest(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A recording, a folder of them, or a 5-second grid (.parquet).")
    ],
    forecaster: Annotated[
        list[Forecaster] | None, typer.Option("--forecaster", help="Which to judge; all if none is named.")
    ] = None,
    channel: Annotated[
        Channel, typer.Option(help="Take quotes from tickers, or from the level2 book.")
    ] = Channel.TICKER,
    output: ListFormatOption = ListFormat.LINES,
) -> None:
    """Judge the forecasters on what has been: how wrong each was, beside "nothing changes"."""
    try:
        from .models.backtest import HEADS
        from .models.backtest import backtest as judge
        from .models.backtest import rows as rows_of
    except ImportError as error:
        raise lacks("backtest", error) from error
    from .show.listing import json_lines, table

    rows = rows_of(judge(path, tuple(forecaster or list(Forecaster)), channel, say))
    print(json_lines(HEADS, rows) if output is ListFormat.JSON else table(HEADS, rows))
