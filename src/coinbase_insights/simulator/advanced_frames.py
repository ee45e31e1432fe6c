"""How Advanced Trade writes what happens: the events inside its envelope, every number trimmed.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

import re

from .digits import SECOND, SIZE_DECIMALS, go_time, nano_time, trimmed
from .events import Levels, Trade
from .history import Bar
from .market import Standing
from .product import Product
from .request import Frame

UPTIME = 21_697
"""What the counter starts from; a real one is the uptime of a process and never starts at 0."""


def tickers(type: str, product: Product, trade: Trade, best: bool = True) -> dict[str, object]:
    """Write a ticker event; `ticker_batch` comes without the best prices."""
    decimals, day = product.price_decimals, trade.day
    ticker = {
        "type": "ticker",
        "product_id": product.product_id,
        "price": trimmed(trade.price, decimals),
        "volume_24_h": trimmed(day.volume, SIZE_DECIMALS),
        "low_24_h": trimmed(day.low, decimals),
        "high_24_h": trimmed(day.high, decimals),
        # The market is a day old, so its year is the day, widened.
        "low_52_w": trimmed(day.low * 3 // 5, decimals),
        "high_52_w": trimmed(day.high * 2, decimals),
        "price_percent_chg_24_h": f"{(trade.price / day.open - 1) * 100:.14f}".rstrip("0").rstrip("."),
    }
    if best:
        ticker["best_bid"] = trimmed(trade.best_bid, decimals)
        ticker["best_ask"] = trimmed(trade.best_ask, decimals)
        ticker["best_bid_quantity"] = trimmed(trade.best_bid_size, SIZE_DECIMALS)
        ticker["best_ask_quantity"] = trimmed(trade.best_ask_size, SIZE_DECIMALS)
    return {"type": type, "tickers": [ticker]}


def market_trades(type: str, product: Product, trades: tuple[Trade, ...]) -> dict[str, object]:
    """Write trades, newest first; the side is the maker's."""
    return {
        "type": type,
        "trades": [
            {
                "product_id": product.product_id,
                "trade_id": str(trade.trade_id),
                "price": trimmed(trade.price, product.price_decimals),
                "size": trimmed(trade.size, SIZE_DECIMALS),
                "time": nano_time(trade.time * 1000),
                "side": "SELL" if trade.side == "buy" else "BUY",
            }
            for trade in trades
        ],
    }


def l2_snapshot(product: Product, standing: Standing, time: int) -> dict[str, object]:
    """Write a whole book: bids best first, then offers best first."""
    return l2_data("snapshot", product, standing.bids, standing.asks, time)


def l2_data(type: str, product: Product, bids: Levels, asks: Levels, time: int) -> dict[str, object]:
    """Write prices of a book with their new sizes; `0` removes one."""
    sides = [("bid", *level) for level in bids] + [("offer", *level) for level in asks]
    event_time = nano_time(time * 1000)
    return {
        "type": type,
        "product_id": product.product_id,
        "updates": [
            {
                "side": side,
                "event_time": event_time,
                "price_level": trimmed(price, product.price_decimals),
                "new_quantity": trimmed(size, SIZE_DECIMALS),
            }
            for side, price, size in sides
        ],
    }


def candles(type: str, product: Product, bars: list[Bar]) -> dict[str, object]:
    """Write five-minute candles, oldest first."""
    return {"type": type, "candles": [candle(product, bar) | {"product_id": product.product_id} for bar in bars]}


def candle(product: Product, bar: Bar) -> dict[str, str]:
    """Write one candle; its start is epoch seconds in a string."""
    decimals = product.price_decimals
    return {
        "start": str(bar.start),
        "high": trimmed(bar.high, decimals),
        "low": trimmed(bar.low, decimals),
        "open": trimmed(bar.open, decimals),
        "close": trimmed(bar.close, decimals),
        "volume": trimmed(bar.volume, SIZE_DECIMALS),
    }


def heartbeat(time: int) -> dict[str, object]:
    """Write a heartbeat; its counter is the age in seconds of the process that sends it."""
    counter = UPTIME + time // SECOND % 1_000_000
    return {"current_time": go_time(time * 1000, counter + 0.195984854), "heartbeat_counter": counter}


_NUMBER = re.compile(rb'("sequence_num"\s*:\s*)(\d+)')


def sequence_num(frame: Frame) -> int | None:
    """Read the number of a frame; None when it carries none."""
    found = _NUMBER.search(frame)
    return int(found[2]) if found else None


def renumber(frame: Frame, number: int) -> Frame:
    """Replace the number of a frame and leave every other byte as it is."""
    return _NUMBER.sub(lambda found: found[1] + b"%d" % number, frame, count=1)
