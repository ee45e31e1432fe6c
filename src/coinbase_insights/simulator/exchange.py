"""One client of the Exchange feed, served from the synthetic market: requests and events in, frames out.

Tickers come at trades only; a quiet product is silent but for its heartbeat.
https://docs.cdp.coinbase.com/exchange/websocket-feed/overview
"""

from .digits import SECOND
from .events import BookChange, Event, SecondPassed, Trade
from .exchange_frames import heartbeat, l2update, match, snapshot, status, ticker
from .exchange_subscriptions import ExchangeSubscriptions
from .market import Market
from .request import Frame, Refusal

BATCH_SECONDS = 5
STATUS_SECONDS = 5
"""Coinbase sends `status` on an interval whose length is not documented; this is ours."""


class ExchangeSession:
    """What one connection is told; it lives as long as the connection."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._subscriptions = ExchangeSubscriptions(market.find)
        self._batch: dict[str, Trade] = {}

    @property
    def subscribed(self) -> bool:
        """Whether a valid subscription stands."""
        return bool(self._subscriptions)

    def answer(self, text: str | bytes) -> list[Frame]:
        """Answer a request: the acknowledgement and the first message of each new product, or an error."""
        try:
            added = self._subscriptions.change(text)
        except Refusal as refusal:
            return [refusal.frame]
        frames = [self._subscriptions.acknowledgement()]
        for channel, product_id in added:
            frames += self._first(channel, product_id)
        return frames

    def _first(self, channel: str, product_id: str) -> list[Frame]:
        if channel == "status":
            return [status(self._market.products.values())]
        standing = self._market.standing(product_id)
        if standing is None:
            return []
        product = self._market.products[product_id]
        if channel in ("ticker", "ticker_batch"):
            return [ticker(product, standing.trade)]
        if channel == "matches":
            return [match(product, standing.trade, "last_match")]
        return [snapshot(product, standing, self._market.time)] if channel == "level2_batch" else []

    def frames(self, event: Event) -> list[Frame]:
        """Tell the client what happened, as far as it has asked for it."""
        if isinstance(event, Trade):
            return self._traded(event)
        return self._second(event) if isinstance(event, SecondPassed) else self._changed(event)

    def _traded(self, trade: Trade) -> list[Frame]:
        product_id, wants = trade.product_id, self._subscriptions.wants
        product = self._market.products[product_id]
        if wants("ticker_batch", product_id):
            self._batch[product_id] = trade
        frames = [match(product, trade, "match")] if wants("matches", product_id) else []
        return frames + ([ticker(product, trade)] if wants("ticker", product_id) else [])

    def _changed(self, change: BookChange) -> list[Frame]:
        if not self._subscriptions.wants("level2_batch", change.product_id):
            return []
        return [l2update(self._market.products[change.product_id], change)]

    def _second(self, second: SecondPassed) -> list[Frame]:
        seconds = second.time // SECOND
        frames = [
            heartbeat(product_id, *second.standing[product_id], second.time)
            for product_id in self._subscriptions.products("heartbeat")
        ]
        if seconds % BATCH_SECONDS == 0:
            frames = self._batched() + frames
        if seconds % STATUS_SECONDS == 0 and self._subscriptions.wants("status"):
            frames.append(status(self._market.products.values()))
        return frames

    def _batched(self) -> list[Frame]:
        """Give the newest ticker of each product that traded since the last batch, and of no other."""
        batch, self._batch = self._batch, {}
        wanted = [trade for trade in batch.values() if self._subscriptions.wants("ticker_batch", trade.product_id)]
        return [ticker(self._market.products[trade.product_id], trade) for trade in wanted]
