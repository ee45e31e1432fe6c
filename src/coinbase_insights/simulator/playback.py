"""A recording on air: every client gets all of it from the start, untouched, at the pace that was asked for.

Only what the client subscribed is sent. Own acknowledgements stand in for the recorded ones; heartbeats are made
where the client wants them and the recording has none. Nothing is dropped: a slow client slows its own playing.
"""

import asyncio
import logging
from collections.abc import Iterator

import msgspec

from ..errors import RecordingError
from ..message import Message
from .line import Line
from .recorded import Recording
from .request import dialect_of, refuse_nobody_knows
from .voice import AdvancedVoice, ExchangeVoice

NANO = 1_000_000_000
TURN = 100
"""Frames after which others get a turn."""

Voice = ExchangeVoice | AdvancedVoice

log = logging.getLogger(__name__)


class Beat(msgspec.Struct, frozen=True):
    """A heartbeat that the recording lacks."""

    time: int
    """By the clock of the recording, microseconds since 1970 UTC."""


def timeline(recording: Recording) -> Iterator[tuple[int, Message | Beat]]:
    """Give the frames with the nanosecond at which each is due, and heartbeats where there are none.

    The first beat comes at once, and its time is a second after the recording began: a client takes that for the
    beat that it waited for, and knows when it began. The others fall on whole seconds, as Coinbase's do.
    """
    beat = recording.started_at + NANO
    if not recording.heartbeats:
        yield recording.started_at, Beat(beat // 1000)
    for message in recording.messages():
        while not recording.heartbeats and (beat // NANO + 1) * NANO <= message.received_at:
            beat = (beat // NANO + 1) * NANO
            yield beat, Beat(beat // 1000)
        yield message.received_at, message


class PlaybackDesk:
    """Answers the requests of one client and plays the recording to it."""

    def __init__(self, recording: Recording, line: Line, speed: float, grace: float) -> None:
        self._recording = recording
        self._line = line
        self._speed = speed
        self._grace = grace
        self._voice: Voice | None = None
        self._playing: asyncio.Task[None] | None = None

    @property
    def subscribed(self) -> bool:
        """Whether a valid subscription stands."""
        return self._voice is not None and self._voice.subscribed

    def answer(self, text: str | bytes) -> None:
        """Answer a request; the first one that asks for more than heartbeats starts the recording."""
        if self._voice is None:
            self._voice = self._open(dialect_of(text))
        for frame in self._voice.answer(text) if self._voice else [refuse_nobody_knows(text)]:
            self._line.put(frame)
        if self._voice and self._voice.wants_data and self._playing is None:
            self._playing = asyncio.create_task(self._play(self._voice))

    def _open(self, dialect: str) -> Voice | None:
        if dialect and dialect != self._recording.dialect:
            log.warning("this recording speaks the %s feed, the client the %s feed", self._recording.dialect, dialect)
        if dialect == "exchange":
            return ExchangeVoice(self._recording)
        return AdvancedVoice(self._recording) if dialect else None

    def leave(self) -> None:
        """Play no more: the client has gone."""
        if self._playing is not None:
            self._playing.cancel()

    async def _play(self, voice: Voice) -> None:
        await asyncio.sleep(self._grace)
        try:
            await self._play_all(voice)
        except RecordingError as error:
            log.warning("%s", error.message)
            self._line.finish(1011)

    async def _play_all(self, voice: Voice) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        for number, (due, item) in enumerate(timeline(self._recording)):
            wait = begun + (due - self._recording.started_at) / NANO / self._speed - clock()
            if wait > 0 or number % TURN == 0:
                await asyncio.sleep(max(0.0, wait))
            await self._line.room()
            for frame in voice.beat(item.time) if isinstance(item, Beat) else voice.frames(item):
                self._line.put(frame)
        self._line.finish(1000)


class Playback:
    """Plays one recording to any number of clients; `speed` is `inf` for as fast as each of them reads."""

    def __init__(self, recording: Recording, speed: float, grace: float) -> None:
        self.market = recording
        self._speed = speed
        self._grace = grace

    def join(self, line: Line) -> PlaybackDesk:
        """Seat a new client."""
        return PlaybackDesk(self.market, line, self._speed, self._grace)

    async def run(self) -> None:
        """Wait for ever: every client has a clock of its own here."""
        await asyncio.Event().wait()
