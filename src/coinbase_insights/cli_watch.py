"""What `run`, `demo` and `serve` share: the pipe, what is refused beside what, and for a terminal how it is shown."""

import os
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from . import settings
from .cli_sources import kept
from .cli_talk import leave_stdout, say, say_late, say_problem
from .errors import UnknownProductError, UnreachableError, UsageError
from .options import URL_VARIABLE, Channel, Format
from .source import Source

if TYPE_CHECKING:
    from .engine.model import Model
    from .pipe import Pipe
    from .watch import Sink

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

    def start(self, source: Source, record: Path | None = None) -> None:
        """Watch until the end, then say in a line what was seen. Raises what the source raises."""
        import asyncio

        from .log.journal import Journal
        from .show.sinks import JsonLines, Lines, Screen
        from .show.terminal import Terminal
        from .watch import Watch

        journal = None if record is None else Journal(record)

        def go(sink: "Sink") -> str:
            watch = Watch(self.pipe, sink, live_state=source.live_state, speed=source.speed, journal=journal)
            asyncio.run(watch.run(source.items(watch), self._seconds, source.check))
            self._was_stopped = bool(watch.ended_by)
            if source.live_state != "REPLAY" and not self.pipe.counts.received and not watch.ended_by:
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
        except UnknownProductError as error:
            from .feed.products import with_near_names

            raise with_near_names(error, source.rest_url, self._product_ids) if source.rest_url else error from error
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


def _products_in(source: str, channel: Channel) -> list[str]:
    """Name the first products that a recording has quotes of, by its first messages."""
    from .pipe import Pipe

    pipe = Pipe(channel=channel)
    for item in islice(kept(source), FIRST_LOOK):
        for _ in pipe.take(item):
            pass
    return sorted(pipe.last_known)[:10]
