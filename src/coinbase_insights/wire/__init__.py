"""Coinbase's text in, events out: pure and total.

Any bytes give events, or a reason why not, never an exception. One reader serves one connection and one product line
of messages: `exchange.Reader` and `advanced.Reader` have the same `read`.
"""

from typing import Protocol

import msgspec

from ..quote import Event
from . import advanced, exchange
from .book import ReaderMemory


class Reader(Protocol):
    """Reads the messages of one connection, in their order."""

    @property
    def needs_snapshot(self) -> bool:
        """Whether a change of an order book was lost, so that no quote comes of it before a new snapshot."""

    def save(self) -> ReaderMemory:
        """Give all that it remembers, to go on later."""

    def load(self, memory: ReaderMemory) -> None:
        """Go on where another one was saved."""

    def forget(self) -> None:
        """Messages were lost on the way here: no book is trusted before a new snapshot, and numbers begin anew."""

    def read(self, data: bytes) -> list[Event]:
        """Give what one message says; a list that is never empty."""


class _Head(msgspec.Struct):
    channel: str = ""
    type: str = ""


_decode_head = msgspec.json.Decoder(_Head).decode


def is_advanced(data: bytes) -> bool | None:
    """Tell from a message which of the two feeds it is of: Advanced Trade has an envelope with a `channel`.

    None where it does not say: an error looks the same on both, and a broken message is of neither.
    """
    try:
        head = _decode_head(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if head.channel:
        return True
    return False if head.type and head.type != "error" else None


def reader(is_advanced: bool, *, from_book: bool = False) -> Reader:
    """Make the reader of a new connection; `from_book` takes quotes from the order book instead of from tickers."""
    return advanced.Reader(from_book=from_book) if is_advanced else exchange.Reader(from_book=from_book)
