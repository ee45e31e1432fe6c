"""The official SDK of Advanced Trade, pointed at a local server: print the first messages as JSON lines.

Runs in an environment of its own, with nothing of ours in it. Arguments: the ws:// address.
"""

import json
import sys
import threading

from coinbase.websocket import WebsocketResponse, WSClient

CHANNELS = {"heartbeats", "ticker", "ticker_batch", "level2", "market_trades", "candles"}
ANSWERS = {"l2_data" if channel == "level2" else channel for channel in CHANNELS} | {"subscriptions"}


def main(url: str) -> None:
    seen: set[str] = set()
    everything = threading.Event()

    def hear(text: str) -> None:
        response = WebsocketResponse(json.loads(text))  # the typed helper: fails on a frame that it does not know
        if response.channel not in seen:
            seen.add(response.channel)
            sys.stdout.write(f"{text}\n")
        if seen >= ANSWERS:
            everything.set()

    client = WSClient(base_url=url, on_message=hear)
    client.open()
    client.subscribe(product_ids=["BTC-USD", "ETH-USD"], channels=sorted(CHANNELS))
    finished = everything.wait(20)
    client.close()
    sys.exit(0 if finished else f"only {sorted(seen)} came")


main(sys.argv[1])
