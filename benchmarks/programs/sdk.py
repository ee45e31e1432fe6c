"""Coinbase's own client in the flood, merely counting messages: `python benchmarks/programs/sdk.py URL MESSAGES`.

Runs in an environment of its own, with nothing of ours in it.
"""

import json
import os
import sys
import threading

from coinbase.websocket import WSClient
from slices import Slices


def main(url: str, count: int) -> None:
    """Take so many messages and say what they cost."""
    slices = Slices()
    everything = threading.Event()

    def hear(text: str) -> None:
        if slices.add() == count:
            print(json.dumps({"cost": slices.least}), flush=True)
            everything.set()

    client = WSClient(base_url=url, on_message=hear)
    client.open()
    client.subscribe(product_ids=["BTC-USD"], channels=["ticker"])
    done = everything.wait(120)
    os._exit(0 if done else 1)  # It has no quick way to leave a flood.


main(sys.argv[1], int(sys.argv[2]))
