"""Where Coinbase's feeds are, and what to say to subscribe to them."""

import json
from collections.abc import Iterator, Sequence
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..errors import UsageError
from .words import harmless

SOCKETS = {"exchange": "wss://ws-feed.exchange.coinbase.com", "advanced": "wss://advanced-trade-ws.coinbase.com"}
_REST = {
    "ws-feed.exchange.coinbase.com": "https://api.exchange.coinbase.com",
    "ws-feed-public.sandbox.exchange.coinbase.com": "https://api-public.sandbox.exchange.coinbase.com",
    "advanced-trade-ws.coinbase.com": "https://api.exchange.coinbase.com",
}
PRODUCTS_A_MESSAGE = 50
"""More products in one subscription have been answered with a close."""


def parts_of(url: str) -> SplitResult:
    """Take the address of a socket apart. Raises UsageError when there can be no such host or port."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("ws", "wss") and (parts.hostname or "").encode("idna") and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise UsageError(f"{harmless(url)} is no address of a feed.", "Write it as wss://HOST or ws://HOST:PORT.")


def rest_url(url: str) -> str:
    """Give the address of the REST API that goes with a socket: Coinbase's, or the same host and port.

    Raises UsageError as `parts_of` does.
    """
    parts = parts_of(url)
    if parts.hostname in _REST:
        return _REST[parts.hostname]
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, "", "", ""))


def is_here(url: str) -> bool:
    """Tell whether an address is of this machine; no proxy leads there."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def channel_name(feed: str, channel: str) -> str:
    """Give the feed's own name for a channel.

    Level2 needs no account on Exchange only as level2_batch; on Advanced Trade ticker_batch has no best bid and ask.
    """
    if feed == "exchange":
        return "level2_batch" if channel == "level2" else channel
    return "ticker" if channel == "ticker_batch" else channel


def subscriptions(feed: str, product_ids: Sequence[str], channel: str) -> Iterator[str]:
    """Give the messages that subscribe to a channel and to heartbeats, without which silence could mean anything."""
    name = channel_name(feed, channel)
    for start in range(0, len(product_ids), PRODUCTS_A_MESSAGE):
        ids = list(product_ids[start : start + PRODUCTS_A_MESSAGE])
        if feed == "exchange":
            yield json.dumps({"type": "subscribe", "product_ids": ids, "channels": [name, "heartbeat"]})
        else:
            yield json.dumps({"type": "subscribe", "product_ids": ids, "channel": name})
    if feed == "advanced":
        yield json.dumps({"type": "subscribe", "channel": "heartbeats"})
