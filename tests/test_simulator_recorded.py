"""A recording as a market: every client hears all of it, untouched, as far as it has subscribed."""

import asyncio
import json
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.asyncio.client import connect

from coinbase_insights.errors import RecordingError
from coinbase_insights.simulator.faults import Faults, parse_faults
from coinbase_insights.simulator.recorded import Recording
from coinbase_insights.simulator.server import Options, Server, serve
from coinbase_insights.wire.label import Label, label

Frame = dict[str, Any]

TICKER = (
    '{"type":"ticker","sequence":%d,"product_id":"%s","price":"1660.5","open_24h":"1684.16","volume_24h":"113471.90962885",'
    '"low_24h":"1640.18","high_24h":"1688.67","volume_30d":"2059225.73896110","best_bid":"1660.57","best_bid_size":"0.67796111",'
    '"best_ask":"1660.580","best_ask_size":"20.70876345","side":"buy","time":"2023-08-19T09:31:34.879915Z","trade_id":%d,'
    '"last_size":"0.00299594"}'
)


def write(path: Path, *lines: tuple[float, str]) -> Recording:
    """Make a recording of frames, each with the seconds after 2023-08-19 09:31:34.5 at which it came."""
    start = 1_692_437_494_500_000_000
    text = "".join(f"{start + round(seconds * 1e9)}\t{frame}\n" for seconds, frame in lines)
    (path / "some.rec").write_text(text)
    return Recording(path / "some.rec")


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    ack = '{"type":"subscriptions","channels":[]}'
    eth, btc = TICKER % (48147127815, "ETH-USD", 466390072), TICKER % (7, "BTC-USD", 3)
    broken = '{"type":"tick'
    return write(
        tmp_path, (0, ack), (0.1, eth), (0.2, btc), (1.2, broken), (2.6, TICKER % (48147127900, "ETH-USD", 466390073))
    )


async def hear(server: Server, *requests: object) -> tuple[list[str], int | None]:
    async with connect(server.url, max_size=None) as client:
        for request in requests:
            await client.send(json.dumps(request))
        return [str(frame) async for frame in client], client.close_code


def play(recording: Recording, *requests: object, speed: float = inf, faults: Faults | None = None) -> list[str]:
    async def session() -> list[str]:
        async with serve(recording, faults=faults or Faults(), options=Options(speed, grace=0.05)) as server:
            frames, code = await hear(server, *requests)
            assert code == 1000
            return frames

    return asyncio.run(session())


def exchange(*channels: str, products: tuple[str, ...] = ("ETH-USD",)) -> Frame:
    return {"type": "subscribe", "product_ids": list(products), "channels": list(channels)}


def advanced(channel: str, *products: str) -> Frame:
    return {"type": "subscribe", "product_ids": list(products), "channel": channel}


def recorded(path: Path) -> list[str]:
    return [line.partition("\t")[2] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("channel", ["ticker", "ticker_batch"])
def test_recorded_tickers_answer_both_ticker_channels_untouched(recording: Recording, channel: str) -> None:
    ack, *frames = play(recording, exchange(channel))
    assert json.loads(ack)["channels"] == [{"name": channel, "product_ids": ["ETH-USD"], "account_ids": None}]
    assert frames == [
        TICKER % (48147127815, "ETH-USD", 466390072),
        '{"type":"tick',
        TICKER % (48147127900, "ETH-USD", 466390073),
    ]


def test_heartbeats_are_made_where_the_recording_has_none(recording: Recording) -> None:
    _, *frames = play(recording, exchange("ticker_batch", "heartbeat"))
    found = [json.loads(frame) for frame in frames if frame != '{"type":"tick']
    assert [(frame["type"], frame["time"][17:], frame["sequence"]) for frame in found] == [
        ("heartbeat", "35.500000Z", 48147127815),
        ("ticker", "34.879915Z", 48147127815),
        ("heartbeat", "36.000000Z", 48147127815),
        ("heartbeat", "37.000000Z", 48147127815),
        ("ticker", "34.879915Z", 48147127900),
    ]


def test_nothing_plays_before_data_is_subscribed_and_later_requests_count(recording: Recording) -> None:
    first, second, beat, *_ = play(recording, exchange("heartbeat"), exchange("ticker"))
    assert [json.loads(frame)["type"] for frame in (first, second, beat)] == [
        "subscriptions",
        "subscriptions",
        "heartbeat",
    ]
    assert len(json.loads(second)["channels"]) == 2


def test_a_product_that_is_not_recorded_is_unknown(recording: Recording) -> None:
    error, *_ = play(recording, exchange("ticker", products=("SOL-USD",)), exchange("ticker"))
    assert json.loads(error) == {
        "type": "error",
        "message": "Failed to subscribe",
        "reason": "SOL-USD is not a valid product",
    }


def test_a_client_of_the_other_feed_is_refused(recording: Recording) -> None:
    async def session() -> Frame:
        async with serve(recording) as server, connect(server.url) as client:
            await client.send(json.dumps(advanced("ticker", "ETH-USD")))
            answer: Frame = json.loads(await client.recv())
            return answer

    assert asyncio.run(session()) == {"type": "error", "message": "failure to subscribe"}


def test_speed_divides_the_time_between_frames(recording: Recording) -> None:
    began = monotonic()
    play(recording, exchange("ticker"), speed=10)
    assert 0.26 < monotonic() - began < 1.5


def test_every_client_hears_the_recording_from_the_start(recording: Recording) -> None:
    async def session() -> list[list[str]]:
        async with serve(recording, options=Options(speed=20)) as server:
            first = asyncio.create_task(hear(server, exchange("ticker")))
            await asyncio.sleep(0.1)
            return [(await hear(server, exchange("ticker")))[0], (await first)[0]]

    late, early = asyncio.run(session())
    assert late == early


def test_a_recording_that_has_stalled_stays_open(recording: Recording) -> None:
    async def session() -> int:
        async with (
            serve(recording, faults=parse_faults("stall@2"), options=Options(inf)) as server,
            connect(server.url) as client,
        ):
            await client.send(json.dumps(exchange("ticker")))
            frames = [await client.recv(), await client.recv()]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), 0.3)
            return len(frames)

    assert asyncio.run(session()) == 2


def test_rest_knows_what_the_recording_shows(recording: Recording) -> None:
    async def session() -> list[Any]:
        async with serve(recording) as server:
            paths = ("/products", "/products/ETH-USD/ticker", "/products/SOL-USD", "/products/ETH-USD/candles")
            return [await asyncio.to_thread(get, server.rest_url + path) for path in paths]

    products, ticker, unknown, candles = asyncio.run(session())
    assert {product["id"]: product["quote_increment"] for product in products} == {
        "ETH-USD": "0.001",
        "BTC-USD": "0.001",
    }
    assert (ticker["bid"], ticker["ask"], ticker["trade_id"]) == ("1660.57", "1660.58", 466390072)
    assert unknown == {"message": "NotFound"}
    assert candles == []


def get(url: str) -> Any:
    try:
        with urlopen(url) as answer:
            return json.load(answer)
    except HTTPError as error:
        with error:
            return json.load(error)


def test_a_file_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no frame of Coinbase"):
        write(tmp_path, (0, "not json"), (1, '{"neither": "nor"}'))


def test_what_cannot_be_read_has_an_empty_label() -> None:
    assert label(b"\xff") == label(b"[1]") == label(b'{"type":5}') == Label()
    assert label(b'{"type":"\xff"}') == label(b'{"x":' + b"[" * 100_000) == Label()


@pytest.mark.parametrize(
    "wicked", [b'{"type":"ticker","product_id":"ETH-USD","side":"\xff"}', b'{"type":' + b"[" * 100_000]
)
def test_a_frame_that_cannot_be_read_stops_no_recording(tmp_path: Path, wicked: bytes) -> None:
    write(tmp_path, (0, TICKER % (1, "ETH-USD", 1)))
    path = tmp_path / "some.rec"
    path.write_bytes(path.read_bytes() + b"1692437495500000000\t" + wicked + b"\n")
    assert list(Recording(path).products) == ["ETH-USD"]


def test_a_slow_reader_of_a_recording_loses_nothing(tmp_path: Path) -> None:
    long = write(tmp_path, *((number / 1000, TICKER % (number + 1, "ETH-USD", number)) for number in range(20_000)))

    async def session() -> list[int]:
        async with serve(long, options=Options(inf)) as server, connect(server.url, max_queue=1) as client:
            await client.send(json.dumps(exchange("ticker")))
            await client.recv()
            await asyncio.sleep(0.3)
            return [json.loads(frame)["sequence"] async for frame in client]

    assert asyncio.run(session()) == list(range(1, 20_001))


# -- real recordings --


def test_an_exchange_recording_is_served_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "exchange_2026-04-05_BTC-USD_ticker_batch_derived.rec"
    frames = play(Recording(path), exchange("ticker_batch", "heartbeat", products=("BTC-USD",)))
    assert frames[1:] == recorded(path)[1:]


def test_an_advanced_recording_is_served_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "advanced_2026-04-05_BTC-USD_ticker.rec"
    frames, lines = play(Recording(path), advanced("ticker", "BTC-USD")), recorded(path)
    assert json.loads(frames[1])["events"] == json.loads(lines[1])["events"]
    assert frames[:1] + frames[2:] == lines[:1] + lines[2:]


def test_all_channels_of_an_advanced_recording_are_served_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "advanced_2026-08-09_BTC_ETH_all_channels.rec"
    channels = ("market_trades", "candles", "ticker", "level2", "heartbeats")
    frames = play(Recording(path), *(advanced(channel, "BTC-USD", "ETH-USD") for channel in channels))
    different = [frame for frame, line in zip(frames, recorded(path), strict=True) if frame != line]
    assert {json.loads(frame)["channel"] for frame in different} == {"subscriptions"}


def test_a_part_of_an_advanced_recording_has_no_holes(shared_data: Path) -> None:
    path = shared_data / "advanced_2026-08-09_BTC_ETH_all_channels.rec"
    frames = [json.loads(frame) for frame in play(Recording(path), advanced("ticker", "ETH-USD"))]
    assert [frame["sequence_num"] for frame in frames] == list(range(88))
    assert {frame["channel"] for frame in frames} == {"ticker", "subscriptions"}
    wanted = [json.loads(line) for line in recorded(path) if '"channel":"ticker"' in line and '"ETH-USD"' in line]
    assert [frame["events"] for frame in frames if frame["channel"] == "ticker"] == [line["events"] for line in wanted]


def test_advanced_heartbeats_are_made_without_holes(shared_data: Path) -> None:
    path = shared_data / "advanced_2026-04-05_BTC-USD_ticker.rec"
    requests = advanced("ticker", "BTC-USD"), {"type": "subscribe", "channel": "heartbeats"}
    frames = [json.loads(frame) for frame in play(Recording(path), *requests)]
    assert [frame["sequence_num"] for frame in frames] == list(range(len(frames)))
    beats = [frame["timestamp"] for frame in frames if frame["channel"] == "heartbeats"]
    assert (beats[0], beats[-1], len(beats)) == ("2026-04-05T22:35:14.865365Z", "2026-04-05T22:55:13Z", 1200)


def test_one_product_of_ten_is_picked_from_a_recording(shared_data: Path) -> None:
    path = shared_data / "exchange_2021-04-17_10_products.rec"
    recording = Recording(path)
    frames = play(recording, exchange("ticker", "level2_batch", products=("SKL-BTC",)))
    wanted = [line for line in recorded(path) if '"SKL-BTC"' in line and '"type":"subscriptions"' not in line]
    assert frames[1:] == [line for line in wanted if '"match"' not in line and '"last_match"' not in line]
    assert recording.products["SKL-BTC"].price_decimals == 8
