"""ccxt's client of the Exchange feed, pointed at a local server: print what it makes of the messages as JSON.

Runs in an environment of its own, with nothing of ours in it. Arguments: the ws:// and the http:// address.
"""

import asyncio
import json
import sys
from typing import Any

import ccxt.pro


async def main(url: str, rest_url: str) -> None:
    api = {"ws": url, "public": rest_url, "private": rest_url}
    exchange = ccxt.pro.coinbaseexchange({"urls": {"api": api}})
    try:
        sys.stdout.write(f"{json.dumps(await look(exchange))}\n")
    finally:
        await exchange.close()


async def look(exchange: Any) -> dict[str, Any]:
    markets = await exchange.load_markets()
    tickers = [await exchange.watch_ticker("BTC/USD") for _ in range(3)]
    trades = await exchange.watch_trades("ETH/USD")
    candles = await exchange.fetch_ohlcv("BTC/USD", "5m", limit=10)
    return {
        "markets": sorted(markets),
        "tickers": [
            {field: ticker[field] for field in ("symbol", "bid", "ask", "last", "timestamp")} for ticker in tickers
        ],
        "trades": [{field: trade[field] for field in ("symbol", "side", "price", "amount")} for trade in trades],
        "candles": candles,
        "ticker": await exchange.fetch_ticker("BTC/USD"),
    }


asyncio.run(main(sys.argv[1], sys.argv[2]))
