"""What goes wrong on purpose: the words that ask for it, and what a client then sees."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from coinbase_insights.errors import UsageError
from coinbase_insights.simulator.faults import EVERY, Faults, parse_faults
from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.product import CHARACTERS
from coinbase_insights.simulator.server import Options, serve
from coinbase_insights.simulator.trouble import ERROR, UNKNOWN_TYPE, Close, Trouble, crossed, empty_bid, without

ETH = {product: CHARACTERS[product] for product in CHARACTERS if product.product_id == "ETH-USD"}
SUBSCRIBE = {"type": "subscribe", "product_ids": ["ETH-USD"], "channels": ["ticker", "heartbeat"]}
TICKER = b'{"type":"ticker","best_bid":"1.5","best_bid_size":"2","best_ask":"1.6","trade_id":5,"side":"buy"}'
BEAT = b'{"channel":"heartbeats","sequence_num":%d,"events":[]}'
DATA = b'{"channel":"ticker","sequence_num":%d,"events":[]}'


def sent(words: str, *frames: bytes) -> list[bytes | Close]:
    trouble = Trouble(parse_faults(words))
    return [outgoing for frame in frames for outgoing in trouble.send(frame)]


def numbered(count: int) -> list[bytes]:
    return [DATA % number for number in range(count)]


def listen(words: str, connections: int = 1) -> list[tuple[list[dict[str, Any]], int | None]]:
    """Connect so often to a fast market, one after the other, and read each time to the end."""

    async def session() -> list[tuple[list[dict[str, Any]], int | None]]:
        async with serve(
            Market(1_775_428_513_865_365, 1, ETH), faults=parse_faults(words), options=Options(60)
        ) as server:
            return [await read(server.url) for _ in range(connections)]

    return asyncio.run(session())


async def read(url: str, limit: int = 40) -> tuple[list[dict[str, Any]], int | None]:
    async with connect(url, max_queue=None) as client:
        await client.send(json.dumps(SUBSCRIBE))
        frames: list[dict[str, Any]] = []
        try:
            while len(frames) < limit:
                frames.append(json.loads(await client.recv()))
        except ConnectionClosed:
            return frames, client.close_code
    return frames, None


def test_words_become_faults() -> None:
    faults = parse_faults(
        "close=1011@100, stall@50 duplicate/10 missing=side/20 no_compression slow_reader@9 connections=2"
    )
    assert faults == Faults(
        close_code=1011,
        close_after=100,
        stall_after=50,
        duplicate_every=10,
        missing_every=20,
        missing_field="side",
        no_compression=True,
        backlog=9,
        connections=2,
    )
    assert parse_faults("close=1006@2.5s") == Faults(close_code=1006, close_seconds=2.5)
    assert parse_faults("") == Faults()


@pytest.mark.parametrize("name", [name for name in EVERY if name != "missing"])
def test_every_fault_that_repeats_has_a_word(name: str) -> None:
    assert getattr(parse_faults(f"{name}/7"), f"{name}_every") == 7


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("duplicat/3", "duplicat is not a fault.", "Did you mean duplicate?"),
        ("invalid-json/3", "invalid-json/3 is not a fault.", "Faults look like"),
        ("earthquake", "earthquake is not a fault.", "Faults look like"),
        ("close@3", "close@3 is not how to ask for close.", "Faults look like"),
        ("close=999@3", "close=999@3 is not how to ask for close.", "Faults look like"),
        ("close=1005@3", "close=1005@3 is not how to ask for close.", "Faults look like"),
        ("duplicate/0", "duplicate/0 is not a fault.", "Faults look like"),
        ("stall@1.5", "stall@1.5 is not how to ask for stall.", "Faults look like"),
        ("missing/5", "missing/5 is not how to ask for missing.", "Faults look like"),
    ],
)
def test_a_bad_word_is_named(word: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_faults(f"gap/5 {word}")
    assert error.value.message == message
    assert error.value.hint.startswith(hint)


@given(st.text())
def test_any_words_are_faults_or_a_usage_error(words: str) -> None:
    with suppress(UsageError):
        parse_faults(words)


@given(st.lists(st.binary()))
def test_without_faults_every_frame_goes_out_as_it_is(frames: list[bytes]) -> None:
    assert sent("", *frames) == frames


def test_a_gap_loses_every_nth_frame() -> None:
    assert sent("gap/3", *numbered(7)) == [DATA % number for number in (0, 1, 3, 4, 6)]


def test_a_duplicate_is_every_nth_frame_again() -> None:
    assert sent("duplicate/2", *numbered(4)) == [DATA % number for number in (0, 1, 1, 2, 3, 3)]


def test_out_of_order_exchanges_neighbours() -> None:
    assert sent("out_of_order/3", *numbered(7)) == [DATA % number for number in (0, 1, 3, 2, 4, 6, 5)]


def test_bad_frames_are_extra_and_take_no_good_one_away() -> None:
    assert sent("invalid_json/2", *numbered(2)) == [DATA % 0, (DATA % 1)[: len(DATA % 1) // 2], DATA % 1]
    assert sent("unknown_type/2", *numbered(2)) == [DATA % 0, UNKNOWN_TYPE, DATA % 1]
    assert sent("error_frame/2", *numbered(2)) == [DATA % 0, ERROR, DATA % 1]


def test_tickers_are_spoilt_at_every_nth_ticker() -> None:
    assert sent("empty_bid/2", TICKER, BEAT % 0, TICKER) == [TICKER, BEAT % 0, empty_bid(TICKER)]
    assert json.loads(empty_bid(TICKER)) == json.loads(TICKER) | {"best_bid": ""}
    assert json.loads(crossed(TICKER)) == json.loads(TICKER) | {"best_bid": "1.6", "best_ask": "1.5"}


@pytest.mark.parametrize("field", ["type", "best_bid", "best_bid_size", "trade_id", "side"])
def test_a_missing_field_leaves_valid_json(field: str) -> None:
    left = json.loads(TICKER)
    del left[field]
    assert json.loads(without(TICKER, field)) == left


def test_heartbeats_that_stop_leave_no_hole() -> None:
    frames = [DATA % 0, BEAT % 1, DATA % 2, BEAT % 3, DATA % 4]
    assert sent("no_heartbeats", *frames) == numbered(3)
    assert sent("no_heartbeats@2", *frames) == [DATA % 0, BEAT % 1, DATA % 2, DATA % 3]


def test_a_stall_is_silence() -> None:
    assert sent("stall@2", *numbered(5)) == numbered(2)
    assert sent("stall@0", *numbered(5)) == []


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 4000])
def test_the_line_closes_after_so_many_frames(code: int) -> None:
    ((frames, closed),) = listen(f"close={code}@5")
    assert len(frames) == 5 or code == 1006
    assert closed == code


def test_the_line_closes_after_so_many_seconds() -> None:
    ((_, closed),) = listen("close=1001@0.05s")
    assert closed == 1001


def test_only_the_first_connections_have_faults() -> None:
    first, second = listen("close=1001@5 connections=1", connections=2)
    assert (first[1], second[1]) == (1001, None)


def test_compression_may_be_refused() -> None:
    async def session(words: str) -> list[object]:
        async with serve(Market(0, 1, ETH), faults=parse_faults(words)) as server, connect(server.url) as client:
            return list(client.protocol.extensions)

    assert len(asyncio.run(session(""))) == 1
    assert asyncio.run(session("no_compression")) == []
