"""REST on the port of the feeds: what a client asks before it subscribes."""

import asyncio
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.rest import answer
from coinbase_insights.simulator.server import serve

START = 1_775_428_513_865_365
MARKET = Market(START)


def get(target: str) -> Any:
    found = answer(MARKET, target)
    assert found.status == 200
    return json.loads(found.body)


def test_rest_and_websocket_share_the_port() -> None:
    async def session() -> tuple[int, str, Any]:
        async with serve(MARKET) as server:
            return await asyncio.to_thread(fetch, f"{server.rest_url}/products/BTC-USD")

    status, kind, body = asyncio.run(session())
    assert (status, kind) == (200, "application/json; charset=utf-8")
    assert body["quote_increment"] == "0.01"


def test_an_unknown_path_is_not_found() -> None:
    async def session() -> tuple[int, str, Any]:
        async with serve(MARKET) as server:
            return await asyncio.to_thread(fetch, f"{server.rest_url}/no/such/thing")

    assert asyncio.run(session()) == (404, "application/json; charset=utf-8", {"message": "NotFound"})


def fetch(url: str) -> tuple[int, str, Any]:
    try:
        with urlopen(url) as found:
            return found.status, found.headers["Content-Type"], json.load(found)
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], json.load(error)


@pytest.mark.parametrize(
    "target",
    [
        "/products/NO-SUCH",
        "/products/BTC-USDC",
        "/products/BTC-USD/no",
        "/api/v3/brokerage/market/products/NO-SUCH",
        "/",
        "/currencies/X",
    ],
)
def test_what_nobody_knows_is_not_found(target: str) -> None:
    assert answer(MARKET, target).status == 404


def test_a_product_says_what_coinbase_says() -> None:
    product = get("/products/SKL-BTC")
    assert list(product)[:6] == [
        "id",
        "base_currency",
        "quote_currency",
        "quote_increment",
        "base_increment",
        "display_name",
    ]
    assert (product["quote_increment"], product["status"], product["trading_disabled"]) == (
        "0.00000001",
        "online",
        False,
    )
    assert product in get("/products")


def test_a_delisted_product_is_listed_and_has_no_ticker() -> None:
    assert get("/products/NU-GBP")["status"] == "delisted"
    refused = answer(MARKET, "/products/NU-GBP/ticker")
    assert (refused.status, json.loads(refused.body)) == (400, {"message": "Not allowed for delisted products"})


def test_a_ticker_and_a_book_agree() -> None:
    ticker, book = get("/products/BTC-USD/ticker"), get("/products/BTC-USD/book?level=1")
    assert set(ticker) == {"trade_id", "price", "size", "time", "bid", "ask", "volume"}
    assert isinstance(ticker["trade_id"], int)
    assert list(book) == ["bids", "asks", "sequence", "auction_mode", "auction", "time"]
    assert len(book["bids"]) == len(book["asks"]) == 1
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert len(get("/products/BTC-USD/book?level=2")["bids"]) == 50


@pytest.mark.parametrize(("seconds", "count"), [(60, 300), (300, 288), (3600, 24)])
def test_candles_are_numbers_newest_first(seconds: int, count: int) -> None:
    candles = get(f"/products/ETH-USD/candles?granularity={seconds}")
    assert abs(len(candles) - count) <= 1
    starts = [start for start, *_ in candles]
    assert starts == sorted(starts, reverse=True)
    assert all(start % seconds == 0 for start in starts)
    assert all(low <= min(opened, closed) <= max(opened, closed) <= high for _, low, high, opened, closed, _ in candles)


def test_a_granularity_that_coinbase_has_not_is_refused() -> None:
    assert answer(MARKET, "/products/ETH-USD/candles?granularity=61").status == 400


@pytest.mark.parametrize("number", ["%C2%B2", "%D9%A6%D9%A0", "9" * 5000])
def test_only_plain_whole_numbers_are_numbers(number: str) -> None:
    assert answer(MARKET, f"/products/ETH-USD/candles?granularity={number}").status == 400
    assert get(f"/api/v3/brokerage/market/products/ETH-USD/ticker?limit={number}")["trades"]
    assert get(f"/api/v3/brokerage/market/product_book?product_id=ETH-USD&limit={number}")["pricebook"]["bids"]


def test_currencies_are_those_of_the_products() -> None:
    assert {"BTC", "USD", "SKL", "JPY"} <= {currency["id"] for currency in get("/currencies")}


def test_advanced_products_know_their_other_names() -> None:
    products = get("/api/v3/brokerage/market/products")
    by_name = {product["product_id"]: product for product in products["products"]}
    assert products["num_products"] == len(by_name)
    assert by_name["BTC-USD"]["alias_to"] == ["BTC-USDC"]
    assert by_name["BTC-USDC"]["alias"] == "BTC-USD"
    assert by_name["BTC-USD"]["best_bid_price"] == by_name["BTC-USD"]["mid_market_price"] == ""
    assert get("/api/v3/brokerage/market/products/BTC-USD") == by_name["BTC-USD"]


def test_an_advanced_book_has_a_mid_price() -> None:
    book = get("/api/v3/brokerage/market/product_book?product_id=ETH-USD&limit=3")
    bids, asks = book["pricebook"]["bids"], book["pricebook"]["asks"]
    assert len(bids) == len(asks) == 3
    assert float(book["mid_market"]) == pytest.approx((float(bids[0]["price"]) + float(asks[0]["price"])) / 2)


def test_advanced_candles_and_trades_are_strings() -> None:
    candles = get("/api/v3/brokerage/market/products/ETH-USD/candles?granularity=FIVE_MINUTE")["candles"]
    assert all(isinstance(value, str) for value in candles[0].values())
    trades = get("/api/v3/brokerage/market/products/ETH-USD/ticker?limit=2")["trades"]
    assert len(trades) == 2


def test_the_time_is_the_time_of_the_market() -> None:
    assert get("/time") == {"iso": "2026-04-05T22:35:13.865Z", "epoch": START / 1e6}
    assert get("/api/v3/brokerage/time")["epochMillis"] == str(START // 1000)
