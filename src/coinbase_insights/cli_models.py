"""The commands that make and judge forecasters. What they need is imported when they are called."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import settings
from .cli_talk import lacks, say
from .errors import RecordingError, UsageError
from .options import Channel, Forecaster, LakeArgument, ListFormat, ListFormatOption
from .show.numbers import counted, p_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .models.backtest import Judgement
    from .show.listing import Value


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
        Channel, typer.Option(help="Of recordings: take quotes from tickers, or from the level2 book.")
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
    paths = list(dict.fromkeys(paths))
    combinations = None if grid is None else settings.grid(grid)
    if report is not None:
        _refuse_report(report, paths)
    run_at = time.time_ns() // 1000
    try:
        from .models.backtest import HEADS, KEPT_HEADS, Question
        from .models.backtest import backtest as judge
        from .models.backtest import rows as rows_of
    except ImportError as error:
        raise lacks("backtest", error) from error
    from .show.listing import json_lines, table

    if to is not None:
        from .lake.backtests import begin

        begin(to)
    question = Question(tuple(forecaster or list(Forecaster)), channel=channel, with_curves=report is not None)
    if combinations is not None:
        question = question._replace(grid=combinations)
    judgements = judge(paths, question, say)
    is_json = output is ListFormat.JSON
    heads: tuple[str, ...] = ("source", *HEADS) if is_json or len(paths) > 1 else HEADS
    rows = rows_of(judgements, heads)
    print(json_lines(heads, rows) if is_json else table(heads, _for_eyes(heads, rows)))
    sys.stdout.flush()
    if to is not None:
        from .lake.backtests import keep

        keep(to, run_at, rows_of(judgements, KEPT_HEADS))
        say(f"{counted(len(judgements), 'new row')} of backtests in {to}")
    if report is not None:
        _write(report, judgements, run_at)


def _for_eyes(heads: "Sequence[str]", rows: "Sequence[Sequence[Value]]") -> "list[list[Value]]":
    """Write p-values as far as they are known."""
    return [
        [
            p_text(value) if head == "p_value" and isinstance(value, float) else value
            for head, value in zip(heads, row, strict=True)
        ]
        for row in rows
    ]


def _write(path: Path, judgements: "list[Judgement]", run_at: int) -> None:
    from .models.report import report

    try:
        path.write_text(report(judgements, run_at), encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from error
    say(f"the report is in {path}")


def train(
    lake: LakeArgument,
    forecaster: Annotated[Forecaster, typer.Option("--forecaster", help="What is to learn.")] = Forecaster.TILT,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the model is called in the lake.")] = "tilt",
    held_out: Annotated[
        str, typer.Option("--held-out", metavar="TIME", help="What it is judged on: the last 20%, 0.2, 6h or 1d.")
    ] = "0.2",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Write the model here too; a new or empty folder.")
    ] = None,
    output: ListFormatOption = ListFormat.LINES,
) -> None:
    """Learn from a lake's quotes, be judged on time held out, and keep it as a model; the champion if it is better."""
    share, seconds = settings.held_out(held_out)
    settings.model_name(name)
    if to is not None and (to.is_file() or (to.is_dir() and any(to.iterdir()))):
        raise UsageError(f"There is something in {to} already.", "Name a new folder after --to.")
    try:
        from .engine.compiled import COMPILING, is_compiled
        from .models import registry
        from .models.folder import Standing
        from .models.train import HeldOut, model_to_train
        from .models.train import train as learn
    except ImportError as error:
        raise lacks("train", error) from error
    from .show.listing import json_lines, table

    untaught = model_to_train(name, registry.next_version(lake, name), forecaster)
    if to is not None:
        _make_folder(to)
    if not is_compiled():
        say(COMPILING)
    champion = registry.champion(lake, name)
    trained = learn(lake, untaught, HeldOut(share, seconds), champion, _learning(time.monotonic()))
    card, files = registry.register(lake, untaught, trained, champion)
    if to is not None:
        registry.write_files(str(to), files)
    heads = Standing.__struct_fields__
    rows = [[getattr(each, head) for head in heads] for each in card.scores]
    print(json_lines(heads, rows) if output is ListFormat.JSON else table(heads, _for_eyes(heads, rows)))
    say(
        f"learned of {card.rows:,} quotes until {card.last_time}; judged on the {card.held_out_rows:,} after {card.cut}"
    )
    say(f"{untaught.name} is {'the new champion' if card.champion else 'not the champion'}: {card.reason}")
    say(f"it is in {registry.folder_of(lake, card.name, card.version)}")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}.", "Name another folder after --to.") from error
    if not os.access(path, os.W_OK):
        raise UsageError(f"{path} cannot be written.", "Name another folder after --to.")


def _refuse_report(report: Path, paths: list[str]) -> None:
    """Refuse a file that could not be written in the end, or that would take the place of what is judged."""
    folder = report.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"There is no folder {report.parent} to write {report.name} in.", "Make it, or name another.")
    if report.is_dir() or not os.access(report if report.exists() else folder, os.W_OK):
        raise UsageError(f"{report} cannot be written.", "Name another file after --report.")
    place = report.resolve()
    for path in paths:
        source = Path(path).resolve()
        is_same = report.exists() and source.exists() and report.samefile(source)
        if "://" not in path and (is_same or place == source or source in place.parents):
            raise UsageError(f"{report} would be written into {path}, which is judged.", "Name another file.")


def _learning(began: float) -> "Callable[[int, int], None]":
    """Give what says on stderr, each ten seconds, how much has been learned of."""
    said_at = began

    def tell(done: int, of: int) -> None:
        nonlocal said_at
        now = time.monotonic()
        if now - said_at >= 10.0:
            said_at = now
            say(f"{done:,} of {of:,} quotes, {(of - done) * (now - began) / done:.0f} s left")

    return tell
