"""Join a source to a sink: what `run` and `demo` do from the first message to the last line.

    source -> pipe -> sink

This is where the clock is: it says how old the newest quote is, when to draw, and when to end.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import NamedTuple, Protocol

from .engine.product import Product
from .log.journal import Journal
from .message import Item, Line, Lost, Message
from .pipe import Pipe
from .running import in_background, next_signal, race
from .show.summary import summary
from .show.view import LineState, ProductView, View

STALE_AFTER = 10.0
"""Seconds without any message, after which no value is shown as current."""
QUIET_AFTER = 15.0
"""Seconds without a quote, while heartbeats come."""
FRAME = 0.25
"""Seconds between two drawings at the least."""
TICK = 1.0
"""Seconds between two drawings at the most."""
CHART_POINTS = 2000
LAST_FRAME = 0.5
"""Seconds that a terminal gets, at the end, to take the frame that it is being sent."""


class Sink(Protocol):
    """Takes insights and what there is to see."""

    draws: bool
    """Whether it shows views in place, and so needs them again and again."""

    def insight(self, product: Product, pipe: Pipe) -> None:
        """A quote of this product was folded just now."""

    def state(self, view: View, pipe: Pipe) -> None:
        """The state of the line is another one than before."""

    def draw(self, view: View) -> None:
        """Show everything as it is now."""


class Moment(NamedTuple):
    """A moment by both clocks."""

    monotonic: float
    """Seconds."""
    time: int
    """Microseconds since 1970 UTC."""


class Watch:
    """One run, from a source to a sink."""

    def __init__(
        self, pipe: Pipe, sink: Sink, *, live_state: LineState = "LIVE", speed: str = "", journal: Journal | None = None
    ) -> None:
        """`live_state` is what a healthy line is called: LIVE, REPLAY or SIMULATED; `speed` that of a replay."""
        self.pipe = pipe
        self.notes: list[str] = []
        """What a person must be told as long as it holds."""
        self.reconnect: Callable[[str], None] | None = None
        """Asks the source for a new connection, and says why; None where there is nothing to ask."""
        self.may_lag = False
        """Whether messages may come long after they were received, as those of a topic: then they are as old."""
        self.ended_by = ""
        """The signal that ended the run; empty when it ended by itself."""
        self._sink = sink
        self._live_state: LineState = live_state
        self._is_replay = live_state == "REPLAY"
        self._speed = speed
        self._journal = journal
        self._since = time.time_ns() // 1000
        self._began = self._heard_at = time.monotonic()
        self._quote_at: dict[str, float] = {}
        self._gaps_at: dict[str, int] = {}
        """How many gaps there had been when the newest quote of each product was folded."""
        self._lost: Lost | None = None
        self._lost_at = 0.0
        self._is_heard = False
        self._ended: Moment | None = None
        """When the run has ended; nothing is older afterwards than it was then."""
        self._shown: tuple[LineState, str] | None = None
        """The state that the sink was told last, and the reason where nothing has come up yet."""
        self._drawn_at = -1e9
        self._view: View | None = None
        """To be drawn next."""
        self._has_view = asyncio.Event()
        self._is_drawn = asyncio.Event()
        self._is_drawn.set()

    async def run(
        self, items: AsyncGenerator[Item], seconds: float | None = None, check: Callable[[], list[str]] | None = None
    ) -> None:
        """Watch until the source ends, the time is over, or a signal says stop. Errors of the source are raised.

        `check` is run beside it in a thread: what it raises ends the run, what it gives are notes for a person.
        """
        works = [self._signalled(), self._read(items), self._tick(), self._draw()]  # A signal is heard before all else.
        if check is not None:
            works.append(self._check(check))
        try:
            await race(works, seconds)
        finally:
            if self._journal is not None:
                self._journal.close()
            for product in self.pipe.finish():
                self.folded(product)
        self._ended = self._moment()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_drawn.wait(), LAST_FRAME)
        self._show(force=True)

    async def _signalled(self) -> None:
        self.ended_by = await next_signal()

    async def _check(self, check: Callable[[], list[str]]) -> None:
        self.notes += await in_background(check)
        await asyncio.Event().wait()

    async def _read(self, items: AsyncGenerator[Item]) -> None:
        pipe, journal = self.pipe, self._journal
        async with aclosing(items) as source:
            async for item in source:
                if journal is not None:
                    journal.write(item)
                if isinstance(item, Message):
                    self._heard_at = time.monotonic() - self._delay(item)
                    self._is_heard, self._lost = True, None
                else:
                    self._line(item)
                for product in pipe.take(item):
                    self.folded(product)
                if pipe.needs_snapshot and self.reconnect is not None:
                    self.reconnect("a change of the order book was lost")
                if not isinstance(item, Message) or self._drawn_at + FRAME < self._heard_at or self._shown is None:
                    self._show()

    def _delay(self, item: Message) -> float:
        """Seconds since somebody has received what a log brings only now."""
        return max(0.0, (time.time_ns() - item.received_at) / 1e9) if self.may_lag else 0.0

    def folded(self, product: Product) -> None:
        """A quote of this product was folded: let it be shown."""
        self._quote_at[product.product_id] = self._heard_at
        self._gaps_at[product.product_id] = self.pipe.counts.gaps
        self._sink.insight(product, self.pipe)

    def _line(self, item: Line) -> None:
        if isinstance(item, Lost):
            self._lost, self._lost_at = item, time.monotonic()

    async def _tick(self) -> None:
        while True:
            self._show()
            await asyncio.sleep(TICK)
            if self._journal is not None:
                self._journal.sync()

    async def _draw(self) -> None:
        """Draw the newest view; a terminal that stands still (Ctrl-S) misses frames, and holds up nothing else."""
        while True:
            await self._has_view.wait()
            self._has_view.clear()
            if self._view is not None:
                self._is_drawn.clear()
                await in_background(partial(self._draw_one, asyncio.get_running_loop(), self._view))

    def _draw_one(self, loop: asyncio.AbstractEventLoop, view: View) -> None:
        try:
            self._sink.draw(view)
        finally:
            with suppress(RuntimeError):  # The program has ended meanwhile.
                loop.call_soon_threadsafe(self._is_drawn.set)

    def _show(self, force: bool = False) -> None:
        """Tell the sink of a new state, and let it draw when it is time to."""
        if self._is_replay and not self.pipe.last_received and self._ended is None:
            return  # Nothing is known of the time that it has come to.
        now = self._moment().monotonic
        state = self._state(now)
        told = state, self._lost.reason if state == "CONNECTING" and self._lost is not None else ""
        if told == self._shown and not (self._sink.draws and (force or now - self._drawn_at >= FRAME)):
            return
        view = self.view(state, now)
        if told != self._shown:
            self._shown = told
            self._sink.state(view, self.pipe)
        if self._sink.draws and self._ended is None:
            self._drawn_at, self._view = now, view
            self._has_view.set()
        elif self._sink.draws and self._is_drawn.is_set():
            self._sink.draw(view)

    def _state(self, now: float) -> LineState:
        return "ENDED" if self._ended is not None else self._line_state(now)

    def _line_state(self, now: float) -> LineState:
        if not self._is_heard:
            return "CONNECTING"
        if self._lost is not None or (now - self._heard_at > STALE_AFTER and not self._is_replay):
            return "STALE"
        if not self._is_replay and self._quote_age(now) > QUIET_AFTER:
            return "QUIET"
        return self._live_state

    def _quote_age(self, now: float) -> float:
        """Seconds since the newest quote of any product, or since the start while there is none."""
        return now - max(self._quote_at.values(), default=self._began)

    def _detail(self, state: LineState, now: float) -> str:
        silence = now - self._heard_at
        if state in ("CONNECTING", "STALE") and self._lost is not None:
            wait = max(0.0, self._lost.retry_in - (now - self._lost_at))
            retry = f"reconnecting in {wait:.0f} s (try {self._lost.attempt})" if wait > 0.0 else "reconnecting"
            what = f"no data for {silence:.0f} s" if silence >= 1.0 else "the connection has ended"
            return f"{what if state == 'STALE' else self._lost.reason}, {retry}"
        if state == "STALE":
            return f"no data for {silence:.0f} s"
        if state == "CONNECTING":
            return "waiting for the first message"
        if state == "ENDED":
            while_down = "" if self._lost is None else ", while the line was down"
            return f"after {now - self._began:.0f} s" + (f", by {self.ended_by}" if self.ended_by else "") + while_down
        if not self._quote_at:
            return "waiting for the first quote"
        return f"last quote {self._quote_age(now):.0f} s ago"

    def seen(self) -> View:
        """Give everything to be seen now."""
        now = self._moment().monotonic
        return self.view(self._state(now), now)

    def _moment(self) -> Moment:
        """Give now, or when the run has ended."""
        return self._ended or Moment(time.monotonic(), time.time_ns() // 1000)

    def view(self, state: LineState, now: float) -> View:
        """Give everything to be seen now (monotonic seconds)."""
        counts = self.pipe.counts
        return View(
            state=state,
            detail=self._detail(state, now),
            now=self._time(),
            since=(self._is_replay and self.pipe.first_received // 1000) or self._since,
            products=tuple(self._product_view(name, now) for name in self.pipe.followed),
            speed=self._speed,
            received=counts.received,
            quotes=counts.quotes,
            bad=counts.bad.total(),
            duplicates=counts.duplicates,
            missed=counts.missed,
            reconnects=counts.reconnects,
            is_known=self._line_state(now) not in ("CONNECTING", "STALE"),
            notes=tuple(self.notes),
        )

    def _time(self) -> int:
        """Microseconds since 1970 UTC: now, or the time that a replay, or a market with a speed, has come to."""
        if self._is_replay:
            return self.pipe.last_received // 1000 or self._moment().time
        return (self._speed and self.pipe.heard_until) or self._moment().time

    def _product_view(self, product_id: str, now: float) -> ProductView:
        product = self.pipe.products.get(product_id)
        known = self.pipe.last_known.get(product_id)
        if product is None or product.quote is None:
            return ProductView(product_id, known.written_decimals if known else 2, None, known)
        quote_at = self._quote_at.get(product_id)
        return ProductView(
            product_id,
            product.decimals,
            product.insight(self.pipe.counts.missed, self.pipe.counts.reconnects),
            known,
            max(0.0, self._moment().time / 1e6 - product.received_at / 1e9) if quote_at is None else now - quote_at,
            _thinned(product) if self._sink.draws else (),
            self._gaps_at.get(product_id, self.pipe.counts.gaps),
        )

    @property
    def trouble(self) -> str:
        """Why there is no connection now; empty when there is one, or when none was tried."""
        return "" if self._lost is None else self._lost.reason

    def summary(self) -> str:
        """Say in a line what this run has seen."""
        return summary(self.pipe.counts)


def _thinned(product: Product) -> tuple[tuple[float, float], ...]:
    """Give (seconds ago, mid-price) for the chart: every quote, or so many that more would not be seen."""
    history = product.history()
    if not history:
        return ()
    newest = history[-1][0]
    step = len(history) // CHART_POINTS + 1
    return tuple(((newest - at) / 1e6, mid) for at, mid in history[::-step][::-1])
