"""What one connection to the Exchange feed has subscribed: who gets what, the acknowledgement, the refusals.

One bad word refuses the whole request. Nothing here knows a market or a socket.
"""

import msgspec

from .request import Added, Find, Frame, Refusal


class Channel(msgspec.Struct):
    """A channel named as an object, with products of its own."""

    name: str = ""
    product_ids: list[str] = []


class ExchangeRequest(msgspec.Struct):
    """What a client of the Exchange feed sends."""

    type: str = ""
    product_ids: list[str] = []
    channels: list[str | Channel] = []


ALIASES = {"ticker_1000": "ticker_batch", "level2_50": "level2_batch"}
ACKNOWLEDGED_AS = {"level2_batch": "level2_50"}
"""Recorded on 2026-09-30: a request for `level2_batch` is acknowledged by its old name."""

EXCHANGE_CHANNELS = ("ticker", "ticker_batch", "heartbeat", "matches", "level2_batch", "status", "auctionfeed")
NEED_A_KEY = ("level2", "level3", "full", "user")
KEY_NEEDED = (
    "level2, level3, and full channels now require authentication. "
    "https://docs.cdp.coinbase.com/exchange/docs/websocket-auth"
)


class ExchangeSubscriptions:
    """What a connection to the Exchange feed gets; subscriptions add up.

    https://docs.cdp.coinbase.com/exchange/websocket-feed/overview
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._channels: dict[str, dict[str, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._channels)

    def wants(self, channel: str, product_id: str = "") -> bool:
        """Say whether the client gets this channel of this product; of any product when none is named."""
        products = self._channels.get(channel)
        return products is not None and (not product_id or product_id in products)

    def beyond(self, channel: str) -> bool:
        """Say whether anything is subscribed besides this channel."""
        return any(name != channel for name in self._channels)

    def products(self, channel: str) -> list[str]:
        """The products of a channel, in the order in which they were subscribed."""
        return list(self._channels.get(channel, ()))

    def change(self, text: str | bytes) -> Added:
        """Take in a request as a whole, or raise Refusal and change nothing; return what is new."""
        try:
            request = msgspec.json.decode(text, type=ExchangeRequest)
        except msgspec.DecodeError as mistake:
            raise Refusal("Malformed JSON") from mistake
        if request.type not in ("subscribe", "unsubscribe"):
            raise Refusal("Type has to be either subscribe or unsubscribe")
        try:
            wanted = self._wanted(request)
        except _Reason as reason:
            raise Refusal(f"Failed to {request.type}", str(reason)) from reason
        return self._add(wanted) if request.type == "subscribe" else self._remove(wanted)

    def _wanted(self, request: ExchangeRequest) -> dict[str, list[str]]:
        if not request.channels:
            raise _Reason("No channels provided")
        wanted: dict[str, list[str]] = {}
        for entry in request.channels:
            channel = Channel(entry) if isinstance(entry, str) else entry
            name = ALIASES.get(channel.name, channel.name)
            products = wanted.setdefault(name, [])
            products += [each for each in request.product_ids + channel.product_ids if each not in products]
        for name, products in wanted.items():
            self._check(name, products, request.type)
        return wanted

    def _check(self, name: str, products: list[str], type: str) -> None:
        if name in NEED_A_KEY:
            raise _Reason(KEY_NEEDED)
        if name not in EXCHANGE_CHANNELS:
            raise _Reason(f"{name} is not a valid channel")
        for product_id in products:
            product = self._find(product_id)
            # Exchange does not list the USDC names of USD books; that is a matter of Advanced Trade.
            if product is None or not product.online or product.alias:
                raise _Reason(f"{product_id} is not a valid product")
        whole = name == "status" or (type == "unsubscribe" and name in self._channels)
        if not products and not whole:
            raise _Reason(f"You need to specify at least one product ID for channel {name}")

    def _add(self, wanted: dict[str, list[str]]) -> Added:
        added: Added = []
        for name, products in wanted.items():
            had = self._channels.get(name)
            mine = self._channels.setdefault(name, {})
            added += [(name, each) for each in products if each not in mine]
            added += [(name, "")] if not products and had is None else []
            mine.update(dict.fromkeys(products))
        return added

    def _remove(self, wanted: dict[str, list[str]]) -> Added:
        for name, products in wanted.items():
            left = {each: None for each in self._channels.get(name, {}) if products and each not in products}
            self._channels[name] = left
            if not left:
                del self._channels[name]
        return []

    def acknowledgement(self) -> Frame:
        """Write the ack: ALL current subscriptions, in an order that is not the request's."""
        channels = [
            {"name": ACKNOWLEDGED_AS.get(name, name), "product_ids": list(products)[::-1], "account_ids": None}
            for name, products in reversed(self._channels.items())
        ]
        return msgspec.json.encode({"type": "subscriptions", "channels": channels})


class _Reason(Exception):
    """Why a request is refused as a whole."""
