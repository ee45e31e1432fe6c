"""What a person types, checked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights import settings
from coinbase_insights.errors import UsageError


def test_product_ids_are_taken_each_once_and_in_their_order() -> None:
    assert settings.product_ids(["ETH-USD", "BTC-USD", "ETH-USD"]) == ("ETH-USD", "BTC-USD")


@pytest.mark.parametrize(("text", "hint"), [
    ("eth-usd", "Did you mean ETH-USD?"), ("ETH/USD", "Did you mean ETH-USD?"), (" btc_usd ", "Did you mean BTC-USD?"),
    ("ETHUSD", "Product ids look like ETH-USD."), ("", "Product ids look like ETH-USD."),
])  # fmt: skip
def test_what_is_no_product_id_is_refused_with_the_nearest_that_is(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.product_ids(["BTC-USD", text])
    assert caught.value.message == f"{text!r} is not a product id."
    assert caught.value.hint == f"{hint} List them with `coinbase_insights products`."


def test_too_many_products_are_refused() -> None:
    ids = [f"A{n}-USD" for n in range(settings.MOST_PRODUCTS + 1)]
    assert len(settings.product_ids(ids[1:] + ids[1:])) == settings.MOST_PRODUCTS
    with pytest.raises(UsageError, match="1001 products are more than the 1000"):
        settings.product_ids(ids)


@pytest.mark.parametrize(("text", "seconds"), [
    ("90s", 90.0), ("15m", 900.0), ("1h", 3600.0), ("1.5h", 5400.0), ("1d", 86_400.0), ("250ms", 0.25),
])  # fmt: skip
def test_a_duration_is_taken_in_seconds(text: str, seconds: float) -> None:
    assert settings.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0s", "0.000s", "5", "-5s", "5 s", "s", "1e3s", "inf", "5m\n", "٣s", "9" * 10])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        settings.duration(text)


@pytest.mark.parametrize(("text", "factor", "name"), [
    ("1", 1.0, "1x"), ("10x", 10.0, "10x"), ("0.5", 0.5, "0.5x"), ("max", math.inf, "max"),
])  # fmt: skip
def test_a_speed_is_taken_and_shown(text: str, factor: float, name: str) -> None:
    assert settings.speed(text) == factor
    assert settings.speed_name(factor) == name


@pytest.mark.parametrize("text", ["", "0", "0x", "-1", "fast", "1xx", "inf", "nan", "MAX", "1e9"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a speed"):
        settings.speed(text)


@pytest.mark.parametrize("text", ["wss://ws-feed.exchange.coinbase.com", "ws://127.0.0.1:8765", "ws://[::1]:1/a_b-c"])
def test_the_address_of_a_feed_is_taken(text: str) -> None:
    assert settings.socket_url(text) == text


@pytest.mark.parametrize("text", ["", "http://x", "wss://", "WSS://x", "wss://me:secret@x", "wss://x?a=b", "wss://x\n"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address of a feed"):
        settings.socket_url(text)


@given(st.text())
def test_no_text_breaks_the_checks(text: str) -> None:
    for check in (settings.duration, settings.speed, settings.socket_url, lambda t: settings.product_ids([t])):
        with pytest.raises(UsageError) as caught:
            check(text + "\x1b[31m")
        assert str(caught.value).isprintable()


def test_two_names_of_one_book_are_refused() -> None:
    assert settings.books(["ETH-USDC", "BTC-USD", "USDT-USDC", "USDT-USD"]) == (
        "ETH-USD",
        "BTC-USD",
        "USDT-USDC",
        "USDT-USD",
    )
    with pytest.raises(UsageError, match="ETH-USD and ETH-USDC are one book"):
        settings.books(["ETH-USD", "ETH-USDC"])


@pytest.mark.parametrize(
    ("text", "held_out"), [("0.2", (0.2, 0.0)), ("20%", (0.2, 0.0)), ("6h", (0.0, 21_600.0)), ("2m", (0.0, 120.0))]
)
def test_what_is_held_out_is_a_share_or_a_time(text: str, held_out: tuple[float, float]) -> None:
    assert settings.held_out(text) == held_out


@pytest.mark.parametrize("text", ["", "0", "1", "100%", "-0.2", "90s", "nan", ".5", "0.2h h"])
def test_what_cannot_be_held_out_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be held out"):
        settings.held_out(text)


@pytest.mark.parametrize("text", ["", "Tilt", "../tilt", "tilt/1", "tilt\n", "a" * 41])
def test_a_name_that_could_be_no_folder_everywhere_is_no_models(text: str) -> None:
    with pytest.raises(UsageError, match="is no name of a model"):
        settings.model_name(text)
