"""The command that people look at: `serve`. What it needs is imported when it is called."""

import re
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from . import settings
from .cli_sources import TOPIC, live, market_speed, played, simulated, topic
from .cli_talk import answer_of, chosen_model, lacks, say
from .cli_watch import Watching, refuse_group, refuse_with, typed
from .errors import UsageError
from .listening import EVERYWHERE, LOOPBACK, address, listen, own_names, seen_as
from .options import (
    Channel,
    ChosenForecasterOption,
    FeedName,
    ForOption,
    GroupOption,
    ModelOption,
    ProductIds,
    SourceOption,
    UrlOption,
)
from .source import Source

if TYPE_CHECKING:
    from .engine.model import Model
    from .serve.board import Board
    from .serve.gate import Names
    from .serve.history import History
    from .serve.server import Watched

SHORTEST_TOKEN = 16
DEMO_PRODUCTS = ["BTC-USD", "ETH-USD"]


def serve(
    product_id: ProductIds = None,
    lake: Annotated[
        str | None, typer.Option("--lake", metavar="LAKE", help="Show bars, scores and gaps of this lake too.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Show the built-in simulated exchange.")] = False,
    source: SourceOption = None,
    group: GroupOption = None,
    speed: Annotated[
        str | None,
        typer.Option("--speed", metavar="SPEED", show_default="1", help="Of --from: 1, 10, max; of --demo to 60."),
    ] = None,
    channel: Annotated[
        Channel | None, typer.Option(show_default="ticker_batch", help="What to listen to, or what a recording has.")
    ] = None,
    feed: Annotated[FeedName | None, typer.Option(show_default="exchange", help="Which of Coinbase's feeds.")] = None,
    forecaster: ChosenForecasterOption = None,
    model: ModelOption = None,
    host: Annotated[
        str,
        typer.Option("--host", metavar="HOST", help="Address to listen on; any but this machine's needs --token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="0 takes a free one.")] = 8080,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            envvar="COINBASE_INSIGHTS_TOKEN",
            metavar="TOKEN",
            help="What whoever looks must know.",
            show_envvar=True,
        ),
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="HOST[:PORT]",
            help="Another name of this server, as behind a proxy; with any port if none is named.",
        ),
    ] = None,
    length: ForOption = None,
    url: UrlOption = None,
) -> None:
    """Show it all on a page in the browser: live figures and charts, and the history of a lake."""
    _refuse_open_door(host, token)
    product_ids = settings.product_ids(product_id or (DEMO_PRODUCTS if demo else []))
    wanted = Wanted(product_ids, demo, source, group, speed, channel, feed, url)
    _refuse_two_sources(wanted, lake)
    if not wanted.has_live:
        refuse_with(
            "a lake alone",
            {"--model": model, "--forecaster": forecaster, "--channel": channel, "--feed": feed, "--url": typed(url)},
        )
    seconds = None if length is None else settings.duration(length)
    try:
        import asyncio

        from .serve.app import application
        from .serve.board import Board
        from .serve.gate import Gate
        from .serve.server import Work
        from .serve.server import serve as answer

        history = None if lake is None else _history(lake, is_alone=not wanted.has_live)
    except ImportError as error:
        raise lacks("serve", error) from error
    board = Board()
    watched = _watched(board, wanted, chosen_model(model, forecaster)) if wanted.has_live else None
    listener = listen(host, port)
    own_port = listener.getsockname()[1]
    names = known_names(host, own_port, name or [])
    say(f"look at http://{address(seen_as(host), own_port)}/{'?token=...' if token else ''}")
    if host in EVERYWHERE and not name:
        say("from elsewhere it has a name: give it after --name")
    app = Gate(application(board, history, has_live=watched is not None), names, token)
    asyncio.run(answer(app, listener, Work(board, watched, seconds)))
    if watched is not None:
        say(watched.watch.summary())


class Wanted(NamedTuple):
    """What was asked to be shown live."""

    product_ids: tuple[str, ...]
    demo: bool
    source: str | None
    group: str | None
    speed: str | None
    channel: Channel | None
    feed: FeedName | None
    url: str | None

    @property
    def usual_channel(self) -> Channel:
        """What is listened to where nothing else was asked for."""
        return Channel.TICKER if self.demo else Channel.TICKER_BATCH

    @property
    def has_live(self) -> bool:
        """Whether there is more to show than a lake."""
        return bool(self.product_ids) or self.source is not None

    @property
    def has_topic(self) -> bool:
        """Whether it is what comes to a topic."""
        return self.source is not None and self.source.startswith(TOPIC)


def _refuse_two_sources(wanted: Wanted, lake: str | None) -> None:
    if wanted.speed is not None and wanted.source is None and not wanted.demo:
        raise UsageError("--speed is that of a recording or of the demo.", "Leave it out.")
    if wanted.demo and wanted.source is not None:
        raise UsageError("--demo and --from are two sources.", "Leave one of them out.")
    heard = {"--feed": wanted.feed, "--url": typed(wanted.url)}
    if wanted.demo:
        refuse_with("--demo", heard | {"--channel": wanted.channel})
    if wanted.source is not None:
        refuse_with("--from", heard)
    if wanted.has_topic:
        refuse_with("a topic", {"--speed": wanted.speed})
    else:
        refuse_group(wanted.group)
    if not wanted.has_live and lake is None:
        raise UsageError("serve needs something to show.", "Name a product or a lake, or type: serve --demo")


def _history(lake: str, *, is_alone: bool) -> "History":
    """Take a lake. Only where nothing else is shown it must be there: to look may take minutes, and live waits not."""
    from .serve.history import History

    history = History(lake)
    if is_alone:
        answer_of(lake, history.look)
    return history


def _watched(board: "Board", wanted: Wanted, model: "Model") -> "Watched":
    """Make the pipe from what was asked for to the board."""
    from .serve.server import Watched
    from .watch import Watch

    watching = Watching(wanted.product_ids, wanted.channel or wanted.usual_channel, model)
    source = _source(wanted, watching)
    return Watched(Watch(watching.pipe, board, live_state=source.live_state, speed=source.speed), source)


def _source(wanted: Wanted, watching: Watching) -> Source:
    """Give what was asked for. Raises UsageError, and UnknownProductError."""
    if wanted.demo:
        return simulated(wanted.product_ids, market_speed(wanted.speed or "1"))
    if wanted.source is None:
        return live(wanted.product_ids, wanted.channel or wanted.usual_channel, wanted.feed, wanted.url)
    if wanted.has_topic:
        return topic(wanted.source, wanted.group, watching)
    return played(wanted.source, wanted.speed)


def _refuse_open_door(host: str, token: str) -> None:
    if host not in LOOPBACK and len(token) < SHORTEST_TOKEN:
        raise UsageError(
            f"--host {host} would let anybody in who can reach it.",
            f"Give a secret of {SHORTEST_TOKEN} characters or more in COINBASE_INSIGHTS_TOKEN.",
        )
    if token and (not token.isascii() or not token.isprintable() or len(token) < SHORTEST_TOKEN):
        raise UsageError("The token is too weak.", f"Take {SHORTEST_TOKEN} printable ASCII characters or more.")


def known_names(host: str, port: int, others: list[str]) -> "Names":
    """What a request may call us. Raises UsageError for what can be no name."""
    from .serve.gate import Names

    for other in others:
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", other, re.ASCII):
            raise UsageError(
                f"{other[:60]!a} is no name of a server.", "Write it as insights.example.com, or with :PORT."
            )
    given = {each.lower() for each in others}
    exact = {each for each in given if ":" in each}
    exact |= {each.removesuffix(usual) for each in exact for usual in (":80", ":443")}  # A browser leaves these out.
    return Names(own_names(host, port) | exact, frozenset(each for each in given if ":" not in each))
