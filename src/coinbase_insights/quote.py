"""What the exchange says, read once and for all: quotes and the other events of a feed.

A `Quote` is always valid; `read_quote` is the only door to one. Prices are whole numbers of 10^-decimals of the
quote currency beside the text that the exchange sent: sums and differences of whole numbers do not round.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

MOST_DECIMALS = 10
"""As many as the lake's tables keep; no product of Coinbase is priced finer."""
SIZE_DECIMALS = 8
MOST_UNITS = 10**12
"""No price is as high in units of its own last decimal; sums over a window then fit in 64 bits (engine/state.py)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 2**53
"""Microseconds since 1970: times are exact in JSON numbers and in floats until the year 2255."""
_PRODUCT_ID = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{1,20}", re.ASCII).fullmatch


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and best ask of a product at one time, as one message gave them."""

    product_id: str
    time: int
    """Exchange clock, microseconds since 1970 UTC."""
    sequence: int | None
    """Grows per product; None where the feed has none (level2, Advanced Trade)."""
    best_bid: str
    best_bid_size: str | None
    """In the base currency; None on feeds that do not send it."""
    best_ask: str
    best_ask_size: str | None
    decimals: int
    """Of the finer of the two prices, zeros at the end not counted."""
    bid: int
    """Best bid in units of 10^-decimals."""
    ask: int

    @property
    def written_decimals(self) -> int:
        """Of the finer of the two prices as they were written: those to show it with."""
        return max(len(text.partition(".")[2]) for text in (self.best_bid, self.best_ask))


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """The feed is alive at this time, whether or not anything is traded."""

    product_id: str | None
    """None where one heartbeat serves the whole connection (Advanced Trade)."""
    time: int
    counter: int | None = None
    """Grows by one a second (Advanced Trade)."""


class Subscribed(msgspec.Struct, frozen=True, gc=False):
    """The exchange's list of everything this connection is subscribed to: (channel, product), with aliases resolved."""

    channels: frozenset[tuple[str, str]]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """The exchange's word that it will not do what was asked."""

    message: str
    reason: str


class Missed(msgspec.Struct, frozen=True, gc=False):
    """Messages that the exchange numbered and that never reached us."""

    count: int


class Bad(msgspec.Struct, frozen=True, gc=False):
    """A message, or a part of one, that cannot be used, and why: a short reason that counts can be kept by."""

    reason: str
    product_id: str | None = None


class Stale(msgspec.Struct, frozen=True, gc=False):
    """A message that came again, or too late to say anything new."""


class Other(msgspec.Struct, frozen=True, gc=False):
    """A message that is fine and says nothing about the best prices."""

    kind: str


Event = Quote | Heartbeat | Subscribed | Refusal | Missed | Bad | Stale | Other


CROSSED = "crossed"
OWN_BOOK = ("USDT-USDC", "EURC-USDC")


def book_of(product_id: str) -> str:
    """Give the name under which Advanced Trade shows a product: X-USDC and X-USD are one book, but for two.

    Source: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels.

    >>> book_of("ETH-USDC")
    'ETH-USD'
    """
    return product_id.removesuffix("C") if product_id.endswith("-USDC") and product_id not in OWN_BOOK else product_id


def is_product_id(text: str) -> bool:
    """Tell whether this can be a product id: BASE-QUOTE in capital letters and digits."""
    return _PRODUCT_ID(text) is not None


def read_quote(  # noqa: PLR0913, PLR0917 - the two sides as they come; a wrapper would cost as much as the reading
    product_id: str,
    time: int,
    sequence: int | None,
    best_bid: str | None,
    best_bid_size: str | None,
    best_ask: str | None,
    best_ask_size: str | None,
) -> Quote | Bad:
    """Check both sides and give the quote, or the reason why there is none.

    A side without a price is what the exchange sends when nobody bids or asks. Crossed prices (bid above ask) are
    seen in auctions; there is no mid-price between them. A locked quote (bid = ask) is valid.
    """
    bid, bid_decimals = _price(best_bid)
    if bid <= 0:
        return Bad("best_bid: " + _BAD_PRICE[bid], product_id)
    ask, ask_decimals = _price(best_ask)
    if ask <= 0:
        return Bad("best_ask: " + _BAD_PRICE[ask], product_id)
    if best_bid_size is not None and not is_size(best_bid_size):
        return Bad("best_bid_size: " + ("not a size" if best_bid_size else "empty"), product_id)
    if best_ask_size is not None and not is_size(best_ask_size):
        return Bad("best_ask_size: " + ("not a size" if best_ask_size else "empty"), product_id)
    decimals = bid_decimals
    if bid_decimals < ask_decimals:
        bid *= 10 ** (ask_decimals - bid_decimals)
        decimals = ask_decimals
    elif ask_decimals < bid_decimals:
        ask *= 10 ** (bid_decimals - ask_decimals)
    if bid > ask:
        return Bad(CROSSED, product_id)
    if ask > MOST_UNITS:
        return Bad("best_ask: too many digits", product_id)
    return Quote(
        product_id, time, sequence, best_bid or "", best_bid_size, best_ask or "", best_ask_size, decimals, bid, ask
    )


_BAD_PRICE = {0: "zero", -1: "not a price", -2: "too many digits", -3: "missing", -4: "empty"}


@lru_cache(maxsize=4096)
def _price(text: str | None) -> tuple[int, int]:
    """Read a plain decimal number as (units, decimals); the units say what is wrong when they are not positive.

    The same price comes in many messages, so the last few thousand are remembered.
    """
    if not text:
        return (-3, 0) if text is None else (-4, 0)
    digits = is_number(text)
    if not digits:
        return -1, 0
    if len(digits) >= 40:
        return -2, 0
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    units = int(whole + fraction)
    return (units, len(fraction)) if units <= MOST_UNITS and len(fraction) <= MOST_DECIMALS else (-2, 0)


def cut_size(text: str) -> str:
    """Give a size without the decimals that are beyond `SIZE_DECIMALS`."""
    point = text.find(".")
    return text if point < 0 else text[: point + 1 + SIZE_DECIMALS]


@lru_cache(maxsize=4096)
def is_size(text: str) -> bool:
    """Tell whether this is a size: a plain decimal number above zero, and not beyond all measure."""
    digits = is_number(text)
    return bool(digits) and len(digits) <= 40 and len(text.partition(".")[0]) <= 17 and digits.strip("0") != ""


def is_number(text: str) -> str:
    """Give the digits of a plain decimal number, 12 or 12.50; the empty text when it is anything else.

    No sign, exponent, white space, underscore or digit of another script, all of which int() and float() take.
    """
    digits = text.replace(".", "", 1)
    return digits if digits.isascii() and digits.isdecimal() and text[0] != "." and text[-1] != "." else ""


def read_time(text: str) -> int | None:
    """Read an RFC 3339 time with its zone as microseconds since 1970 UTC, finer digits cut; None if it is none."""
    try:
        since = datetime.fromisoformat(text) - EPOCH
    except (ValueError, TypeError, OverflowError):
        return None
    time = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return time if time < LATEST else None
