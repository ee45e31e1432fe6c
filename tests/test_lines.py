"""Plain lines and JSON lines."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import structs

from coinbase_insights.engine.insight import Insight
from coinbase_insights.show.lines import Status, last_known, line, schema, status_line, to_json
from views import BTC, ETH, FEW_QUOTES, NO_SIZES, NOW, SHIB, Market, walk

ALL = [ETH, BTC, SHIB, NO_SIZES, FEW_QUOTES]


def insight_of(market: Market) -> Insight:
    insight = walk(market).insight
    assert insight is not None
    return insight


def status() -> Status:
    return Status(
        v=1,
        time="2026-11-22T13:05:50.000000Z",
        state="STALE",
        detail="no heartbeat 10 s",
        product_ids=("ETH-USD", "BTC-USD"),
        last_known={"ETH-USD": last_known(walk(ETH).quotes[-1]), "BTC-USD": None},
        received=400,
        bad={"crossed": 2},
        duplicates=1,
        other={"last_match": 3},
        missed=0,
        reconnects=1,
        gaps=1,
    )


def test_a_plain_line() -> None:
    assert line(insight_of(ETH), 2) == (
        "2026-11-22T13:05:36Z ETH-USD bid 2413.26 x 0.28237208 ask 2413.31 x 0.72498848 diff 0.05 max 0.42"
        " mid 2413.285 avg1 2413.591 avg5 2413.552 avg15 ~2413.926 fc60 2413.284 err 0.114 err1 0.172 err5 0.423"
        " err15 ~0.477 base15 ~0.476"
    )


def test_a_plain_line_of_the_first_minute_has_dashes() -> None:
    words = line(insight_of(FEW_QUOTES), 2).split()
    assert [words[words.index(name) + 1] for name in ("err", "err1", "err5", "err15", "base15")] == ["-"] * 5


def test_a_plain_line_without_sizes_has_dashes() -> None:
    assert "bid 2413.98 x - ask" in line(structs.replace(insight_of(NO_SIZES), best_bid="2413.98"), 2)


def test_prices_are_padded_to_the_decimals_of_the_product() -> None:
    insight = structs.replace(insight_of(ETH), best_bid="2413.2", best_ask="2414")
    assert "bid 2413.20 x" in line(insight, 2)
    assert "ask 2414.00 x" in line(insight, 2)


@pytest.mark.parametrize("market", ALL, ids=str)
def test_every_plain_line_has_the_same_words(market: Market) -> None:
    names = [word for word in line(insight_of(market), market.decimals).split() if word.isalnum() and word[0].isalpha()]
    assert names == [
        "bid", "x", "ask", "x", "diff", "max", "mid", "avg1", "avg5", "avg15",
        "fc60", "err", "err1", "err5", "err15", "base15",
    ]  # fmt: skip


def test_a_change_of_state_is_a_line() -> None:
    time = int(datetime(2026, 11, 22, 13, 5, 50, tzinfo=UTC).timestamp()) * 1_000_000
    assert status_line(time, "STALE", "no heartbeat 10 s") == "# 13:05:50Z STALE no heartbeat 10 s"
    assert status_line(NOW, "LIVE", "") == "# 13:05:38Z LIVE"


@given(st.text())
def test_a_change_of_state_is_one_line_whatever_it_says(detail: str) -> None:
    assert status_line(NOW, "STALE", detail).isprintable()


@pytest.mark.parametrize("market", ALL, ids=str)
def test_an_insight_can_be_read_back_from_json(market: Market) -> None:
    insight = insight_of(market)
    assert msgspec.json.decode(to_json(insight), type=Insight | Status) == insight


def test_a_status_can_be_read_back_from_json() -> None:
    assert msgspec.json.decode(to_json(status()), type=Insight | Status) == status()


def test_a_status_begins_with_its_type_and_version() -> None:
    assert to_json(status()).startswith(b'{"type":"status","v":1,"time":"2026-11-22T13:05:50.000000Z","state":"STALE"')
    assert b'"ETH-USD":{"best_bid":"2413.26","best_ask":"2413.31","time":"2026-11-22T13:05:36.000000Z"}' in to_json(
        status()
    )


def test_every_line_follows_the_schema() -> None:
    Draft202012Validator.check_schema(schema())
    validator = Draft202012Validator(schema())
    for text in (*(to_json(insight_of(market)) for market in ALL), to_json(status())):
        validator.validate(msgspec.json.decode(text))


def test_the_schema_refuses_other_things() -> None:
    assert not Draft202012Validator(schema()).is_valid({"type": "insight", "v": 1})
