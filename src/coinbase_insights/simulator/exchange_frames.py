"""How the Exchange feed writes what happens: field order and number formats of recorded frames.

Best prices are padded to the product's step, sizes to eight decimals, everything else is trimmed.
https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
"""

from collections.abc import Iterable
from uuid import NAMESPACE_URL, uuid5

import msgspec

from .digits import SIZE_DECIMALS, micro_time, padded, trimmed
from .events import BookChange, Levels, Trade
from .listing import currency, exchange_product
from .market import Standing
from .product import Product
from .request import Frame


def ticker(product: Product, trade: Trade) -> Frame:
    """Write a ticker; best prices and time are those of its trade, however old."""
    decimals, day = product.price_decimals, trade.day
    return msgspec.json.encode(
        {
            "type": "ticker",
            "sequence": trade.sequence,
            "product_id": product.product_id,
            "price": trimmed(trade.price, decimals),
            "open_24h": trimmed(day.open, decimals),
            "volume_24h": padded(day.volume, SIZE_DECIMALS),
            "low_24h": trimmed(day.low, decimals),
            "high_24h": trimmed(day.high, decimals),
            "volume_30d": padded(day.volume_30d, SIZE_DECIMALS),
            "best_bid": padded(trade.best_bid, decimals),
            "best_bid_size": padded(trade.best_bid_size, SIZE_DECIMALS),
            "best_ask": padded(trade.best_ask, decimals),
            "best_ask_size": padded(trade.best_ask_size, SIZE_DECIMALS),
            "side": trade.side,
            "time": micro_time(trade.time),
            "trade_id": trade.trade_id,
            "last_size": trimmed(trade.size, SIZE_DECIMALS),
        }
    )


def match(product: Product, trade: Trade, type: str) -> Frame:
    """Write a `match` or `last_match`; its side is the maker's, the opposite of the ticker's."""
    return msgspec.json.encode(
        {
            "type": type,
            "trade_id": trade.trade_id,
            "maker_order_id": str(uuid5(NAMESPACE_URL, f"{product.product_id} maker {trade.trade_id}")),
            "taker_order_id": str(uuid5(NAMESPACE_URL, f"{product.product_id} taker {trade.time}")),
            "side": "sell" if trade.side == "buy" else "buy",
            "size": trimmed(trade.size, SIZE_DECIMALS),
            "price": trimmed(trade.price, product.price_decimals),
            "product_id": product.product_id,
            "sequence": trade.sequence,
            "time": micro_time(trade.time),
        }
    )


def heartbeat(product_id: str, sequence: int, last_trade_id: int, time: int) -> Frame:
    """Write a heartbeat; its time is a whole second."""
    return msgspec.json.encode(
        {
            "type": "heartbeat",
            "last_trade_id": last_trade_id,
            "product_id": product_id,
            "sequence": sequence,
            "time": micro_time(time),
        }
    )


def snapshot(product: Product, standing: Standing, time: int) -> Frame:
    """Write the whole book, best prices first."""
    return msgspec.json.encode(
        {
            "type": "snapshot",
            "product_id": product.product_id,
            "asks": _levels(product, standing.asks),
            "bids": _levels(product, standing.bids),
            "time": micro_time(time),
        }
    )


def l2update(product: Product, change: BookChange) -> Frame:
    """Write the changes of a book, buys before sells, without any sequence."""
    changes = [["buy", *level] for level in _levels(product, change.bids)]
    changes += [["sell", *level] for level in _levels(product, change.asks)]
    return msgspec.json.encode(
        {"type": "l2update", "product_id": product.product_id, "changes": changes, "time": micro_time(change.time)}
    )


def _levels(product: Product, levels: Levels) -> list[list[str]]:
    return [[padded(price, product.price_decimals), padded(size, SIZE_DECIMALS)] for price, size in levels]


def status(listed: Iterable[Product]) -> Frame:
    """Write the list of products and currencies."""
    products = [product for product in listed if not product.alias]
    names = dict.fromkeys(name for product in products for name in (product.base, product.quote_currency))
    return msgspec.json.encode(
        {
            "type": "status",
            "products": [{"type": "spot"} | exchange_product(product) for product in products],
            "currencies": [currency(name) for name in names],
        }
    )
