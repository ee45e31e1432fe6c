"""Coinbase's text in, events out: both dialects, tickers and books, from real recordings and made to measure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import frames
from coinbase_insights.log.journal import read
from coinbase_insights.message import Message
from coinbase_insights.quote import Bad, Event, Heartbeat, Missed, Other, Quote, Refusal, Stale, Subscribed
from coinbase_insights.wire import Reader, is_advanced, reader
from coinbase_insights.wire.book import SLACK, Book

Json = dict[str, Any]
EXCHANGE_2021 = "exchange_2021-04-17_10_products.rec"
ADVANCED_2026 = "advanced_2026-08-09_BTC_ETH_all_channels.rec"


def exchange(message: Json, *, from_book: bool = False) -> list[Event]:
    return reader(False, from_book=from_book).read(json.dumps(message).encode())


def envelope(number: int | None, channel: str, *events: Json, **fields: Any) -> bytes:
    message = {"channel": channel, "timestamp": frames.at(1), "sequence_num": number, "events": list(events)}
    return json.dumps(frames.changed(message, fields)).encode()


def ticker(number: int | None, **fields: Any) -> bytes:
    """A ticker of Advanced Trade."""
    inner = {
        "type": "ticker", "product_id": "BTC-USD", "price": "67468.26", "best_bid": "67468.26",
        "best_ask": "67469.62", "best_bid_quantity": "0.00275905", "best_ask_quantity": "0.17950856",
    }  # fmt: skip
    return envelope(number, "ticker", {"type": "update", "tickers": [frames.changed(inner, fields)]})


def level2(number: int, kind: str, *updates: tuple[str, str, str]) -> bytes:
    levels = [{"side": side, "event_time": frames.at(1), "price_level": p, "new_quantity": q} for side, p, q in updates]
    return envelope(number, "l2_data", {"type": kind, "product_id": "BTC-USD", "updates": levels})


def recorded(path: Path) -> Iterator[bytes]:
    return (item.data for item in read(path) if isinstance(item, Message))


def tops(events: list[Event]) -> list[tuple[str, str | None, str, str | None]]:
    return [(e.best_bid, e.best_bid_size, e.best_ask, e.best_ask_size) for e in events if isinstance(e, Quote)]


# The Exchange feed.


def test_a_ticker_is_a_quote() -> None:
    message = frames.ticker(0, time="2023-08-19T09:31:34.879915Z")
    sides = ("1660.57", "0.67796111", "1660.58", "20.70876345")
    assert exchange(message) == [Quote("ETH-USD", 1692437494879915, frames.SEQUENCE, *sides, 2, 166057, 166058)]


def test_a_ticker_of_2021_has_no_sizes() -> None:
    (quote,) = exchange(frames.ticker(0, best_bid_size=..., best_ask_size=...))
    assert isinstance(quote, Quote)
    assert quote.best_bid_size is quote.best_ask_size is None


@pytest.mark.parametrize(("value", "sequence"), [
    (7, 7), ("8", 8), (2**63 - 1, 2**63 - 1), (str(2**53 + 1), 2**53 + 1), (2**64 + 1, 2**64 + 1), (0, 0),
])  # fmt: skip
def test_a_sequence_is_taken_exactly_as_a_number_or_as_text(value: Any, sequence: int) -> None:
    (quote,) = exchange(frames.ticker(0, sequence=value))
    assert isinstance(quote, Quote)
    assert quote.sequence == sequence


@pytest.mark.parametrize("value", ["x", "", "-1", "1.5", -2, "9" * 41, "٣"])
def test_what_is_no_sequence_is_refused(value: Any) -> None:
    assert exchange(frames.ticker(0, sequence=value)) == [Bad("sequence: not a number", "ETH-USD")]


def test_a_heartbeat_is_of_a_product_and_a_time() -> None:
    assert exchange(frames.heartbeat(0, time="1970-01-01T00:00:01.000000Z")) == [Heartbeat("ETH-USD", 1_000_000)]
    assert exchange(frames.heartbeat(0, product_id=...)) == [Bad("product_id: missing")]
    assert exchange(frames.heartbeat(0, time="soon")) == [Bad("time: not a time with a zone", "ETH-USD")]


@pytest.mark.parametrize(("old", "new"), [
    ("ticker_1000", "ticker_batch"), ("ticker_batch", "ticker_batch"), ("level2_50", "level2_batch"),
    ("level2", "level2_batch"), ("heartbeat", "heartbeat"),
])  # fmt: skip
def test_an_acknowledgement_may_use_an_older_name(old: str, new: str) -> None:
    channels = [{"name": old, "product_ids": ["BTC-USD", "ETH-USD"], "account_ids": None}]
    expected = Subscribed(frozenset({(new, "BTC-USD"), (new, "ETH-USD")}))
    assert exchange({"type": "subscriptions", "channels": channels}) == [expected]


def test_a_refusal_may_come_without_a_reason() -> None:
    assert exchange({"type": "error", "message": "No channels provided"}) == [Refusal("No channels provided", "")]


@pytest.mark.parametrize("kind", ["match", "last_match", "snapshot", "l2update", "status", "auction"])
def test_what_is_not_about_best_prices_is_other(kind: str) -> None:
    assert exchange({"type": kind, "product_id": "ETH-USD"}) == [Other(kind)]


def test_a_type_that_we_do_not_know_may_use_our_names_for_anything() -> None:
    assert exchange({"type": "auction", "time": 5, "best_bid": [], "sequence": None}) == [Other("auction")]
    assert exchange({"type": "ticker", "time": 5}) == [Bad("time: expected str | null, got int")]


# Its book.


def snapshot(bids: list[list[str]], asks: list[list[str]], **fields: Any) -> Json:
    return {"type": "snapshot", "product_id": "ETH-USD", "bids": bids, "asks": asks, "time": frames.at(0), **fields}


def update(*changes: tuple[str, str, str], **fields: Any) -> Json:
    return {"type": "l2update", "product_id": "ETH-USD", "changes": changes, "time": frames.at(1), **fields}


def read_all(messages: list[Json]) -> list[list[Event]]:
    book = reader(False, from_book=True)
    return [book.read(json.dumps(message).encode()) for message in messages]


def test_a_book_speaks_only_when_its_top_has_changed() -> None:
    events = read_all([
        snapshot([["10.00", "1"], ["9.00", "2"]], [["11.00", "3"], ["12.00", "4"]]),
        update(("buy", "9.50", "7")),
        update(("buy", "10.00", "0.5")),
        update(("buy", "10.00", "0.00000000"), ("sell", "10.50", "8")),
        update(("sell", "10.50", "0"), ("sell", "11.00", "0")),
    ])  # fmt: skip
    assert tops([event for some in events for event in some]) == [
        ("10.00", "1", "11.00", "3"), ("10.00", "0.5", "11.00", "3"),
        ("9.50", "7", "10.50", "8"), ("9.50", "7", "12.00", "4"),
    ]  # fmt: skip
    assert events[1] == [Other("l2update")]


def test_an_update_without_a_snapshot_gives_no_quote() -> None:
    assert read_all([update(("buy", "9.50", "7"), ("sell", "9.60", "7"))]) == [[Other("l2update")]]


def test_an_empty_side_gives_no_quote_until_somebody_is_there() -> None:
    events = read_all([snapshot([], [["11", "1"]]), update(("buy", "10", "1")), update(("sell", "11", "0"))])
    assert events[0] == [Bad("best_bid: missing", "ETH-USD")]
    assert tops(events[1]) == [("10", "1", "11", "1")]
    assert events[2] == [Bad("best_ask: missing", "ETH-USD")]


def test_a_second_snapshot_begins_the_book_anew() -> None:
    events = read_all([snapshot([["10", "1"]], [["11", "1"]]), snapshot([["8", "1"]], [["9", "1"]])])
    assert tops(events[1]) == [("8", "1", "9", "1")]


def test_a_level_that_cannot_be_read_is_named_and_ends_the_trust_in_the_book() -> None:
    events = read_all([
        snapshot([["10", "1"]], [["12", "1"]]),
        update(("buy", "x", "1"), ("sell", "11", "2")),
        update(("buy", "1", "1")),
    ])  # fmt: skip
    assert events[1] == [Bad("level: price or size not a number", "ETH-USD")]
    assert events[2] == [Other("l2update")]


def test_a_snapshot_of_2021_has_no_time_and_waits_for_the_first_update() -> None:
    events = read_all([snapshot([["10", "1"]], [["11", "1"]], time=None), update(("buy", "1", "1"))])
    assert events[0] == [Other("snapshot")]
    assert tops(events[1]) == [("10", "1", "11", "1")]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 3)), max_size=200))
def test_the_top_of_a_book_is_the_best_of_its_levels(changes: list[tuple[bool, int, int]]) -> None:
    book = Book("ETH-USD")
    book.start([("10", "1")], [("20", "1")])
    sides = {True: {10: 1}, False: {20: 1}}
    for is_bid, price, size in changes:
        book.change([(is_bid, str(price), str(size))])
        sides[is_bid][price] = size
    bids, asks = ({price for price, size in sides[is_bid].items() if size} for is_bid in (True, False))
    quote = book.quote(0)
    if bids and asks and max(bids) <= min(asks):
        assert isinstance(quote, Quote)
        assert (quote.bid, quote.ask) == (max(bids), min(asks))
        assert (quote.best_bid_size, quote.best_ask_size) == (str(sides[True][max(bids)]), str(sides[False][min(asks)]))
    else:
        assert isinstance(quote, Bad)


def test_a_book_of_prices_that_come_and_go_stays_small() -> None:
    book = Book("ETH-USD")
    book.start([("1", "1")], [("1000000", "1")])
    for number in range(20 * SLACK):
        book.change([(True, str(2 + number), "1"), (True, str(2 + number), "0")])
    assert len(book._bids._heap) <= 2 * len(book._bids._levels) + SLACK


def test_the_book_of_2021_agrees_with_every_ticker_sent_at_a_trade(shared_data: Path) -> None:
    tickers, book = reader(False), reader(False, from_book=True)
    newest: dict[str, Quote] = {}
    agree: Counter[bool] = Counter()
    seen: set[str] = set()
    for data in recorded(shared_data / EXCHANGE_2021):
        newest |= {event.product_id: event for event in book.read(data) if isinstance(event, Quote)}
        for quote in tickers.read(data):
            if isinstance(quote, Quote) and quote.product_id in seen:
                agree[prices(quote) == prices(newest[quote.product_id])] += 1
            elif isinstance(quote, Quote):
                seen.add(quote.product_id)  # Feed facts 2.3: the first is of the last trade before we came.
    assert agree == {True: 97}


def prices(quote: Quote) -> tuple[float, float]:
    return float(quote.best_bid), float(quote.best_ask)


# Advanced Trade.


def advanced(*messages: bytes, from_book: bool = False) -> list[list[Event]]:
    line = reader(True, from_book=from_book)
    return [line.read(message) for message in messages]


def test_a_ticker_of_advanced_trade_has_the_time_of_its_envelope() -> None:
    ((quote,),) = advanced(ticker(0))
    expected = ("67468.26", "0.00275905", "67469.62", "0.17950856")
    assert isinstance(quote, Quote)
    assert (quote.product_id, quote.sequence, *tops([quote])) == ("BTC-USD", None, expected)
    assert quote.time == 1_795_352_401_000_000


@pytest.mark.parametrize("digits", range(10))
def test_a_timestamp_may_have_up_to_nine_digits(digits: int) -> None:
    fraction = "999999999"[:digits]
    data = ticker(0).replace(b":01.000000Z", b":01" + (b"." + fraction.encode() if digits else b"") + b"Z")
    ((quote,),) = advanced(data)
    assert isinstance(quote, Quote)
    assert quote.time == 1_795_352_401_000_000 + int(fraction[:6].ljust(6, "0"))


def test_an_entry_without_a_product_is_passed_over() -> None:
    assert advanced(ticker(0, product_id="", best_bid="")) == [[Other("ticker")]]


def test_ticker_batch_has_no_best_prices_there_and_gives_no_quote() -> None:
    assert advanced(envelope(0, "ticker_batch", {"type": "update", "tickers": []})) == [[Other("ticker_batch")]]


def test_a_hole_in_the_numbers_is_a_loss_and_what_comes_again_is_stale() -> None:
    events = advanced(ticker(0), ticker(1), ticker(4), ticker(4), ticker(2), ticker(5))
    kinds = [[type(event) for event in some] for some in events]
    assert kinds == [[Quote], [Quote], [Missed, Quote], [Stale], [Stale], [Quote]]
    assert events[2][0] == Missed(2)


def test_the_first_number_may_be_any_and_0_begins_anew() -> None:
    again = envelope(0, "ticker", {"type": "update", "tickers": []}, timestamp=frames.at(2))
    events = advanced(ticker(17), ticker(18), again, ticker(1), ticker(None), ticker(2))
    assert [[type(event) for event in some] for some in events] == [
        [Quote],
        [Quote],
        [Other],
        [Quote],
        [Quote],
        [Quote],
    ]


def test_a_message_0_that_comes_again_begins_nothing() -> None:
    events = advanced(ticker(0), ticker(1), ticker(2), ticker(0), ticker(3))
    assert [[type(event) for event in some] for some in events] == [[Quote], [Quote], [Quote], [Stale], [Quote]]


def test_a_side_that_is_none_ends_the_trust_in_the_book() -> None:
    events = advanced(
        level2(0, "snapshot", ("bid", "100.00", "1"), ("offer", "100.02", "1")),
        level2(1, "update", ("BUY", "100.01", "5")),
        from_book=True,
    )
    assert [type(event) for some in events for event in some] == [Quote, Bad]


def test_every_message_counts_though_it_cannot_be_read() -> None:
    strange = envelope(1, "futures", {"type": 5})
    unreadable = envelope(2, "ticker", {"type": "update", "tickers": 7})
    events = advanced(ticker(0), strange, unreadable, ticker(3))
    assert events[1] == [Other("futures")]
    assert isinstance(events[2][0], Bad)
    assert [type(event) for event in events[3]] == [Quote]


@pytest.mark.parametrize(("counter", "expected"), [(21697, 21697), ("21698", 21698), ("x", None), (None, None)])
def test_a_heartbeats_counter_may_be_text(counter: Any, expected: int | None) -> None:
    beat = {"current_time": "2026-09-30 02:37:15.057778606 +0000 UTC m=+21697.19", "heartbeat_counter": counter}
    assert advanced(envelope(0, "heartbeats", beat)) == [[Heartbeat(None, 1_795_352_401_000_000, expected)]]


def test_an_acknowledgement_comes_after_the_first_data_and_uses_the_names_of_the_request() -> None:
    channels = {"level2": ["BTC-USD", "ETH-USD"], "heartbeats": ["heartbeats"]}
    (events,) = advanced(envelope(0, "subscriptions", {"subscriptions": channels}))
    expected = frozenset({("level2", "BTC-USD"), ("level2", "ETH-USD"), ("heartbeats", "heartbeats")})
    assert events == [Subscribed(expected)]
    assert advanced(envelope(0, "subscriptions", {"subscriptions": {}})) == [[Subscribed(frozenset())]]


def test_an_error_comes_without_an_envelope() -> None:
    assert advanced(b'{"type":"error","message":"failure to subscribe"}') == [[Refusal("failure to subscribe", "")]]


@pytest.mark.parametrize(("data", "reason"), [
    (b"{}", "channel: missing"), (ticker(0).replace(b"timestamp", b"when"), "timestamp: missing"),
    (envelope(0, "ticker", timestamp="soon"), "timestamp: not a time with a zone"), (b"{", "not JSON"),
])  # fmt: skip
def test_what_cannot_be_read_is_bad_and_says_why(data: bytes, reason: str) -> None:
    assert advanced(data) == [[Bad(reason)]]


def test_a_book_of_advanced_trade_waits_for_a_snapshot_after_a_loss() -> None:
    start = (("bid", "10", "1"), ("offer", "11", "1"))
    events = advanced(
        level2(0, "snapshot", *start), level2(2, "update", ("bid", "10.5", "1")), level2(3, "snapshot", *start),
        level2(4, "update", ("offer", "11", "0"), ("offer", "12", "3")), from_book=True,
    )  # fmt: skip
    assert [tops(some) for some in events] == [
        [("10", "1", "11", "1")], [], [("10", "1", "11", "1")], [("10", "1", "12", "3")],
    ]  # fmt: skip


def test_a_number_lost_and_a_top_that_is_the_same_after_the_next_snapshot_is_told_again() -> None:
    book = Book("BTC-USD")
    book.start([("10", "1")], [("11", "1")])
    assert isinstance(book.quote(1), Quote)
    book.forget()
    book.start([("10", "1")], [("11", "1")])
    assert isinstance(book.quote(2), Quote)


def test_the_books_of_2026_are_never_crossed_and_lie_near_the_tickers(shared_data: Path) -> None:
    tickers, book = reader(True), reader(True, from_book=True)
    newest: dict[str, Quote] = {}
    counts: Counter[type[Event]] = Counter()
    distances: list[float] = []
    for data in recorded(shared_data / ADVANCED_2026):
        events = book.read(data)
        counts.update(type(event) for event in events)
        newest |= {event.product_id: event for event in events if isinstance(event, Quote)}
        for quote in tickers.read(data):
            if isinstance(quote, Quote) and quote.product_id in newest:
                distances.append(abs(float(quote.best_bid) / float(newest[quote.product_id].best_bid) - 1))
    assert counts[Bad] == counts[Missed] == counts[Stale] == 0
    assert len(newest) == 2
    assert max(distances) < 0.001


# Both.


@pytest.mark.parametrize("from_book", [False, True])
@pytest.mark.parametrize("name", [EXCHANGE_2021, ADVANCED_2026])
def test_everything_recorded_is_read(shared_data: Path, name: str, from_book: bool) -> None:
    messages = list(recorded(shared_data / name))
    line = reader(bool(is_advanced(messages[0])), from_book=from_book)
    kinds: dict[type[Event], int] = defaultdict(int)
    for data in messages:
        for event in line.read(data):
            kinds[type(event)] += 1
    assert kinds[Bad] == kinds[Missed] == kinds[Stale] == 0
    assert kinds[Quote] > 10


@pytest.mark.parametrize(("data", "expected"), [
    (ticker(0), True), (b'{"channel":"subscriptions","events":[]}', True), (b'{"type":"ticker","channels":[]}', False),
    (b'{"type":"error","message":"no"}', None), (b"{", None), (b"[]", None), (b'{"channel":5}', None), (b"", None),
])  # fmt: skip
def test_the_dialect_is_told_by_the_envelope(data: bytes, expected: bool | None) -> None:
    assert is_advanced(data) == expected


@given(st.binary(max_size=100), st.booleans(), st.booleans())
def test_any_bytes_give_events(data: bytes, is_new: bool, from_book: bool) -> None:
    line: Reader = reader(is_new, from_book=from_book)
    assert line.read(data)


def test_a_book_that_stays_crossed_has_lost_a_change_and_is_trusted_no_more() -> None:
    """Exchange numbers no changes, so nothing else tells that one was lost."""
    line = reader(False, from_book=True)

    def change(seconds: float, *changes: list[str]) -> list[Event]:
        message = {"type": "l2update", "product_id": "BTC-USD", "changes": changes, "time": frames.at(seconds)}
        return line.read(json.dumps(message).encode())

    snapshot = {"type": "snapshot", "product_id": "BTC-USD", "bids": [["10", "1"]], "asks": [["11", "1"]]}
    line.read(json.dumps(snapshot).encode())
    assert change(1, ["buy", "12", "1"]) == [Bad("crossed", "BTC-USD")]
    assert not line.needs_snapshot
    assert change(7, ["buy", "12", "2"]) == [Bad("crossed", "BTC-USD")]
    assert line.needs_snapshot
