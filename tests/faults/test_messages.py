"""Rows 11, 13, 14 and 15: whatever a message says, it is used or counted under its reason, and nothing raises."""

import json
import random
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import frames
from coinbase_insights.log import journal
from coinbase_insights.message import Message
from coinbase_insights.wire import reader
from faults.tape import Tape, accounted, numbers_in, play, resident

ADVANCED_TICKER = (
    b'{"channel":"ticker","timestamp":"2026-04-05T22:35:13.92532762Z","sequence_num":0,"events":[{"type":"snapshot",'
    b'"tickers":[{"type":"ticker","product_id":"BTC-USD","price":"67468.26","best_bid":"67468.26",'
    b'"best_ask":"67469.62","best_bid_quantity":"0.00275905","best_ask_quantity":"0.17950856"}]}]}'
)
ADVANCED_BEAT = (
    b'{"channel":"heartbeats","timestamp":"2026-09-30T02:37:15.057895263Z","sequence_num":3,"events":[{"current_time":'
    b'"2026-09-30 02:37:15.057778606 +0000 UTC m=+21697.195984854","heartbeat_counter":21697}]}'
)
LEVEL2 = b'{"channel":"l2_data","timestamp":"2026-09-30T02:37:15Z","sequence_num":0,"events":[{"type":"snapshot",' + (
    b'"product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-09-30T02:37:15Z","price_level":"67468.26",'
    b'"new_quantity":"0.1"},{"side":"offer","event_time":"2026-09-30T02:37:15Z","price_level":"67469",'
    b'"new_quantity":"2"}]}]}'
)

MALFORMED = {
    "nothing": b"",
    "no JSON": b"<html>502 Bad Gateway</html>",
    "cut short": json.dumps(frames.ticker(1)).encode()[:200],
    "two in one": json.dumps(frames.ticker(1)).encode() * 2,
    "a list": b"[1,2]",
    "null": b"null",
    "a text": b'"ticker"',
    "a number": b"1e999999",
    "a million spaces": b" " * 1_000_000,
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "nested deep in an unknown field": b'{"type":"ticker","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no type": b'{"product_id":"ETH-USD"}',
    "not UTF-8": b'{"type":"ticker","product_id":"\xff\xfe"}',
    "half a surrogate": b'{"type":"ticker","product_id":"\\ud800"}',
    "a bare NaN": b'{"type":"ticker","sequence":NaN}',
    "control characters": bytes(range(32)),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_row_11_a_malformed_message_is_counted_as_bad_and_the_rest_is_used(data: bytes) -> None:
    pipe, insights = play(Tape().quotes_until(1, 11).raw(12, data).quotes_until(13, 23))
    assert sum(pipe.counts.bad.values()) == 1
    assert len(insights) == 6
    assert pipe.counts.gaps == pipe.counts.reconnects == 0
    assert accounted(pipe) == pipe.counts.received


def test_row_11_the_last_of_two_keys_counts_as_everywhere_else() -> None:
    twice = json.dumps(frames.ticker(1, time=frames.at(1)))[:-1] + ',"best_bid":"1000.00"}'
    _, (insight,) = play(Tape().raw(1, twice))
    assert insight.best_bid == "1000.00"


@pytest.mark.parametrize("data", [b"", b"<html>", b"null", b"{"], ids=["nothing", "html", "null", "cut short"])
def test_row_11_a_malformed_first_message_does_not_hide_which_feed_it_is(data: bytes) -> None:
    tape = Tape()
    tape.items = tape.items[:1]
    tape.raw(0, data)
    for number in range(10):
        ticker = ADVANCED_TICKER.replace(b'_num":0', b'_num":%d' % (2 * number + 1))
        beat = ADVANCED_BEAT.replace(b'_num":3', b'_num":%d' % (2 * number))
        time = frames.at(number + 1).encode()
        tape.raw(number + 1, beat.replace(b"2026-09-30T02:37:15.057895263Z", time))
        tape.raw(number + 1, ticker.replace(b"2026-04-05T22:35:13.92532762Z", time))
    pipe, insights = play(tape, product_id="BTC-USD")
    assert sum(pipe.counts.bad.values()) == 1
    assert len(insights) == 10


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_row_11_its_raw_bytes_are_kept_in_the_journal(data: bytes) -> None:
    message = Message(1_700_000_000_000_000_000, data)
    assert journal.decode(journal.encode(message)) == message


def test_row_13_unknown_types_and_fields_change_no_figure() -> None:
    plain = Tape()
    strange = Tape()
    for second in range(1, 60):
        plain.quote(second)
        strange.quote(second, new_field="x", nested={"best_bid": "1", "list": [{"time": 5}] * 3})
        strange.raw(second, json.dumps({"type": "auction", "best_bid": 5, "time": [], "sequence": {}}))
        strange.raw(second, json.dumps({"type": f"kind {second}", "product_id": "ETH-USD", "best_bid": "9"}))
    _, expected = play(plain)
    pipe, insights = play(strange)
    assert insights == expected
    assert pipe.counts.other["auction"] == 59
    assert pipe.counts.bad == {}


def test_row_13_names_of_unknown_types_do_not_pile_up() -> None:
    tape = Tape()
    for number in range(1000):
        tape.raw(1, json.dumps({"type": f"{number}" + "x" * 1000}))
    pipe, _ = play(tape)
    assert len(pipe.counts.other) <= 51
    assert sum(pipe.counts.other.values()) == 1000
    assert max(len(kind) for kind in pipe.counts.other) <= 64


NEEDED = ("product_id", "sequence", "time", "best_bid", "best_ask")
WRONG: dict[str, Any] = {"missing": ..., "null": None, "a number with a point": 1.5, "a list": [], "an object": {}}
WRONG |= {"a truth": True, "empty": "", "a word": "word"}


@pytest.mark.parametrize("field", NEEDED)
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_row_14_a_quote_without_a_needed_field_is_rejected_by_its_name(field: str, value: Any) -> None:
    pipe, insights = play(Tape().quote(1).quote(2, **{field: value}).quote(3))
    if field == "product_id" and value == "word":
        assert pipe.counts.other == {"another product": 1}
    else:
        (reason,) = pipe.counts.bad
        assert reason.startswith(field + ":")
    assert len(insights) == 2


@pytest.mark.parametrize("field", ["best_bid_size", "best_ask_size"])
@pytest.mark.parametrize("value", [1.5, [], {}, True, "", "word"], ids=repr)
def test_row_14_a_size_that_is_none_is_rejected_by_its_name(field: str, value: Any) -> None:
    pipe, insights = play(Tape().quote(1).quote(2, **{field: value}).quote(3))
    (reason,) = pipe.counts.bad
    assert reason.startswith(field + ":")
    assert len(insights) == 2


@pytest.mark.parametrize("value", [..., None, 5, [], {}, True], ids=["missing", "null", "number", "list", "{}", "true"])
def test_row_14_a_message_without_a_type_is_rejected_by_its_name(value: Any) -> None:
    pipe, insights = play(Tape().quote(1).quote(2, type=value).quote(3))
    (reason,) = pipe.counts.bad
    assert "type" in reason
    assert len(insights) == 2


@pytest.mark.parametrize("field", ["side", "trade_id", "last_size", "price", "volume_24h", "best_bid_size"])
def test_row_14_a_field_that_no_figure_needs_may_be_missing(field: str) -> None:
    pipe, insights = play(Tape().quote(1).quote(2, **{field: ...}).quote(3))
    assert pipe.counts.bad == {}
    assert len(insights) == 3


NO_NUMBERS: list[Any] = [
    "NaN", "nan", "Infinity", "-Infinity", "inf", "-1", "0", "0.00", "-0", "1e308", "1e5", "1e-400", "9" * 400,
    "1" * 41, "0." + "1" * 400, "0." + "0" * 400, "１２", "٣", "²", "1２", "0x10", "0b1", "1_000", " 12", "12 ", "+1",
    "--1", "1.2.3", ".5", "5.", ".", "1,000", "1\n", "1\x00", "$1", "1" * 1_000_000, 12, 1.5, True, [], ["1"],
    {"1": 1},
]  # fmt: skip


@pytest.mark.parametrize("field", ["best_bid", "best_ask", "best_bid_size", "best_ask_size"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12] + f"({len(repr(value))})")
def test_row_15_what_is_no_number_never_gets_into_a_figure(field: str, value: Any) -> None:
    _, expected = play(Tape().quote(1).quote(3))
    tape = Tape().quote(1)
    tape.quote(2, **{field: value}).quotes -= 1
    pipe, insights = play(tape.quote(3))
    assert insights == expected
    (reason,) = pipe.counts.bad
    assert reason.startswith(field + ":")
    assert len(reason) < 200


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_row_15_a_bare_word_of_javascript_is_no_json(value: str) -> None:
    pipe, _ = play(Tape().raw(1, json.dumps(frames.ticker(1)).replace('"1660.64"', value)))
    assert pipe.counts.bad == {"not JSON": 1}


def test_row_15_every_figure_is_finite() -> None:
    tape = Tape()
    for second in range(1, 200):
        tape.quote(second)
        tape.quote(second, best_bid=NO_NUMBERS[second % len(NO_NUMBERS)])
    _, insights = play(tape)
    assert len(insights) == 199
    assert all(isfinite(number) for insight in insights for number in numbers_in(insight))


def test_row_15_giant_texts_are_not_remembered() -> None:
    """4 MB is the longest message; a thousand of them must not stay in memory."""
    before = resident()
    exchange = reader(False)
    for number in range(100):
        price = f"{number}" + "1" * 1_000_000
        exchange.read(json.dumps(frames.ticker(1, best_bid=price)).encode())
    assert resident() - before < 20_000_000


NASTY: list[Any] = [
    None, True, -1, 0, 2**63, 2**64, 10**400, 1.5, -0.0, "", "x", "NaN", "１２", "\x1b[2J", "\u202e", "1" * 400, [],
    {}, [[]], {"type": "ticker"}, "2026-13-45T99:99:99Z", "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+23:59",
]  # fmt: skip


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Damage a message: its bytes, or what its JSON says."""
    if chance.random() < 0.5:
        message = json.loads(data)
        for _ in range(chance.randint(1, 3)):
            damage(message, chance)
        return json.dumps(message, allow_nan=False).encode()
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(changed) + 1)
        end = chance.choice((start, start + 1, start + chance.randrange(50)))
        changed[start:end] = chance.choice((b"", chance.randbytes(3), b'"', b"[" * 50, bytes(changed[end : end + 20])))
    return bytes(changed)


def damage(value: Any, chance: random.Random) -> None:
    """Change one thing somewhere in a message."""
    if not value or not isinstance(value, dict | list):
        return
    key: Any = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
    if isinstance(value[key], dict | list) and chance.random() < 0.7:
        damage(value[key], chance)
    elif chance.random() < 0.3:
        del value[key]
    else:
        value[key] = chance.choice(NASTY)


def never_raises(seeds: list[bytes], times: int) -> None:
    chance = random.Random(20261122)
    readers = [reader(is_advanced, from_book=book) for is_advanced in (False, True) for book in (False, True)]
    for number in range(times):
        data = mutate(seeds[number % len(seeds)], chance)
        for each in readers:
            assert each.read(data)


def test_property_e_reading_10000_damaged_messages_never_raises() -> None:
    ticker, beat = json.dumps(frames.ticker(1)).encode(), json.dumps(frames.heartbeat(1)).encode()
    ack, error = frames.ack({"product_ids": ["ETH-USD"], "channels": ["ticker"]}).encode(), frames.error("no").encode()
    never_raises([ticker, beat, ack, error, ADVANCED_TICKER, ADVANCED_BEAT, LEVEL2], 10_000)


def test_property_e_reading_10000_damaged_messages_of_real_recordings_never_raises(shared_data: Path) -> None:
    seeds: list[bytes] = []
    for file in sorted(shared_data.glob("*.rec")):
        messages = [item.data for item in journal.read(file) if isinstance(item, Message) and len(item.data) < 20_000]
        seeds += messages[:50]
    never_raises(seeds, 10_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["ticker", "BTC-USD", "1.5"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["type", "channel", "product_id", "events", "tickers", "best_bid", "best_ask", "time", "sequence", "updates"]
    ) | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_property_e_reading_never_raises_for_any_bytes(data: bytes) -> None:
    for is_advanced in (False, True):
        for from_book in (False, True):
            assert reader(is_advanced, from_book=from_book).read(data)
