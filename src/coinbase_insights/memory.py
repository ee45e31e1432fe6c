"""All that a pipe remembers between two messages, so that reading a history can go on where it ended. Pure."""

import msgspec

from .clock import ClockMemory
from .quote import Heartbeat, Quote
from .wire.book import ReaderMemory


class PipeMemory(msgspec.Struct):
    """What `Pipe.save` gives and `Pipe.load` takes; not the products, which their makers keep, nor most counts."""

    last_known: dict[str, Quote]
    by_own_name: list[str]
    reader: ReaderMemory | None
    is_advanced: bool | None
    clock: ClockMemory
    held: list[tuple[Quote | None, int, int]]
    first_received: int
    last_received: int
    opened_at: int | None
    start: int | None
    is_start_guessed: bool
    beats: list[Heartbeat]
    missed_since_beat: int
    unbelieved_beats: list[tuple[str | None, int]]
    is_up: bool
    is_silent: bool
    received: int
    reconnects: int
    missed: int = 0
