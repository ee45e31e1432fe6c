"""What there is to watch: Coinbase, a simulated exchange, what was kept, or a topic. Nothing begins before its time."""

import re
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import settings
from .cli_talk import lacks
from .errors import UnknownProductError, UsageError
from .options import Channel, FeedName
from .source import Source

if TYPE_CHECKING:
    from .cli_watch import Watching
    from .message import Item
    from .watch import Watch

TOPIC = "kafka://"
_STORE = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII).match
"""Begins the address of a lake in an object store."""
FASTEST_MARKET = 60
"""Times real time; the synthetic market is computed, and a core can do no more."""


def live(
    product_ids: tuple[str, ...], channel: Channel, feed: FeedName | None, url: str | None, *, compression: bool = False
) -> Source:
    """Give what Coinbase sends. Its `check` raises UnknownProductError for what is not traded."""
    from .feed import Feed
    from .feed.endpoints import SOCKETS, rest_url
    from .feed.products import check

    dialect = feed or FeedName.EXCHANGE
    address = settings.socket_url(url or SOCKETS[dialect])
    listed = product_ids if dialect is FeedName.EXCHANGE else settings.books(product_ids)
    line = Feed(address, product_ids, dialect=dialect, channel=channel, compression=compression)

    def items(watch: "Watch") -> "AsyncGenerator[Item]":
        watch.reconnect = line.reconnect
        return line.items()

    return Source(items, check=lambda: check(rest_url(address), listed), rest_url=rest_url(address))


def simulated(product_ids: tuple[str, ...], pace: float) -> Source:
    """Give what a simulated exchange on this machine sends. Raises UnknownProductError for what it does not trade."""
    _refuse_untraded(product_ids)

    async def items(_: "Watch") -> "AsyncGenerator[Item]":
        from .feed import Feed
        from .simulator.market import Market
        from .simulator.server import Options, serve

        async with serve(Market(time.time_ns() // 1000), options=Options(speed=pace)) as server:
            async for item in Feed(server.url, product_ids, channel="ticker").items():
                yield item

    return Source(items, "SIMULATED", "" if pace == 1.0 else settings.speed_name(pace))


def played(source: str, speed: str | None) -> Source:
    """Give what was kept, as fast as it came or so many times as fast."""
    from .log.replay import replay

    pace = settings.speed(speed or "1")
    items = replay(kept(source), pace)
    return Source(lambda _: items, "REPLAY", settings.speed_name(pace))


def topic(url: str, group: str | None, watching: "Watching") -> Source:
    """Give what comes to a topic from now on, for all or for a share of the products."""
    try:
        from .log.kafka import address, newest
        from .log.shares import Shares
        from .log.sharing import Sharing, group_name
    except ImportError as error:
        raise lacks("A topic", error) from error
    where = address(url)

    def alone(watch: "Watch") -> "AsyncGenerator[Item]":
        watch.may_lag = True
        return newest(where)

    if group is None:
        return Source(alone)
    shares = Shares()
    sharing = Sharing(where, group_name(group), shares, lambda some: watching.new_pipe(some.holds), watching.folded_as)
    watching.pipe = sharing.pipe

    def shared(watch: "Watch") -> "AsyncGenerator[Item]":
        watch.may_lag = True
        watch.notes.append(f"The group {group} shares the products; those of its other members are not here.")
        return sharing.items(watch.folded)

    return Source(shared)


def kept(source: str) -> "Iterator[Item]":
    """Give what was kept in a recording, a folder of them, or a lake, in its order."""
    path = Path(source)
    if _STORE(source) or (path / "raw" / "_delta_log").is_dir():
        try:
            from .lake.history import collected
        except ImportError as error:
            raise lacks("A lake", error) from error
        return collected(source)
    from .log.journal import files, read

    files(path)
    return read(path)


def _refuse_untraded(product_ids: Sequence[str]) -> None:
    from .simulator.product import CHARACTERS

    names = [product.product_id for product in CHARACTERS]
    for product_id in product_ids:
        if product_id not in names:
            raise UnknownProductError(
                f"The simulated exchange does not trade {product_id}.", f"It has {', '.join(names)}."
            )


def market_speed(text: str) -> float:
    """Read how fast a synthetic market runs. Raises UsageError."""
    try:
        pace = settings.speed(text)
    except UsageError as error:
        raise UsageError(
            error.message, f"Write 1 for real time, 10 for ten times as fast, up to {FASTEST_MARKET}."
        ) from error
    if pace > FASTEST_MARKET:
        raise UsageError(f"A synthetic market runs at up to {FASTEST_MARKET} times, not {text}.")
    return pace
