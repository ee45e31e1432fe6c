"""What one connection to Advanced Trade has subscribed: who gets what, the acknowledgement, the refusals.

One channel a request. Nothing here knows a market or a socket.
"""

import msgspec

from .request import Added, Find, Refusal


class AdvancedRequest(msgspec.Struct):
    """What a client of Advanced Trade sends; a `jwt` is accepted and not looked at."""

    type: str = ""
    product_ids: list[str] = []
    channel: str = ""


ADVANCED_CHANNELS = ("ticker", "ticker_batch", "heartbeats", "level2", "market_trades", "candles", "status")
WITHOUT_PRODUCT = ("heartbeats", "status")
OWN_ACCOUNT = ("user", "futures_balance_summary")


class AdvancedSubscriptions:
    """What a connection to Advanced Trade gets: one channel a request.

    https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._channels: dict[str, dict[str, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._channels)

    def wants(self, channel: str, product_id: str = "") -> bool:
        """Say whether the client gets this channel of the product whose messages carry this name."""
        products = self._channels.get(channel)
        return products is not None and (not product_id or product_id in products.values())

    def beyond(self, channel: str) -> bool:
        """Say whether anything is subscribed besides this channel."""
        return any(name != channel for name in self._channels)

    def products(self, channel: str) -> list[str]:
        """The products of a channel as their messages name them: BTC-USD where BTC-USDC was asked for."""
        return list(dict.fromkeys(self._channels.get(channel, {}).values()))

    def change(self, text: str | bytes) -> Added:
        """Take in a request, or raise Refusal and change nothing; return what is new, by the messages' names."""
        try:
            request = msgspec.json.decode(text, type=AdvancedRequest)
        except msgspec.DecodeError as mistake:
            raise Refusal("subscribe or unsubscribe required") from mistake
        if request.type not in ("subscribe", "unsubscribe"):
            raise Refusal("subscribe or unsubscribe required")
        if request.channel in OWN_ACCOUNT:
            raise Refusal("authentication failure")
        if request.channel not in ADVANCED_CHANNELS:
            raise Refusal("failure to subscribe")
        return self._add(request) if request.type == "subscribe" else self._remove(request)

    def _add(self, request: AdvancedRequest) -> Added:
        channel, products = request.channel, self._resolved(request)
        had = self.products(channel)
        new = channel not in self._channels
        self._channels.setdefault(channel, {}).update(products)
        if not products:
            return [(channel, "")] if new else []
        return [(channel, each) for each in dict.fromkeys(products.values()) if each not in had]

    def _resolved(self, request: AdvancedRequest) -> dict[str, str]:
        if request.channel == "heartbeats":
            return {}
        found = {product_id: self._find(product_id) for product_id in request.product_ids}
        if not found and request.channel not in WITHOUT_PRODUCT:
            raise Refusal("failure to subscribe")
        products = {name: product.alias or name for name, product in found.items() if product and product.online}
        if len(products) < len(found):
            raise Refusal("failure to subscribe")
        return products

    def _remove(self, request: AdvancedRequest) -> Added:
        mine = self._channels.get(request.channel, {})
        for product_id in request.product_ids or list(mine):
            mine.pop(product_id, None)
        if not mine:
            self._channels.pop(request.channel, None)
        return []

    def acknowledgement(self) -> dict[str, list[str]]:
        """List ALL current subscriptions under the names that were asked for; heartbeats names itself."""
        return {
            name: ["heartbeats"] if name == "heartbeats" else list(products)
            for name, products in sorted(self._channels.items())
        }
