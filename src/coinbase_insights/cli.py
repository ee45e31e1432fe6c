"""Every command: joins a source to a sink, reads what was typed, prints errors, and exits.

The commands of the lake are in cli_lake.py; only `main` here exits. Everything heavy is imported where it is used, so
that `--help` is quick.
"""

import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from . import __version__, cli_build, cli_lake, cli_models, cli_publish, cli_serve, settings
from .cli_sources import TOPIC, kept, live, market_speed, played, simulated, topic
from .cli_talk import chosen_model, leave_stdout, say, say_problem
from .cli_watch import Watching, refuse_group, refuse_with, typed
from .errors import InsightsError, StorageError, UsageError
from .options import (
    Channel,
    ChosenForecasterOption,
    FeedName,
    Forecaster,
    ForecasterOption,
    Format,
    FormatOption,
    ForOption,
    GroupOption,
    ListFormat,
    ListFormatOption,
    ModelOption,
    ProductIds,
    RecordOption,
    SourceOption,
    UrlOption,
)
from .running import end_at_signals, leave_background

ABOUT = "Coinbase's market-data feeds turned into insight: spread, mean mid-prices, and an honest 60-second forecast."
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Why stdout may take no more."""

app = typer.Typer(
    name="coinbase_insights",
    help=ABOUT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"coinbase_insights {__version__}")
        raise typer.Exit


@app.callback(help=ABOUT)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell on stderr what happens to the line.")] = False,
) -> None:
    """Read what all commands share."""
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="# %H:%M:%SZ", stream=sys.stderr)
    logging.Formatter.converter = time.gmtime
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # What it has to say, the feed says once more.


@app.command()
def run(
    product_id: ProductIds = None,
    channel: Annotated[
        Channel, typer.Option(help="What to listen to; level2 keeps the true best prices between trades.")
    ] = Channel.TICKER_BATCH,
    feed: Annotated[FeedName | None, typer.Option(show_default="exchange", help="Which of Coinbase's feeds.")] = None,
    forecaster: ChosenForecasterOption = None,
    model: ModelOption = None,
    output: FormatOption = Format.AUTO,
    record: RecordOption = None,
    source: SourceOption = None,
    group: GroupOption = None,
    speed: Annotated[
        str | None,
        typer.Option(
            "--speed", metavar="SPEED", show_default="1", help="Of --from: 1 as recorded, 10 ten times as fast, max."
        ),
    ] = None,
    length: ForOption = None,
    url: UrlOption = None,
    compression: Annotated[
        bool | None, typer.Option("--compression", help="Let the exchange compress its messages.")
    ] = None,
) -> None:
    """Show what there is to know of a product, live, since the start of this command."""
    product_ids = settings.product_ids(product_id or [])
    watching = Watching(product_ids, channel, chosen_model(model, forecaster), output, length)
    if source is not None:
        if record is not None:
            raise UsageError("--from plays a recording and --record makes one.", "Leave one of them out.")
        refuse_with("--from", {"--feed": feed, "--url": typed(url), "--compression": compression})
        if source.startswith(TOPIC):
            refuse_with("a topic", {"--speed": speed})
            watching.start(topic(source, group, watching))
            return
        refuse_group(group)
        watching.start(played(source, speed))
        watching.say_if_empty(source)
        return
    refuse_group(group)
    if speed is not None:
        raise UsageError("--speed is that of a recording.", "Name one after --from, or leave --speed out.")
    if not product_ids:
        raise UsageError("run needs a product.", "Name one: coinbase_insights run --product-id ETH-USD")
    watching.start(live(product_ids, channel, feed, url, compression=bool(compression)), record)


@app.command()
def demo(
    product_id: ProductIds = None,
    forecaster: ForecasterOption = Forecaster.TILT,
    output: FormatOption = Format.AUTO,
    record: RecordOption = None,
    length: ForOption = None,
    speed: Annotated[
        str, typer.Option("--speed", metavar="SPEED", help="Of the simulated market's clock: 1, 10, up to 60.")
    ] = "1",
) -> None:
    """Show the same with a simulated exchange on this machine: no network is needed, and no price is real."""
    product_ids = settings.product_ids(product_id or ["ETH-USD"])
    market = simulated(product_ids, market_speed(speed))
    Watching(product_ids, Channel.TICKER, chosen_model(None, forecaster), output, length).start(market, record)


@app.command()
def simulate(
    recording: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A recording or lake to serve; else a synthetic market.")
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="0 takes a free one.")] = 8765,
    speed: Annotated[
        str, typer.Option("--speed", metavar="SPEED", help="1 as it was, 10 ten times as fast; a recording also max.")
    ] = "1",
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="NUMBER",
            show_default="1",
            help="Of the synthetic market: the same seed, the same market.",
        ),
    ] = None,
    faults: Annotated[
        str, typer.Option("--faults", metavar="FAULTS", help="Faults to make, as: close=1001@100 duplicate/10.")
    ] = "",
    length: ForOption = None,
) -> None:
    """Be a local Coinbase: both WebSocket feeds and their REST calls on one port."""
    import asyncio

    from .running import until_signal
    from .simulator.faults import parse_faults
    from .simulator.market import Market
    from .simulator.recorded import Recording
    from .simulator.server import Options, serve

    if recording is not None:
        refuse_with("a recording", {"--seed": seed})
    pace = settings.speed(speed) if recording is not None else market_speed(speed)
    seconds = None if length is None else settings.duration(length)
    mistakes = parse_faults(faults)
    market = (
        Recording(recording, lambda path: kept(str(path)))
        if recording is not None
        else Market(time.time_ns() // 1000, 1 if seed is None else seed)
    )

    async def listen() -> None:
        async with serve(market, host, port, mistakes, Options(speed=pace)) as server:
            say(f"listening on {server.url} and {server.rest_url}: {', '.join(market.products)}")
            await until_signal(seconds)

    asyncio.run(listen())


@app.command()
def products(
    output: ListFormatOption = ListFormat.LINES,
    quote_currency: Annotated[
        str | None, typer.Option("--quote", metavar="CURRENCY", help="Only those priced in this currency.")
    ] = None,
    url: UrlOption = None,
) -> None:
    """List what Coinbase trades."""
    from .feed.endpoints import SOCKETS, rest_url
    from .feed.products import all_products
    from .show.listing import json_lines, table

    listed = all_products(rest_url(settings.socket_url(url or SOCKETS["exchange"])))
    if quote_currency is not None:
        listed = [product for product in listed if product.quote_currency == quote_currency.upper()]
    rows = [(product.id, product.quote_increment, product.standing) for product in listed]
    heads = ("product_id", "quote_increment", "status")
    print(json_lines(heads, rows) if output is ListFormat.JSON else table(heads, rows))


app.command()(cli_models.backtest)
app.command()(cli_models.train)
app.command()(cli_lake.ingest)
app.command()(cli_lake.verify)
app.command()(cli_lake.gaps)
app.command()(cli_build.build)
app.command()(cli_build.sql)
app.command()(cli_publish.publish)
app.command()(cli_serve.serve)


def main() -> None:
    """Run the command line; the only place that prints an error and exits."""
    ends = [signal.SIGINT]
    if os.getpid() == 1:  # The system tells the first process of a container only what it asks to hear.
        ends.append(signal.SIGTERM)
    end_at_signals({number: 128 + number for number in ends})  # Who watches, serves or collects hears them otherwise.
    if sys.stdout is None:
        _fail("There is no stdout to write to.", "Send it to /dev/null if it is not wanted.", UsageError.exit_code)
    if not all(_can_be_typed(word) for word in sys.argv):
        _fail("The command line holds what is no text.", "Type it anew.", UsageError.exit_code)
    try:
        _run(sys.argv[1:] or ["--help"])
        sys.stdout.flush()
        leave_background(0)
    except typer.Exit as done:
        leave_background(done.exit_code)
        sys.exit(done.exit_code)
    except InsightsError as error:
        _fail(error.message, error.hint, error.exit_code)
    except typer.exceptions.TyperException as error:
        _fail(
            error.format_message(), "See `coinbase_insights --help`, or --help after a command.", UsageError.exit_code
        )
    except BrokenPipeError:
        os._exit(0)  # Who reads has read enough; libraries that were broken off at work may still have threads.
    except OSError as error:
        _fail_of_the_system(error)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(words: Sequence[str]) -> None:
    """Run a command; not by typer's own `main`, to which a reader who has read enough is a failure."""
    command = typer.main.get_command(app)
    with command.make_context("coinbase_insights", list(words)) as context:
        command.invoke(context)


def _can_be_typed(word: str) -> bool:
    """Tell whether the system could have given us this; otherwise it could be no file's name either."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _fail_of_the_system(error: OSError) -> NoReturn:
    """Say which path may not even be looked at, or that stdout takes no more. Raises anything else."""
    if error.filename is not None:
        _fail(f"{error.filename} cannot be used: {error.strerror}.", "", StorageError.exit_code)
    if error.errno not in FULL:
        raise error
    leave_stdout()
    _fail(f"stdout cannot be written: {error.strerror}.", "", 1)


def _fail(message: str, hint: str, exit_code: int) -> NoReturn:
    """Say it, and end at once: libraries that were broken off at work may still have threads, which would abort us."""
    say_problem(f"error: {message}", hint)
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    os._exit(exit_code)
