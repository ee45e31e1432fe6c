"""One client of Advanced Trade, served from the synthetic market: requests and events in, frames out.

Every frame carries `sequence_num`: from 0, one more for each message of the connection, whatever its channel.
https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

import msgspec

from .advanced_frames import candles, heartbeat, l2_data, l2_snapshot, market_trades, tickers
from .advanced_subscriptions import AdvancedSubscriptions
from .digits import SECOND, nano_time
from .events import BookChange, Event, SecondPassed, Trade
from .history import Bar
from .listing import advanced_status
from .market import Market
from .request import Frame, Refusal

BATCH_SECONDS = 5
CANDLE_SECONDS = 300
CANDLES = 100


class Envelope:
    """Numbers and wraps what one connection is sent."""

    def __init__(self, client_id: bool = False) -> None:
        """With `client_id`, frames carry the empty `client_id` of 2024, which the official SDK asks for."""
        self._client_id = {"client_id": ""} if client_id else {}
        self._next = 0
        self._sent_at = 0

    def wrap(self, channel: str, time: int, event: dict[str, object]) -> Frame:
        """Write one frame, sent at `time` (microseconds)."""
        # Some nanoseconds between frames of one time, as recorded: no two frames leave at once.
        self._sent_at = self._sent_at + 81 if self._sent_at // 1000 == time else time * 1000
        rest = {"timestamp": nano_time(self._sent_at), "sequence_num": self.take_number(), "events": [event]}
        return msgspec.json.encode({"channel": channel} | self._client_id | rest)

    def take_number(self) -> int:
        """Give the number of the next frame, for one that is not wrapped here."""
        number, self._next = self._next, self._next + 1
        return number


class AdvancedSession:
    """What one connection is told; it lives as long as the connection."""

    def __init__(self, market: Market, client_id: bool = False) -> None:
        self._market = market
        self._subscriptions = AdvancedSubscriptions(market.find)
        self._envelope = Envelope(client_id)
        self._batch: dict[str, Trade] = {}
        self._candles: set[str] = set()

    @property
    def subscribed(self) -> bool:
        """Whether a valid subscription stands."""
        return bool(self._subscriptions)

    def answer(self, text: str | bytes) -> list[Frame]:
        """Answer a request: first the snapshots, then the acknowledgement, as recorded; or an error."""
        try:
            added = self._subscriptions.change(text)
        except Refusal as refusal:
            return [refusal.frame]
        frames = [frame for channel, product_id in added for frame in self._first(channel, product_id)]
        acknowledgement: dict[str, object] = {"subscriptions": self._subscriptions.acknowledgement()}
        return [*frames, self._wrap("subscriptions", acknowledgement)]

    def _wrap(self, channel: str, event: dict[str, object]) -> Frame:
        return self._envelope.wrap(channel, self._market.time, event)

    def _first(self, channel: str, product_id: str) -> list[Frame]:
        if channel == "status":
            return [self._wrap("status", {"type": "snapshot", "products": self._status(product_id)})]
        standing = self._market.standing(product_id)
        if standing is None:
            return []
        product = self._market.products[product_id]
        if channel in ("ticker", "ticker_batch"):
            return [self._wrap(channel, tickers("snapshot", product, standing.trade, channel == "ticker"))]
        if channel == "market_trades":
            return [self._wrap(channel, market_trades("snapshot", product, standing.trades[::-1]))]
        if channel == "candles":
            return [self._wrap(channel, candles("snapshot", product, self._bars(product_id)))]
        return [self._wrap("l2_data", l2_snapshot(product, standing, self._market.time))]

    def _status(self, product_id: str) -> list[dict[str, object]]:
        products = self._market.products.values()
        return [advanced_status(each) for each in products if product_id in ("", each.product_id)]

    def _bars(self, product_id: str) -> list[Bar]:
        return self._market.candles(product_id, CANDLE_SECONDS)[-CANDLES:]

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
        if wants("candles", product_id):
            self._candles.add(product_id)
        frames = []
        if wants("market_trades", product_id):
            frames.append(self._at(trade, "market_trades", market_trades("update", product, (trade,))))
        if wants("ticker", product_id):
            frames.append(self._at(trade, "ticker", tickers("update", product, trade)))
        return frames

    def _at(self, event: Event, channel: str, body: dict[str, object]) -> Frame:
        return self._envelope.wrap(channel, event.time, body)

    def _changed(self, change: BookChange) -> list[Frame]:
        if not self._subscriptions.wants("level2", change.product_id):
            return []
        product = self._market.products[change.product_id]
        return [self._at(change, "l2_data", l2_data("update", product, change.bids, change.asks, change.time))]

    def _second(self, second: SecondPassed) -> list[Frame]:
        frames = self._batched(second) if second.time // SECOND % BATCH_SECONDS == 0 else []
        if self._subscriptions.wants("heartbeats"):
            frames.append(self._at(second, "heartbeats", heartbeat(second.time)))
        return frames

    def _batched(self, second: SecondPassed) -> list[Frame]:
        """Give the newest ticker and candle of each product that traded in these five seconds."""
        batch, self._batch = self._batch, {}
        moved, self._candles = self._candles, set()
        frames = []
        for product_id, trade in batch.items():
            body = tickers("update", self._market.products[product_id], trade, best=False)
            frames.append(self._at(second, "ticker_batch", body))
        for product_id in sorted(moved):
            body = candles("update", self._market.products[product_id], self._bars(product_id)[-1:])
            frames.append(self._at(second, "candles", body))
        return frames
