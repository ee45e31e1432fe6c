"""For commands that run for months: work done again and again, and answers to whoever asks how it stands."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from . import settings
from .cli_talk import say, say_problem
from .errors import InsightsError, UsageError
from .listening import HOST, listen
from .running import SIGNALS, end_at_signals

if TYPE_CHECKING:
    from .exposition import Row
    from .health import Health

PATIENCE = 3
"""For so many times the length between two runs it is ready without one that ended well, or got on."""
LEAST = 0.1
"""Seconds from the beginning of a run to that of the next; more often nobody could follow what is said."""
SOON = 60.0
"""Seconds after which a run that failed is tried again, where the next would be later."""


class Probe(NamedTuple):
    """Where it is asked how it stands."""

    host: str
    listener: socket.socket | None
    """None where nobody asks."""

    @classmethod
    def typed(cls, host: str | None, port: int | None) -> "Probe":
        """Open what was typed. Raises UsageError for a host without a port, and for a port that is taken."""
        if host is not None and port is None:
            raise UsageError("--health-host needs a port to answer at.", "Add --health-port 8080, or leave it out.")
        where = host or HOST
        return cls(where, None if port is None else listen(where, port, "--health-port"))

    @contextmanager
    def answered(self, look: "Callable[[], Health]") -> Iterator[None]:
        """Answer who asks, as long as the context lasts."""
        if self.listener is None:
            yield
            return
        from .health import answering

        with answering(self.listener, look, self.host) as where:
            say(f"health at {where}")
            yield


class Opening:
    """How a service stands that opens what it needs, which may take minutes: it is there, and not ready."""

    is_ready = False
    look: "Callable[[], Health] | None" = None
    """Tells how it stands, once it is open."""

    def __call__(self) -> "Health":
        """Tell how it stands now."""
        return self if self.look is None else self.look()

    def counts(self) -> "tuple[Row, ...]":
        """Give nothing: there is nothing to count yet."""
        return ()


class Runs:
    """How work stands that is done again and again."""

    def __init__(self, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        """None has ended; the next is begun each `every` seconds."""
        self._every, self._clock = every, clock
        self._well_at = self._moved_at = clock()
        self.well = self.failed = 0

    def end(self, *, is_well: bool) -> None:
        """One has ended."""
        if is_well:
            self.well += 1
            self._well_at = self._moved_at = self._clock()
        else:
            self.failed += 1

    def move(self) -> None:
        """One has come further: a long one, such as the first, may take longer than the time between two."""
        self._moved_at = self._clock()

    @property
    def is_ready(self) -> bool:
        """Whether one ended well not long ago, or is getting on."""
        return self._clock() - self._moved_at < PATIENCE * self._every

    def counts(self) -> "list[Row]":
        """Give what there is to count."""
        since = round(self._clock() - self._well_at, 1)
        return [
            ("runs_total", "counter", "Runs that ended well.", self.well),
            ("failed_runs_total", "counter", "Runs that failed; each is tried again.", self.failed),
            ("seconds_since_run", "gauge", "Since one ended well, or since the start.", since),
        ]


class Repeating(NamedTuple):
    """How often work is done: once, or again and again."""

    every: float | None
    """Seconds from the beginning of a run to that of the next; None for once."""
    probe: Probe

    @classmethod
    def typed(cls, every: str | None, host: str | None, port: int | None) -> "Repeating":
        """Take what was typed. Raises UsageError for what is no duration, and for a health of what is done once."""
        if every is None and port is not None:
            raise UsageError("--health-port is for what runs again and again.", "Add --every 1h, or leave it out.")
        seconds = None if every is None else settings.duration(every)
        if seconds is not None and seconds < LEAST:
            raise UsageError(f"--every {every} is too often.", f"Write {LEAST:g}s or more, such as 1m or 1h.")
        return cls(seconds, Probe.typed(host, port))

    def do(self, work: Callable[[Callable[[], None]], None]) -> None:
        """Do it; it may be killed at any moment. It is given what to call whenever it has come further.

        Raises what the work raises when it is done once; else UsageError alone, for other errors may be gone next time.
        """
        if self.every is None:
            work(lambda: None)
            return
        runs = Runs(self.every)
        end_at_signals(dict.fromkeys(SIGNALS, 0))  # It has ended as asked.
        with self.probe.answered(lambda: runs):
            while True:
                begun, pause = time.monotonic(), self.every
                try:
                    work(runs.move)
                    runs.end(is_well=True)
                except UsageError:
                    raise
                except InsightsError as error:
                    runs.end(is_well=False)
                    pause = min(self.every, SOON)
                    say_problem(f"{now()} {error.message}", error.hint)
                    say(f"tried again in {pause:g} s")
                time.sleep(max(0.0, begun + pause - time.monotonic()))


def now() -> str:
    """Give the time of day, UTC, as it stands before what is said."""
    return time.strftime("%H:%M:%SZ", time.gmtime())
