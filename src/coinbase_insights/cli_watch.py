"""What `run` and `demo` share, and where what was kept comes from: a recording, a folder of them, or a lake."""

import os
import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from . import settings
from .cli_talk import lacks, leave_stdout, say, say_late, say_problem
from .errors import UnknownProductError, UnreachableError, UsageError
from .options import URL_VARIABLE, Channel, Format

if TYPE_CHECKING:
    from .engine.model import Model
    from .message import Item
    from .pipe import Pipe
    from .show.view import LineState
    from .watch import Sink, Watch

TOPIC = "kafka://"
_STORE = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII).match
"""Begins the address of a lake in an object store."""
FASTEST_MARKET = 60
"""Times real time; the synthetic market is computed, and a core can do no more."""
FIRST_LOOK = 10_000
"""Messages of a recording that are read to say which products it holds."""


class Watching:
    """What `run` and `demo` share: the products, what to listen to, and how to show it."""

    def __init__(
        self,
        product_ids: tuple[str, ...],
        channel: Channel,
        model: "Model",
        output: Format = Format.AUTO,
        length: str | None = None,
    ) -> None:
        self._product_ids = product_ids
        self._model = model
        self._channel = channel
        self.pipe = self.new_pipe()
        self._was_stopped = False
        self._output = output
        self._seconds = None if length is None else settings.duration(length)

    @property
    def folded_as(self) -> str:
        """What figures hang on, beside the messages."""
        return f"{self._channel} by {self._model.name or self._model.forecaster} {self._model.digest}".strip()

    def new_pipe(self, holds: "Callable[[str], bool]" = lambda _: True) -> "Pipe":
        """Make a pipe that folds those of the products which it is to hold."""
        from .engine.product import Product
        from .pipe import Pipe

        model = self._model

        def product(product_id: str, forecaster: str) -> Product:
            return Product(product_id, forecaster, model.new_state(product_id))

        return Pipe(self._product_ids, channel=self._channel, forecaster=model.forecaster, product=product, holds=holds)

    def start(
        self,
        source: "Callable[[Watch], AsyncGenerator[Item]]",
        *,
        record: Path | None = None,
        live_state: "LineState" = "LIVE",
        speed: str = "",
        check: "Callable[[], list[str]] | None" = None,
    ) -> None:
        """Watch until the end, then say in a line what was seen; `check` may meanwhile find that it cannot be."""
        import asyncio

        from .log.journal import Journal
        from .show.sinks import JsonLines, Lines, Screen
        from .show.terminal import Terminal
        from .watch import Watch

        journal = None if record is None else Journal(record)

        def go(sink: "Sink") -> str:
            watch = Watch(self.pipe, sink, live_state=live_state, speed=speed, journal=journal)
            asyncio.run(watch.run(source(watch), self._seconds, check))
            self._was_stopped = bool(watch.ended_by)
            if live_state != "REPLAY" and not self.pipe.counts.received and not watch.ended_by:
                raise UnreachableError(f"The feed never came up: {watch.trouble or 'no message has come'}.")
            return watch.summary()

        try:
            if self._output is Format.SCREEN or (self._output is Format.AUTO and sys.stdout.isatty()):
                with Terminal() as terminal:
                    summary = go(Screen(terminal))
            else:
                summary = go(JsonLines() if self._output is Format.JSON else Lines())
        except BrokenPipeError:
            leave_stdout()
            return
        say(summary)
        products = self.pipe.products
        say_late(self._model, [name for name, each in products.items() if self._model.is_late_for(name, each.state)])

    def say_if_empty(self, source: str) -> None:
        """After a replay without any quote, say where quotes are to be had."""
        pipe = self.pipe
        if pipe.counts.quotes or self._was_stopped or self._seconds is not None:
            return
        here = _products_in(source, self._channel)
        other = Channel.TICKER if self._channel is Channel.LEVEL2 else Channel.LEVEL2
        if here and pipe.counts.other["another product"]:
            hint = f"It has quotes of {', '.join(here)}; name one of them after --product-id, or none."
        elif _products_in(source, other):
            hint = f"It has quotes of another channel: try --channel {other}."
        else:
            hint = "Is it a recording of tickers, or of level2 books with their snapshot?"
        say_problem(f"There was no quote of {' or '.join(pipe.product_ids) or 'any product'} in {source}.", hint)


def refuse_with(what: str, given: Mapping[str, object]) -> None:
    """Raise UsageError for the first option that was given though it says nothing beside `what`."""
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} says nothing about {what}.", f"Leave {option} or {what} out.")


def refuse_group(group: str | None) -> None:
    """Raise UsageError for a group where there is no topic."""
    if group is not None:
        raise UsageError(
            "--group shares the products of a topic.", "Name one: --from kafka://HOST:PORT/TOPIC; or leave --group out."
        )


def typed(url: str | None) -> str | None:
    """Give the address of the feed if it was typed, and not set for all commands."""
    return None if url == os.environ.get(URL_VARIABLE) else url


def topic(url: str, group: str | None, watching: Watching) -> "Callable[[Watch], AsyncGenerator[Item]]":
    """Give a source that listens to a topic from now on, for all or for a share of the products."""
    try:
        from .log.kafka import address, newest
        from .log.shares import Shares
        from .log.sharing import Sharing, group_name
    except ImportError as error:
        raise lacks("A topic", error) from error
    where = address(url)

    def alone(watch: "Watch") -> "AsyncGenerator[Item]":
        watch.may_lag = True
        return newest(where)

    if group is None:
        return alone
    shares = Shares()
    sharing = Sharing(where, group_name(group), shares, lambda some: watching.new_pipe(some.holds), watching.folded_as)
    watching.pipe = sharing.pipe

    def shared(watch: "Watch") -> "AsyncGenerator[Item]":
        watch.may_lag = True
        watch.notes.append(f"The group {group} shares the products; those of its other members are not here.")
        return sharing.items(watch.folded)

    return shared


def kept(source: str) -> "Iterator[Item]":
    """Give what was kept in a recording, a folder of them, or a lake, in its order."""
    path = Path(source)
    if _STORE(source) or (path / "raw" / "_delta_log").is_dir():
        try:
            from .lake.history import collected
        except ImportError as error:
            raise lacks("A lake", error) from error
        return collected(source)
    from .log.journal import files, read

    files(path)
    return read(path)


def _products_in(source: str, channel: Channel) -> list[str]:
    """Name the first products that a recording has quotes of, by its first messages."""
    from .pipe import Pipe

    pipe = Pipe(channel=channel)
    for item in islice(kept(source), FIRST_LOOK):
        for _ in pipe.take(item):
            pass
    return sorted(pipe.last_known)[:10]


def refuse_untraded(product_ids: Sequence[str]) -> None:
    """Raise UnknownProductError for a product that the synthetic market does not have."""
    from .simulator.product import CHARACTERS

    names = [product.product_id for product in CHARACTERS]
    for product_id in product_ids:
        if product_id not in names:
            raise UnknownProductError(
                f"The simulated exchange does not trade {product_id}.", f"It has {', '.join(names)}."
            )


def market_speed(text: str) -> float:
    """Read how fast a synthetic market runs. Raises UsageError."""
    try:
        pace = settings.speed(text)
    except UsageError as error:
        raise UsageError(
            error.message, f"Write 1 for real time, 10 for ten times as fast, up to {FASTEST_MARKET}."
        ) from error
    if pace > FASTEST_MARKET:
        raise UsageError(f"A synthetic market runs at up to {FASTEST_MARKET} times, not {text}.")
    return pace
