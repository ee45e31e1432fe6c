"""The local Coinbase, seen by a plain WebSocket client: both feeds on one port, from a synthetic market."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from coinbase_insights.simulator.faults import Faults
from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.product import CHARACTERS
from coinbase_insights.simulator.server import Options, Server, serve

START = 1_775_428_513_865_365
TRADED = {product: CHARACTERS[product] for product in CHARACTERS if product.product_id in ("ETH-USD", "SKL-BTC")}
FAST = Options(speed=60)
MICROS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
NANOS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z")

Frame = dict[str, Any]
Want = Callable[[Frame], bool]


@asynccontextmanager
async def simulated(faults: Faults | None = None, options: Options = FAST) -> AsyncIterator[Server]:
    async with serve(Market(START, 1, TRADED), faults=faults or Faults(), options=options) as server:
        yield server


async def talk(server: Server, *requests: object) -> AsyncGenerator[Frame, None]:
    """Send requests, then give every frame that comes."""
    # A client whose queue is full does not hear the end of its own close.
    async with connect(server.url, max_queue=None) as client:
        for request in requests:
            await client.send(json.dumps(request))
        async for text in client:
            yield json.loads(text)


def everything(frame: Frame) -> bool:
    return True


async def take(number: int, frames: AsyncGenerator[Frame, None], want: Want = everything) -> list[Frame]:
    found: list[Frame] = []
    async with aclosing(frames):
        async for frame in frames:
            if want(frame):
                found.append(frame)
            if len(found) == number:
                break
    return found


def exchange(*channels: object, products: tuple[str, ...] = ("ETH-USD", "SKL-BTC"), type: str = "subscribe") -> Frame:
    return {"type": type, "product_ids": list(products), "channels": list(channels)}


def advanced(channel: str, *products: str, type: str = "subscribe") -> Frame:
    return {"type": type, "product_ids": list(products), "channel": channel}


def run(number: int, *requests: object, want: Want = everything) -> list[Frame]:
    """Take so many frames of a fast market."""

    async def session() -> list[Frame]:
        async with simulated() as server:
            return await take(number, talk(server, *requests), want)

    return asyncio.run(session())


def is_type(*types: str) -> Want:
    return lambda frame: frame.get("type") in types


def on_channel(*channels: str) -> Want:
    return lambda frame: frame.get("channel") in channels


# -- both --


async def read_to_the_end(server: Server, *requests: object) -> tuple[list[Frame], int | None]:
    """Give all frames of a connection, and the code that ended it."""
    async with connect(server.url) as client:
        for request in requests:
            await client.send(json.dumps(request))
        frames = []
        with suppress(ConnectionClosed):
            async for text in client:
                frames.append(json.loads(text))
    return frames, client.close_code


def test_nothing_is_sent_before_a_subscription_and_who_is_late_is_sent_away() -> None:
    async def session() -> tuple[list[Frame], int | None]:
        async with simulated(options=Options(deadline=0.1)) as server:
            return await read_to_the_end(server)

    assert asyncio.run(session()) == ([], 1008)


def test_a_refused_subscription_does_not_stop_the_clock() -> None:
    async def session() -> tuple[list[Frame], int | None]:
        async with simulated(options=Options(deadline=0.1)) as server:
            return await read_to_the_end(server, exchange("ticker", products=("NO-SUCH",)))

    frames, code = asyncio.run(session())
    assert [frame["type"] for frame in frames] == ["error"]
    assert code == 1008


def test_both_dialects_are_served_on_one_port() -> None:
    async def session() -> list[Frame]:
        async with simulated() as server:
            old = await take(1, talk(server, exchange("ticker")), is_type("ticker"))
            new = await take(1, talk(server, advanced("ticker", "ETH-USD")), on_channel("ticker"))
            return old + new

    old, new = asyncio.run(session())
    assert old["sequence"] > 0
    assert new["sequence_num"] == 0


def test_a_message_with_both_words_speaks_to_the_exchange_feed() -> None:
    (ack,) = run(1, exchange("ticker") | {"channel": "ticker_batch"})
    assert ack["type"] == "subscriptions"
    assert ack["channels"][0]["name"] == "ticker"


@pytest.mark.parametrize(
    ("request_", "message", "reason"),
    [
        (
            exchange("ticker", products=("ETH-USD", "GIBBERISH-USD")),
            "Failed to subscribe",
            "GIBBERISH-USD is not a valid product",
        ),
        (exchange("ticker", products=("",)), "Failed to subscribe", " is not a valid product"),
        (exchange("ticker", products=("eth-usd",)), "Failed to subscribe", "eth-usd is not a valid product"),
        (exchange("ticker", products=("NU-GBP",)), "Failed to subscribe", "NU-GBP is not a valid product"),
        (exchange(), "Failed to subscribe", "No channels provided"),
        ({"type": "subscribe", "product_ids": ["ETH-USD"]}, "Failed to subscribe", "No channels provided"),
        (
            exchange("heartbeat", products=()),
            "Failed to subscribe",
            "You need to specify at least one product ID for channel heartbeat",
        ),
        (
            exchange("heartbeat", products=(), type="unsubscribe"),
            "Failed to unsubscribe",
            "You need to specify at least one product ID for channel heartbeat",
        ),
        (exchange("tickers"), "Failed to subscribe", "tickers is not a valid channel"),
        (advanced("ticker", "NO-SUCH"), "failure to subscribe", None),
        (advanced("user", "ETH-USD"), "authentication failure", None),
        ({"type": "ping", "channel": "ticker"}, "subscribe or unsubscribe required", None),
        ({"op": "ping"}, "subscribe or unsubscribe required", None),
    ],
)
def test_refusals_are_in_the_words_of_coinbase(request_: Frame, message: str, reason: str | None) -> None:
    (error,) = run(1, request_)
    assert error == {"type": "error", "message": message} | ({"reason": reason} if reason else {})


@pytest.mark.parametrize("channel", ["level2", "level3", "full", "user"])
def test_channels_that_need_a_key_are_refused(channel: str) -> None:
    (error,) = run(1, exchange(channel))
    assert error["reason"].startswith("level2, level3, and full channels now require authentication.")


def test_one_bad_product_rejects_the_whole_message() -> None:
    bad = exchange("ticker", {"name": "heartbeat", "product_ids": ["NO-SUCH"]})
    error, ack = run(2, bad, exchange("matches", products=("ETH-USD",)))
    assert error["reason"] == "NO-SUCH is not a valid product"
    assert [channel["name"] for channel in ack["channels"]] == ["matches"]


# -- Exchange --


def test_the_acknowledgement_comes_first_and_lists_everything() -> None:
    acks = run(
        2,
        exchange("ticker", products=("ETH-USD",)),
        exchange("heartbeat", products=("SKL-BTC",)),
        want=is_type("subscriptions"),
    )
    assert acks[0]["channels"] == [{"name": "ticker", "product_ids": ["ETH-USD"], "account_ids": None}]
    assert {channel["name"]: channel["product_ids"] for channel in acks[1]["channels"]} == {
        "ticker": ["ETH-USD"],
        "heartbeat": ["SKL-BTC"],
    }


def test_channels_may_be_words_or_objects_and_the_root_products_are_added() -> None:
    (ack,) = run(1, exchange("ticker", {"name": "matches", "product_ids": ["SKL-BTC"]}, products=("ETH-USD",)))
    assert {channel["name"]: set(channel["product_ids"]) for channel in ack["channels"]} == {
        "ticker": {"ETH-USD"},
        "matches": {"ETH-USD", "SKL-BTC"},
    }


@pytest.mark.parametrize(
    ("asked", "named"),
    [("ticker_1000", "ticker_batch"), ("level2_batch", "level2_50"), ("level2_50", "level2_50")],
)
def test_old_and_new_names_of_a_channel_are_one(asked: str, named: str) -> None:
    (ack,) = run(1, exchange(asked))
    assert [channel["name"] for channel in ack["channels"]] == [named]


def test_unsubscribing_without_a_product_removes_the_channel() -> None:
    acks = run(
        3,
        exchange("ticker", "heartbeat"),
        exchange("ticker", products=("SKL-BTC",), type="unsubscribe"),
        exchange("heartbeat", products=(), type="unsubscribe"),
        want=is_type("subscriptions"),
    )
    assert {channel["name"]: channel["product_ids"] for channel in acks[2]["channels"]} == {"ticker": ["ETH-USD"]}


def test_each_product_begins_with_its_last_trade_and_its_book() -> None:
    frames = run(7, exchange("ticker", "matches", "level2_batch"))
    assert [frame["type"] for frame in frames] == [
        "subscriptions",
        *["ticker"] * 2,
        *["last_match"] * 2,
        *["snapshot"] * 2,
    ]
    assert frames[1]["time"] == frames[3]["time"] < frames[5]["time"]
    assert frames[1]["side"] != frames[3]["side"]


def test_exchange_numbers_are_written_as_recorded() -> None:
    ticker = run(3, exchange("ticker"))[2]
    assert list(ticker) == [
        *["type", "sequence", "product_id", "price", "open_24h", "volume_24h", "low_24h", "high_24h", "volume_30d"],
        *["best_bid", "best_bid_size", "best_ask", "best_ask_size", "side", "time", "trade_id", "last_size"],
    ]
    assert ticker["product_id"] == "SKL-BTC"
    for field in ("best_bid", "best_ask", "best_bid_size", "best_ask_size", "volume_24h", "volume_30d"):
        assert re.fullmatch(r"\d+\.\d{8}", ticker[field])
    assert not ticker["last_size"].endswith("0")
    assert MICROS.fullmatch(ticker["time"])


def test_tickers_are_the_trades_and_only_the_trades() -> None:
    frames = run(60, exchange("ticker", "matches"), want=is_type("ticker", "match"))
    for product_id in ("ETH-USD", "SKL-BTC"):
        tickers = [f for f in frames if f["type"] == "ticker" and f["product_id"] == product_id][1:]
        matches = [f for f in frames if f["type"] == "match" and f["product_id"] == product_id]
        assert [f["trade_id"] for f in tickers] == [f["trade_id"] for f in matches[: len(tickers)]]
        assert all(after["sequence"] > before["sequence"] + 1 for before, after in pairwise(tickers))


def test_a_ticker_has_the_top_of_the_book_that_level2_builds() -> None:
    frames = run(400, exchange("ticker", "level2_batch", products=("ETH-USD",)))
    book: dict[str, dict[str, str]] = {"buy": {}, "sell": {}}
    seen = 0
    for frame in frames:
        if frame["type"] == "snapshot":
            book = {"buy": dict(frame["bids"]), "sell": dict(frame["asks"])}
        for side, price, size in frame.get("changes", []):
            book[side][price] = size
        if frame["type"] == "ticker" and seen + len(book["buy"]):
            bids = {float(price): price for price, size in book["buy"].items() if float(size)}
            best = bids[max(bids)]
            assert (frame["best_bid"], frame["best_bid_size"]) == (best, book["buy"][best])
            seen += 1
    assert seen > 20


def test_buys_come_before_sells_in_an_update() -> None:
    updates = run(20, exchange("level2_batch"), want=is_type("l2update"))
    for update in updates:
        sides = [side for side, _, _ in update["changes"]]
        assert sides == sorted(sides)
        assert "sequence" not in update


def test_ticker_batch_speaks_every_five_seconds_and_only_of_products_that_traded() -> None:
    frames = run(40, exchange("ticker_batch", "heartbeat"))
    beats = [index for index, frame in enumerate(frames) if frame["type"] == "heartbeat"]
    later = [index for index, frame in enumerate(frames) if frame["type"] == "ticker"][2:]
    assert later
    for index in (each for each in later if each < beats[-2]):
        beat = next(frames[each] for each in beats if each > index)
        assert int(beat["time"][17:19]) % 5 == 0
        assert frames[index]["sequence"] <= next(
            frames[each]["sequence"]
            for each in beats
            if each > index and frames[each]["product_id"] == frames[index]["product_id"]
        )
    trades = [(frames[index]["product_id"], frames[index]["trade_id"]) for index in later]
    assert len(set(trades)) == len(trades)


def test_heartbeats_fall_on_whole_seconds_for_every_product_at_once() -> None:
    beats = run(20, exchange("heartbeat"), want=is_type("heartbeat"))
    assert list(beats[0]) == ["type", "last_trade_id", "product_id", "sequence", "time"]
    assert all(beat["time"].endswith(".000000Z") for beat in beats)
    assert [beat["product_id"] for beat in beats] == ["ETH-USD", "SKL-BTC"] * 10
    times = [beat["time"] for beat in beats[::2]]
    assert times == [beat["time"] for beat in beats[1::2]]
    assert times == sorted(set(times))


def test_sequence_goes_on_after_a_reconnect() -> None:
    async def session() -> tuple[Frame, Frame]:
        async with simulated() as server:
            (before,) = (await take(20, talk(server, exchange("ticker", products=("ETH-USD",))), is_type("ticker")))[
                -1:
            ]
            (after,) = await take(1, talk(server, exchange("ticker", products=("ETH-USD",))), is_type("ticker"))
            return before, after

    before, after = asyncio.run(session())
    assert after["sequence"] >= before["sequence"]
    assert after["trade_id"] >= before["trade_id"]


def test_status_lists_products_and_currencies() -> None:
    (status,) = run(1, exchange("status", products=()), want=is_type("status"))
    assert {product["id"]: product["quote_increment"] for product in status["products"]}["SKL-BTC"] == "0.00000001"
    assert "ETH" in [currency["id"] for currency in status["currencies"]]


# -- Advanced Trade --


def test_advanced_sends_the_data_before_the_acknowledgement() -> None:
    frames = run(3, advanced("level2", "ETH-USD", "SKL-BTC"))
    assert [frame["channel"] for frame in frames] == ["l2_data", "l2_data", "subscriptions"]
    assert frames[2]["events"] == [{"subscriptions": {"level2": ["ETH-USD", "SKL-BTC"]}}]


def test_heartbeats_are_acknowledged_and_then_beat() -> None:
    frames = run(4, {"type": "subscribe", "channel": "heartbeats"})
    assert [frame["channel"] for frame in frames] == ["subscriptions", *["heartbeats"] * 3]
    assert frames[0]["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"]}}]
    counters = [frame["events"][0]["heartbeat_counter"] for frame in frames[1:]]
    assert counters == list(range(counters[0], counters[0] + 3))
    assert re.fullmatch(r"\S+ \S+ \+0000 UTC m=\+\d+\.\d{9}", frames[1]["events"][0]["current_time"])


def test_sequence_num_counts_every_frame_of_a_connection() -> None:
    channels = ("ticker", "heartbeats", "level2", "market_trades", "candles", "ticker_batch", "status")
    frames = run(300, *(advanced(channel, "ETH-USD") for channel in channels))
    assert [frame["sequence_num"] for frame in frames] == list(range(300))
    times = [frame["timestamp"] for frame in frames]
    assert all(NANOS.fullmatch(time) for time in times)
    assert list(frames[0]) == ["channel", "timestamp", "sequence_num", "events"]


def test_advanced_numbers_are_trimmed() -> None:
    frames = run(40, advanced("ticker", "SKL-BTC"), want=on_channel("ticker"))
    for frame in frames:
        (ticker,) = frame["events"][0]["tickers"]
        values = [value for name, value in ticker.items() if name not in ("type", "product_id")]
        assert all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", value) for value in values)
        assert float(ticker["best_bid"]) < float(ticker["best_ask"])


def test_advanced_ticker_batch_has_no_best_prices() -> None:
    frames = run(2, advanced("ticker_batch", "ETH-USD"), want=on_channel("ticker_batch"))
    assert [frame["events"][0]["type"] for frame in frames] == ["snapshot", "update"]
    assert not {"best_bid", "best_ask"} & set(frames[1]["events"][0]["tickers"][0])


def test_market_trades_begin_with_the_newest() -> None:
    first, update = run(2, advanced("market_trades", "ETH-USD"), want=on_channel("market_trades"))
    identities = [int(trade["trade_id"]) for trade in first["events"][0]["trades"]]
    assert identities == sorted(identities, reverse=True)
    assert int(update["events"][0]["trades"][0]["trade_id"]) == identities[0] + 1
    assert update["events"][0]["trades"][0]["side"] in ("BUY", "SELL")


def test_candles_are_five_minutes_long() -> None:
    (first,) = run(1, advanced("candles", "ETH-USD"))
    starts = [int(candle["start"]) for candle in first["events"][0]["candles"]]
    assert all(after - before == 300 for before, after in pairwise(starts))


def test_a_usdc_name_is_answered_with_the_usd_name() -> None:
    data, ack = run(2, advanced("ticker", "ETH-USDC"))
    assert data["events"][0]["tickers"][0]["product_id"] == "ETH-USD"
    assert ack["events"] == [{"subscriptions": {"ticker": ["ETH-USDC"]}}]


def test_unsubscribing_leaves_an_empty_acknowledgement() -> None:
    acks = run(
        2,
        advanced("ticker", "ETH-USD"),
        advanced("ticker", "ETH-USD", type="unsubscribe"),
        want=on_channel("subscriptions"),
    )
    assert acks[1]["events"] == [{"subscriptions": {}}]


def test_client_id_is_sent_only_where_it_is_asked_for() -> None:
    async def session() -> Frame:
        async with simulated(options=Options(client_id=True)) as server:
            return (await take(1, talk(server, advanced("ticker", "ETH-USD"))))[0]

    assert list(asyncio.run(session())) == ["channel", "client_id", "timestamp", "sequence_num", "events"]


# -- slow readers --


def small_socket(server: Server) -> socket.socket:
    """Connect with so little room that a reader who stops is soon noticed."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((server.host, server.port))
    small.setblocking(False)
    return small


def test_a_slow_reader_is_cut_off_and_nobody_else_notices() -> None:
    product, character = next(iter(TRADED.items()))
    busy = Market(START, 1, {product: replace(character, seconds_per_trade=0.005)})

    async def session() -> tuple[list[Frame], int | None]:
        async with serve(busy, faults=Faults(backlog=20_000), options=Options(speed=20)) as server:
            slow = await connect(
                server.url, sock=small_socket(server), max_queue=1, compression=None, close_timeout=0.1
            )
            await slow.send(json.dumps(exchange("ticker", "matches", products=("ETH-USD",))))
            other = talk(server, exchange("heartbeat", products=("ETH-USD",)))
            beats = await take(70, other, is_type("heartbeat"))
            with suppress(ConnectionClosed):
                async for _ in slow:
                    pass
            return beats, slow.close_code

    beats, code = asyncio.run(session())
    assert code in (1006, 1008)
    assert all(after["time"] > before["time"] for before, after in pairwise(beats))
