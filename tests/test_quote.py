"""The only door to a quote."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights.quote import MOST_UNITS, Bad, Quote, is_number, is_product_id, is_size, read_quote, read_time

NOON = 1_795_348_800_000_000
prices = st.decimals(Decimal("0.00000001"), Decimal(9999), places=8).map(lambda price: f"{price:f}")


def read(bid: str | None, ask: str | None, bid_size: str | None = None, ask_size: str | None = None) -> Quote | Bad:
    return read_quote("ETH-USD", NOON, 7, bid, bid_size, ask, ask_size)


@given(prices, prices)
def test_prices_are_whole_numbers_of_the_finer_unit(one: str, other: str) -> None:
    bid, ask = sorted([one, other], key=Decimal)
    quote = read(bid, ask)
    assert isinstance(quote, Quote)
    assert (quote.best_bid, quote.best_ask) == (bid, ask)
    assert Fraction(quote.bid, 10**quote.decimals) == Fraction(bid)
    assert Fraction(quote.ask, 10**quote.decimals) == Fraction(ask)


@pytest.mark.parametrize(("bid", "ask", "expected"), [
    ("1660.57", "1660.58", (166057, 166058, 2)), ("1660", "1660.5", (16600, 16605, 1)), ("0.5", "12", (5, 120, 1)),
    ("0.00001302", "0.00001305", (1302, 1305, 8)), ("12.50", "12.50", (125, 125, 1)), ("007", "8", (7, 8, 0)),
])  # fmt: skip
def test_a_quote_is_read_exactly(bid: str, ask: str, expected: tuple[int, int, int]) -> None:
    quote = read(bid, ask)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.decimals) == expected


@pytest.mark.parametrize(("bid", "reason"), [
    (None, "missing"), ("", "empty"), ("0", "zero"), ("0.00", "zero"), ("-1", "not a price"), ("NaN", "not a price"),
    ("1e3", "not a price"), ("1_000", "not a price"), (" 1", "not a price"), (".5", "not a price"),
    ("5.", "not a price"), ("1.2.3", "not a price"), ("１２", "not a price"), ("9" * 13, "too many digits"),
    ("9" * 5000, "too many digits"),
])  # fmt: skip
def test_a_price_that_is_none_is_refused_with_its_reason(bid: str | None, reason: str) -> None:
    assert read(bid, "2000") == Bad(f"best_bid: {reason}", "ETH-USD")
    assert read("0.01", bid) == Bad(f"best_ask: {reason}", "ETH-USD")


@pytest.mark.parametrize(("size", "reason"), [
    ("", "empty"), ("0", "not a size"), ("0.00000000", "not a size"), ("-1", "not a size"), ("inf", "not a size"),
    ("1" * 41, "not a size"),
])  # fmt: skip
def test_a_size_that_is_none_is_refused_with_its_reason(size: str, reason: str) -> None:
    assert read("1", "2", size, "1") == Bad(f"best_bid_size: {reason}", "ETH-USD")
    assert read("1", "2", "1", size) == Bad(f"best_ask_size: {reason}", "ETH-USD")


def test_crossed_prices_are_refused_and_locked_ones_are_not() -> None:
    assert read("2.01", "2") == Bad("crossed", "ETH-USD")
    assert isinstance(read("2.0", "2"), Quote)


def test_the_highest_price_is_a_price() -> None:
    assert isinstance(read("1", str(MOST_UNITS)), Quote)
    assert read("0.01", str(MOST_UNITS)) == Bad("best_ask: too many digits", "ETH-USD")


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{0,4}\.?[0-9]{0,4}", fullmatch=True))
def test_a_number_is_plain_digits_with_at_most_one_point_inside(text: str) -> None:
    plain = text.isascii() and text.count(".") <= 1 and text.replace(".", "").isdigit()
    expected = plain and not text.startswith(".") and not text.endswith(".")
    assert bool(is_number(text)) == expected
    assert not is_size(text) or (expected and Decimal(text) > 0)


@pytest.mark.parametrize("digits", range(10))
def test_a_time_may_have_up_to_nine_digits_behind_the_second(digits: int) -> None:
    fraction = "123456789"[:digits]
    text = "2026-11-22T12:00:00" + (f".{fraction}" if digits else "") + "Z"
    assert read_time(text) == NOON + int(fraction[:6].ljust(6, "0"))


@pytest.mark.parametrize(("text", "expected"), [
    ("2026-11-22T12:00:00+00:00", NOON), ("2026-11-22T13:00:00+01:00", NOON), ("1970-01-01T00:00:00Z", 0),
    ("2026-11-22T12:00:00", None), ("2026-11-22", None), ("", None), ("now", None), ("1795348800", None),
    ("2026-13-22T12:00:00Z", None), ("2026-11-22T12:00:00+99:00", None),
])  # fmt: skip
def test_a_time_needs_its_zone(text: str, expected: int | None) -> None:
    assert read_time(text) == expected


@given(st.text(max_size=30))
def test_reading_a_time_never_raises(text: str) -> None:
    assert isinstance(read_time(text), int | None)


@pytest.mark.parametrize(("text", "expected"), [
    ("ETH-USD", True), ("1INCH-USDC", True), ("eth-usd", False), ("ETHUSD", False), ("ETH-USD\n", False), ("", False),
    ("ETH-USD-X", False), ("É-USD", False), ("A" * 21 + "-USD", False),
])  # fmt: skip
def test_a_product_id_is_two_words_of_capitals_and_digits(text: str, expected: bool) -> None:
    assert is_product_id(text) == expected
