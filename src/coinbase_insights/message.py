"""What a source gives: the messages of a connection, and when the line opened, was lost, or went unkept.

Nothing here is parsed; a message is kept as the bytes that the exchange sent.
"""

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """What the exchange sent, unread, and when it reached us."""

    received_at: int
    """Nanoseconds since 1970 UTC, our clock."""
    data: bytes


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A connection stands and its subscription is sent; what follows comes from it."""

    received_at: int
    url: str


class Lost(msgspec.Struct, frozen=True, gc=False):
    """The connection ended, or could not be made; until the next `Opened` the line is down."""

    received_at: int
    reason: str
    attempt: int = 0
    """How many attempts in a row have failed to bring a quote."""
    retry_in: float = 0.0
    """Seconds until the next attempt; nothing is known of it in a recording."""
    messages: int | None = None
    """How many the connection brought; None where nobody counted."""


class Unstored(msgspec.Struct, frozen=True, gc=False):
    """Messages came and could not be kept, for the storage was full; or what was kept of them has been damaged."""

    received_at: int
    """When it took one again."""
    count: int
    is_damage: bool = False
    """Whether they had been kept, and were lost later."""


Line = Opened | Lost | Unstored
Item = Message | Opened | Lost | Unstored
