"""What every command says to a person, on stderr; stdout is for data."""

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .errors import StorageError, UsageError
from .running import within

if TYPE_CHECKING:
    from .counts import Counts
    from .engine.model import Model
    from .lake.step import Progress

EXTRAS = {
    "adbc_driver_manager": "lake,warehouse",
    "adbc_driver_postgresql": "lake,warehouse",
    "confluent_kafka": "lake,kafka",
    "mssql_python": "lake,mssql",
    "pyspark": "lake,spark",
    "starlette": "lake,serve",
    "uvicorn": "lake,serve",
}
"""What to install for each library that may be missing; for the others it is `lake`."""
PATIENCE = 20.0
"""Seconds that a lake gets to answer at the start of a service."""
T = TypeVar("T")


def say_problem(message: str, hint: str) -> None:
    """Say what is wrong, and what to type next."""
    say(message)
    if hint:
        say(f"hint: {hint}")


def say(text: str) -> None:
    """Say it in a line."""
    from .show.safe import safe

    write(f"{safe(text)}\n")


def write(text: str) -> None:
    """Write on stderr. Whoever read it may have gone, or its disk be full: that ends no work."""
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # What could not be written would be tried again.
    except OSError:
        return


class Telling:
    """Says on stderr how far a build or publishing has come, how fast it is, and how long it will take."""

    def __init__(self, moved: Callable[[], None]) -> None:
        """The clock starts now; `moved` is called at each step, however seldom anything is said."""
        self._moved = moved
        self._step = ""
        self._first = 0
        self._began = self._said_at = time.monotonic()
        self._is_open = False
        self.late: list[str] = []
        """Products that have begun without what the model has learned."""
        self.counts: Counts | None = None
        """What has become of the messages that were read."""

    def tell(self, progress: "Progress") -> None:
        """Hear how far it has come."""
        now = time.monotonic()
        self._moved()
        self.late += progress.late
        self.counts = progress.counts or self.counts
        if progress.step != self._step:
            self._step, self._first, self._began = progress.step, progress.begun, now - progress.seconds
        if not sys.stderr.isatty() and now - self._said_at < 10.0:
            return
        self._said_at = now
        rate = (progress.done - self._first) / max(1e-6, now - self._began)
        left = (progress.of - progress.done) / rate if rate else 0.0
        text = f"{progress.done:,} of {progress.of:,} {progress.step}, {rate:,.0f}/s, {left:.0f} s left"
        if sys.stderr.isatty():
            write(f"\r\x1b[K{text}")
            self._is_open = True
        else:
            say(text)

    def end(self) -> None:
        """End the line."""
        if self._is_open:
            write("\n")


def lacks(what: str, error: ImportError) -> UsageError:
    """Make the error of a part that is not installed."""
    return UsageError(
        f"{what} needs more than the core: {error.name} is not installed.",
        f"In a clone of the repository: pip install '.[{EXTRAS.get(str(error.name), 'lake')}]'",
    )


def answer_of(lake: str, work: Callable[[], T]) -> T:
    """Give what the first look at a lake gives. Raises what it raises, and StorageError when nothing comes for long."""
    try:
        return within(PATIENCE, work)
    except TimeoutError as error:
        raise StorageError(f"{lake} does not answer.", "Is it the right address, and is the store up?") from error


def chosen_model(where: str | None, forecaster: str | None) -> "Model":
    """Give the model that --model names, or the forecaster alone, and say what was found."""
    from .models.find import model_for

    try:
        model = model_for(where, forecaster)
    except ImportError as error:
        raise lacks("A lake's champion", error) from error
    if model.digest:
        say(f"the model {model.name} has learned of {', '.join(sorted(model.learned)) or 'no product'}")
    return model


def say_late(model: "Model", product_ids: list[str]) -> None:
    """Say of which products nothing that was learned is used, if there are any."""
    if product_ids:
        which, begin = ", ".join(product_ids), "begin" if len(product_ids) > 1 else "begins"
        say(f"{model.name} has learned up to a later time than {which} {begin} at: nothing of it is used there")


def leave_stdout() -> None:
    """Whoever read our lines has read enough, or its disk is full: nothing may be written any more, even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
