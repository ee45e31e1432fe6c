"""What is written on a message: its feed, channel, products and number, and nothing of what it says.

The simulator gives each client by it what was subscribed and no more; the lake keeps it beside the text. Total, as
the readers are: any bytes have a label. Never changes a byte.
"""

import msgspec

ACKNOWLEDGEMENT = "subscriptions"
ERROR = "error"
HEARTBEATS = ("heartbeat", "heartbeats")

EXCHANGE_CHANNELS = {
    "match": "matches",
    "last_match": "matches",
    "snapshot": "level2_batch",
    "l2update": "level2_batch",
    "auction": "auctionfeed",
}
ADVANCED_CHANNELS = {"l2_data": "level2"}


class Label(msgspec.Struct, frozen=True, gc=False):
    """What is written on a frame."""

    channel: str = ""
    """The name that a client subscribes; empty for a frame that cannot be read or that nobody knows."""
    products: frozenset[str] = frozenset()
    dialect: str = ""
    """`exchange` or `advanced`; empty where the frame does not tell."""
    snapshot: bool = False
    sequence: int = 0
    """Of the product, on Exchange; 0 where there is none."""
    trade_id: int = 0
    sequence_num: int | None = None
    """Of the connection, on Advanced Trade."""


class _Named(msgspec.Struct):
    product_id: str = ""


class _Event(msgspec.Struct):
    type: str = ""
    product_id: str = ""
    tickers: list[_Named] = []
    trades: list[_Named] = []
    candles: list[_Named] = []


class _Frame(msgspec.Struct):
    type: str = ""
    channel: str = ""
    product_id: str = ""
    sequence: int = 0
    sequence_num: int | None = None
    trade_id: int = 0
    last_trade_id: int = 0
    events: list[_Event] = []


_decoder = msgspec.json.Decoder(_Frame)


def label(data: bytes) -> Label:
    """Read what a frame is; a frame that cannot be read gets an empty label."""
    try:
        frame = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Label()
    return _advanced(frame) if frame.channel else _exchange(frame)


def _exchange(frame: _Frame) -> Label:
    channel = EXCHANGE_CHANNELS.get(frame.type, frame.type)
    products = frozenset([frame.product_id] if frame.product_id else [])
    trade_id = frame.trade_id or frame.last_trade_id
    return Label(channel, products, "exchange" if frame.type else "", False, frame.sequence, trade_id)


def _advanced(frame: _Frame) -> Label:
    products: set[str] = set()
    snapshot = False
    for event in frame.events:
        products.add(event.product_id)
        for each in event.tickers or event.trades or event.candles:
            products.add(each.product_id)
        snapshot = snapshot or event.type == "snapshot"
    products.discard("")
    channel = ADVANCED_CHANNELS.get(frame.channel, frame.channel)
    return Label(channel, frozenset(products), "advanced", snapshot, sequence_num=frame.sequence_num)
