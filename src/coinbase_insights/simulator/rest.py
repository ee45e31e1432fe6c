"""The answers to REST calls, of both APIs, as far as a client needs them before it subscribes.

Pure: a target in, a status and a body out. https://docs.cdp.coinbase.com/exchange/reference and
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from .advanced_frames import candle, market_trades
from .digits import SECOND, SIZE_DECIMALS, micro_time, nano_time, padded, trimmed
from .events import Trade
from .history import Bar
from .listing import advanced_product, currency, exchange_product
from .market import Standing
from .product import Product

BROKERAGE = "/api/v3/brokerage"
GRANULARITIES = (60, 300, 900, 3600, 21600, 86400)
NAMED_GRANULARITIES = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "SIX_HOUR": 21600,
    "ONE_DAY": 86400,
}
CANDLES = 300
CANDLES_ADVANCED = 350
MOST_DIGITS = 18


class Listed(Protocol):
    """What REST has to know of a market."""

    products: dict[str, Product]
    time: int

    def standing(self, product_id: str) -> Standing | None:
        """Say where a product stands now; None when it does not trade."""

    def candles(self, product_id: str, seconds: int) -> list[Bar]:
        """Give its bars, oldest first."""


class Answer(msgspec.Struct, frozen=True):
    """A status and a body of JSON."""

    status: int
    body: bytes


def _ok(value: object) -> Answer:
    return Answer(200, msgspec.json.encode(value))


def _no(status: int, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"message": message}))


NOT_FOUND = _no(404, "NotFound")


def answer(market: Listed, target: str) -> Answer:
    """Answer a GET; what nobody knows is a 404."""
    parts = urlsplit(target)
    path = unquote(parts.path).rstrip("/")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if path.startswith(BROKERAGE):
        return _brokerage(market, path.removeprefix(BROKERAGE), query)
    match path.split("/")[1:]:
        case ["products"]:
            return _ok([exchange_product(product) for product in _own(market)])
        case ["currencies"]:
            return _ok([currency(name) for name in _currencies(market)])
        case ["currencies", name] if name in _currencies(market):
            return _ok(currency(name))
        case ["time"]:
            return _ok({"iso": micro_time(market.time)[:-4] + "Z", "epoch": market.time / SECOND})
        case ["products", product_id, *rest] if (product := _find(market, product_id)) is not None:
            return _exchange(market, product, rest, query)
    return NOT_FOUND


def _own(market: Listed) -> list[Product]:
    """Give the products that the Exchange lists: not those that only name another one's book."""
    return [product for product in market.products.values() if not product.alias]


def _find(market: Listed, product_id: str) -> Product | None:
    product = market.products.get(product_id)
    return None if product is None or product.alias else product


def _whole(text: str) -> int | None:
    """Read a whole number; None for anything else, such as other scripts' digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None


def _currencies(market: Listed) -> list[str]:
    products = market.products.values()
    return list(dict.fromkeys(name for each in products for name in (each.base, each.quote_currency)))


# -- Exchange --


def _exchange(market: Listed, product: Product, rest: list[str], query: Mapping[str, str]) -> Answer:
    if not rest:
        return _ok(exchange_product(product))
    if rest == ["candles"]:
        return _candles(market, product, query)
    standing = market.standing(product.product_id)
    if standing is None:
        # Logged by users of delisted products: https://github.com/ccxt/ccxt/issues/14280
        return NOT_FOUND if product.online else _no(400, f"Not allowed for {product.status} products")
    if rest == ["ticker"]:
        return _ok(_ticker(product, standing.trade))
    return _ok(_book(market, product, standing, query.get("level", "1"))) if rest == ["book"] else NOT_FOUND


def _ticker(product: Product, trade: Trade) -> dict[str, object]:
    decimals = product.price_decimals
    return {
        "ask": trimmed(trade.best_ask, decimals),
        "bid": trimmed(trade.best_bid, decimals),
        "volume": padded(trade.day.volume, SIZE_DECIMALS),
        "trade_id": trade.trade_id,
        "price": trimmed(trade.price, decimals),
        "size": trimmed(trade.size, SIZE_DECIMALS),
        "time": micro_time(trade.time),
    }


def _book(market: Listed, product: Product, standing: Standing, level: str) -> dict[str, object]:
    depth = 1 if level == "1" else None
    sides = {
        side: [
            [trimmed(price, product.price_decimals), trimmed(size, SIZE_DECIMALS), 1 + price % 4]
            for price, size in levels[:depth]
        ]
        for side, levels in (("bids", standing.bids), ("asks", standing.asks))
    }
    rest = {"sequence": standing.trade.sequence, "auction_mode": False, "auction": None}
    return {**sides, **rest, "time": micro_time(market.time)}


def _candles(market: Listed, product: Product, query: Mapping[str, str]) -> Answer:
    text = query.get("granularity", "60")
    seconds = _whole(text)
    if seconds not in GRANULARITIES:
        return _no(400, "Unsupported granularity")
    bars = market.candles(product.product_id, seconds)[-CANDLES:]
    unit, size = 10**product.price_decimals, 10**SIZE_DECIMALS
    # This one call answers with numbers, newest first.
    return _ok(
        [
            [bar.start, bar.low / unit, bar.high / unit, bar.open / unit, bar.close / unit, bar.volume / size]
            for bar in reversed(bars)
        ]
    )


# -- Advanced Trade --


def _brokerage(market: Listed, path: str, query: Mapping[str, str]) -> Answer:
    match path.split("/")[1:]:
        case ["time"]:
            return _ok(_time(market.time))
        case ["market", "products"]:
            products = [_product(market, product) for product in market.products.values()]
            return _ok({"products": products, "num_products": len(products)})
        case ["market", "product_book"]:
            return _product_book(market, query)
        case ["market", "products", product_id, *rest] if (product := market.products.get(product_id)) is not None:
            return _advanced(market, product, rest, query)
    return NOT_FOUND


def _time(time: int) -> dict[str, str]:
    iso = nano_time(time // SECOND * 1_000_000_000)
    return {"iso": iso, "epochSeconds": str(time // SECOND), "epochMillis": str(time // 1000)}


def _advanced(market: Listed, product: Product, rest: list[str], query: Mapping[str, str]) -> Answer:
    if not rest:
        return _ok(_product(market, product))
    if rest == ["ticker"]:
        return _ok(_trades(market, product, query))
    if rest == ["candles"]:
        seconds = NAMED_GRANULARITIES.get(query.get("granularity", ""), 60)
        bars = market.candles(product.product_id, seconds)[-CANDLES_ADVANCED:]
        return _ok({"candles": [candle(product, bar) for bar in reversed(bars)]})
    return NOT_FOUND


def _product(market: Listed, product: Product) -> dict[str, object]:
    standing = market.standing(product.product_id)
    price = trimmed(standing.trade.price, product.price_decimals) if standing else ""
    aliases = [each.product_id for each in market.products.values() if each.alias == product.product_id]
    return advanced_product(product, price, aliases)


def _trades(market: Listed, product: Product, query: Mapping[str, str]) -> dict[str, object]:
    standing = market.standing(product.product_id)
    newest = _whole(query.get("limit", ""))
    trades = standing.trades[::-1][:newest] if standing else ()
    # Real answers carry empty best prices here.
    return {"trades": market_trades("", product, trades)["trades"], "best_bid": "", "best_ask": ""}


def _product_book(market: Listed, query: Mapping[str, str]) -> Answer:
    product = market.products.get(query.get("product_id", ""))
    standing = market.standing(product.product_id) if product else None
    if product is None or standing is None:
        return NOT_FOUND
    depth = _whole(query.get("limit", "")) or None
    decimals = product.price_decimals
    sides = {
        side: [_level(price, size, decimals) for price, size in levels[:depth]]
        for side, levels in (("bids", standing.bids), ("asks", standing.asks))
    }
    book = {"product_id": product.product_id, **sides, "time": nano_time(market.time * 1000)}
    return _ok({"pricebook": book, **_middle(standing, decimals)})


def _level(price: int, size: int, decimals: int) -> dict[str, str]:
    return {"price": trimmed(price, decimals), "size": trimmed(size, SIZE_DECIMALS)}


def _middle(standing: Standing, decimals: int) -> dict[str, str]:
    """Give last price, mid price and spread of a book; half a step needs one more decimal."""
    bid, ask = standing.bids[0][0], standing.asks[0][0]
    return {
        "last": trimmed(standing.trade.price, decimals),
        "mid_market": trimmed((bid + ask) * 5, decimals + 1),
        "spread_bps": f"{(ask - bid) / (bid + ask) * 20_000:.8f}".rstrip("0").rstrip("."),
        "spread_absolute": trimmed(ask - bid, decimals),
    }
