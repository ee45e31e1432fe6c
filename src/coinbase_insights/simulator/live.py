"""A synthetic market on air: one market for all clients, moved after the wall clock.

Only this module knows how fast the time of the market goes; a client that joins late misses what was before.
"""

import asyncio

from .advanced import AdvancedSession
from .digits import SECOND
from .events import Event
from .exchange import ExchangeSession
from .line import Line
from .market import Market
from .request import dialect_of, refuse_nobody_knows

PAUSE = 0.01
SLICE = SECOND
"""The market moves at most so far (microseconds) before others get a turn."""

Session = ExchangeSession | AdvancedSession


class LiveDesk:
    """Answers the requests of one client and remembers which feed it speaks to."""

    def __init__(self, market: Market, line: Line, client_id: bool, seats: "set[LiveDesk]") -> None:
        self._seats = seats
        seats.add(self)
        self._market = market
        self._line = line
        self._client_id = client_id
        self._session: Session | None = None

    @property
    def subscribed(self) -> bool:
        """Whether a valid subscription stands."""
        return self._session is not None and self._session.subscribed

    def answer(self, text: str | bytes) -> None:
        """Answer a request, whatever it says."""
        if self._session is None:
            self._session = self._open(text)
        frames = self._session.answer(text) if self._session else [refuse_nobody_knows(text)]
        for frame in frames:
            self._line.put(frame)

    def _open(self, text: str | bytes) -> Session | None:
        dialect = dialect_of(text)
        if dialect == "exchange":
            return ExchangeSession(self._market)
        return AdvancedSession(self._market, self._client_id) if dialect else None

    def tell(self, event: Event) -> None:
        """Pass on what happened in the market."""
        if self._session is not None:
            for frame in self._session.frames(event):
                self._line.put(frame)

    def leave(self) -> None:
        """Hear no more: the client has gone."""
        self._seats.discard(self)


class Live:
    """Moves the market and tells every client; `speed` is seconds of the market per second of the wall clock."""

    def __init__(self, market: Market, speed: float, client_id: bool) -> None:
        self.market = market
        self._speed = speed
        self._client_id = client_id
        self._desks: set[LiveDesk] = set()

    def join(self, line: Line) -> LiveDesk:
        """Seat a new client; it hears the market until `leave`."""
        return LiveDesk(self.market, line, self._client_id, self._desks)

    async def run(self) -> None:
        """Let the market follow the clock, for ever; where it cannot keep up, its time goes slower."""
        clock = asyncio.get_running_loop().time
        before = clock()
        while True:
            await asyncio.sleep(PAUSE)
            now = clock()
            elapsed, before = min(now - before, 1.0), now
            await self._move(self.market.time + round(elapsed * self._speed * SECOND))

    async def _move(self, until: int) -> None:
        while self.market.time < until:
            for event in self.market.advance(min(until, self.market.time + SLICE)):
                for desk in tuple(self._desks):
                    desk.tell(event)
            await asyncio.sleep(0)
