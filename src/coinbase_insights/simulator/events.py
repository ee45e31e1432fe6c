"""What happens in a market: trades, changes of the book, and the whole seconds that pass.

Plain values; how either feed tells them is said in `exchange.py` and `advanced.py`.
"""

import msgspec

Levels = tuple[tuple[int, int], ...]
"""Prices with the size that stands there, best first; in the product's smallest step and in 10^-8."""


class Day(msgspec.Struct, frozen=True, gc=False):
    """The last 24 hours of a product, as every ticker repeats them."""

    open: int
    low: int
    high: int
    volume: int
    volume_30d: int


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One match of two orders, with the best bid and ask that stood right after it.

    The best prices of a ticker are those of its trade, and stay so until the next one
    (https://docs.cdp.coinbase.com/exchange/websocket-feed/channels, measured over 97 of 97 tickers).
    """

    time: int
    product_id: str
    sequence: int
    trade_id: int
    price: int
    size: int
    side: str
    """Who took: `buy` or `sell`. Coinbase's matches name the maker's side, the other one."""
    best_bid: int
    best_bid_size: int
    best_ask: int
    best_ask_size: int
    day: Day


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """New sizes at some prices of a book, gathered over 50 ms or until a trade; 0 removes the price."""

    time: int
    product_id: str
    bids: Levels
    asks: Levels


class SecondPassed(msgspec.Struct, frozen=True, gc=False):
    """A whole second has come, with the `sequence` and the last `trade_id` of every product at that time."""

    time: int
    standing: dict[str, tuple[int, int]]


Event = Trade | BookChange | SecondPassed
