"""What both feeds have in common when a client asks: telling them apart, and saying no.

Texts in, frames out; nothing here knows a market or a socket. The texts of refusals are Coinbase's own words.
"""

from collections.abc import Callable

import msgspec

from .product import Product

Frame = bytes
Find = Callable[[str], Product | None]
Added = list[tuple[str, str]]
"""Channels with products that were not subscribed before; an empty product where the channel needs none."""


class Refusal(Exception):
    """A request that Coinbase answers with an error frame."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.frame = error(message, reason)


def error(message: str, reason: str = "") -> Frame:
    """Write the error frame of both feeds; Advanced Trade gives no reason."""
    words = {"type": "error", "message": message}
    return msgspec.json.encode(words | {"reason": reason} if reason else words)


class _Keys(msgspec.Struct):
    channels: object = None
    channel: object = None


def dialect_of(text: str | bytes) -> str:
    """Tell which feed a client's first message speaks to: `exchange`, `advanced`, or empty when it says neither.

    `channels` is looked for first, because ccxt sends both words in an Exchange message.
    """
    try:
        keys = msgspec.json.decode(text, type=_Keys)
    except msgspec.DecodeError:
        return ""
    if keys.channels is not None:
        return "exchange"
    return "advanced" if keys.channel is not None else ""


def refuse_nobody_knows(text: str | bytes) -> Frame:
    """Answer a first message that names neither `channels` nor `channel`."""
    try:
        keys = msgspec.json.decode(text, type=_Type)
    except msgspec.ValidationError:
        return error("subscribe or unsubscribe required")
    except msgspec.DecodeError:
        return error("Malformed JSON")
    if keys.type == "subscribe":
        return error("Failed to subscribe", "No channels provided")
    return error("subscribe or unsubscribe required")


class _Type(msgspec.Struct):
    type: str = ""
