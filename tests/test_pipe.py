"""The pipe from messages to insights, and what becomes of every message on its way."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import frames
from coinbase_insights.counts import MOST_KINDS
from coinbase_insights.engine.insight import Insight
from coinbase_insights.log.shares import Shares, decode, recall, remember
from coinbase_insights.message import Item, Lost, Message, Opened, Unstored
from coinbase_insights.pipe import MOST_HELD, Pipe
from faults.tape import Tape, accounted, nanoseconds, play


def bare() -> Tape:
    """A recording that begins with nothing."""
    tape = Tape()
    tape.items.clear()
    return tape


def advanced(number: int | None, channel: str = "ticker", seconds: float = 1, **fields: Any) -> Message:
    """A message of Advanced Trade that reached us so many seconds after the start."""
    ticker = {"type": "ticker", "product_id": "ETH-USD", "best_bid": f"{1000 + seconds}", "best_ask": "3000"} | fields
    events: dict[str, list[dict[str, Any]]] = {
        "ticker": [{"type": "update", "tickers": [ticker]}],
        "heartbeats": [{"heartbeat_counter": int(seconds) + 100}],
        "status": [{"type": "snapshot", "products": []}],
    }
    envelope = {"channel": channel, "timestamp": frames.at(seconds), "sequence_num": number, "events": events[channel]}
    return Message(nanoseconds(seconds + 0.05), json.dumps(envelope).encode())


def folded(items: Sequence[Item], pipe: Pipe | None = None) -> list[str]:
    """The times of the quotes that were folded, seconds and what is behind."""
    return [insight.time[17:26] for insight in play(items, pipe)[1]]


def test_a_quote_of_the_time_before_the_start_is_shown_and_not_folded() -> None:
    pipe, insights = play(Tape().quote(-108).quote(-1).quote(1))
    assert [insight.time[14:19] for insight in insights] == ["00:01"]
    assert (pipe.counts.before_start, pipe.counts.quotes, pipe.counts.good) == (2, 1, 4)
    pipe, insights = play(Tape().quote(-108))
    assert pipe.last_known["ETH-USD"].best_bid.startswith("1660.")
    assert not insights


def test_quotes_wait_for_the_first_heartbeat_to_tell_the_start() -> None:
    tape = bare().opened(0).quote(-5).quote(0.4).quote(0.7)
    pipe, insights = play(tape)
    assert not insights
    tape = bare().heartbeat(1).quote(1.2)
    assert folded(tape.items, pipe) == ["00.400000", "00.700000", "01.200000"]
    assert pipe.counts.before_start == 1


def test_without_heartbeats_quotes_wait_three_seconds_and_our_clock_tells_the_start() -> None:
    tape = bare().opened(0).quote(-5).quote(1).quote(2).quote(3)
    pipe, insights = play(tape)
    assert [insight.time[17:19] for insight in insights] == ["01", "02", "03"]
    assert pipe.counts.before_start == 1


def test_without_heartbeats_no_more_than_a_thousand_quotes_wait() -> None:
    tape = bare().opened(0)
    for number in range(MOST_HELD - 1):
        tape.quote(0.001 * (number + 1))
    pipe, insights = play(tape)
    assert not insights
    assert len(play(bare().quote(1.5, sequence=frames.SEQUENCE * 2), pipe)[1]) == MOST_HELD


def test_what_still_waits_at_the_end_is_folded() -> None:
    pipe, insights = play(bare().opened(0).quote(1).quote(1.5))
    assert not insights
    assert [product.insight().time[17:21] for product in pipe.finish()] == ["01.0", "01.5"]
    assert list(pipe.finish()) == []


def test_a_gap_while_quotes_wait_is_a_gap() -> None:
    tape = bare().opened(0).quote(0.5).lost(1).opened(90).quote(90.5).heartbeat(91)
    _, insights = play(tape)
    assert [insight.unscored for insight in insights] == [0, 1]
    assert not insights[-1].mid_price_mean.one.full
    assert insights[-1].forecast_error is None


def test_the_same_sequence_again_is_a_duplicate_and_a_lower_one_is_old() -> None:
    tape = Tape().quote(1)
    tape.raw(1.1, tape.last).quote(2).quote(1.5, sequence=5)
    pipe, insights = play(tape)
    assert (pipe.counts.duplicates, len(insights)) == (2, 2)


def test_a_lower_sequence_with_a_later_time_begins_anew() -> None:
    pipe, insights = play(Tape().quote(1).quote(2).quote(3, sequence=1).quote(4, sequence=2).quote(3.5, sequence=1))
    assert [insight.sequence for insight in insights[2:]] == [1, 2]
    assert pipe.counts.duplicates == 1


@pytest.mark.parametrize(("wanted", "sent", "shown"), [
    (["BTC-USDC"], "BTC-USD", "BTC-USDC"), (["BTC-USDC"], "BTC-USDC", "BTC-USDC"), ([], "BTC-USD", "BTC-USD"),
    (["BTC-USDC", "BTC-USD"], "BTC-USD", "BTC-USD"), (["BTC-USD"], "BTC-USDC", None), (["ETH-USD"], "BTC-USD", None),
])  # fmt: skip
def test_a_product_in_usdc_may_come_under_its_name_in_usd(wanted: list[str], sent: str, shown: str | None) -> None:
    pipe, insights = play(Tape().quote(1, product_id=sent), Pipe(wanted))
    assert [insight.product_id for insight in insights] == ([shown] if shown else [])
    assert pipe.counts.other["another product"] == (shown is None)


def test_two_recordings_one_after_another_are_two_times_that_the_line_was_up() -> None:
    first = Tape().quotes_until(1, 20)
    second = bare().opened(3600).heartbeat(3600)
    second.quotes = first.quotes
    second.quotes_until(3601, 3620)
    pipe, insights = play([*first.items, *second.items])
    assert (pipe.counts.reconnects, pipe.counts.gaps) == (1, 1)
    assert insights[-1].mid_price_mean.one.count == 4
    assert insights[-1].unscored == 4


def test_the_second_of_two_recordings_may_be_of_the_other_feed() -> None:
    opened = Opened(nanoseconds(30), "wss://advanced-trade-ws.coinbase.com")
    pipe, insights = play([*Tape().quote(1).items, opened, *(advanced(n, seconds=31 + n) for n in range(3))])
    assert len(insights) == 4
    assert pipe.counts.bad.total() == 0


@pytest.mark.parametrize(("silence", "gaps"), [(59, 0), (61, 1)])
def test_silence_of_more_than_a_minute_is_a_gap(silence: int, gaps: int) -> None:
    pipe, insights = play(Tape().quote(1).quote(2).quote(2 + silence).quote(2 + silence + 61))
    assert pipe.counts.gaps == gaps + 1
    assert insights[2].unscored == (2 if gaps else 0)


def test_a_quiet_product_is_no_gap_while_heartbeats_come() -> None:
    tape = Tape().quote(1)
    for second in range(2, 300):
        tape.heartbeat(second)
    pipe, insights = play(tape.quote(300))
    assert pipe.counts.gaps == 0
    assert insights[-1].mid_price_mean.one.full
    assert insights[-1].forecast_error is not None


def test_a_hole_in_the_numbers_of_advanced_trade_is_a_gap() -> None:
    items = [advanced(0, "heartbeats", 0), advanced(1, seconds=1), advanced(4, seconds=4), advanced(5, seconds=5)]
    pipe, insights = play(items)
    assert (pipe.counts.missed, pipe.counts.gaps, len(insights)) == (2, 1, 3)


def test_a_message_that_says_nothing_about_prices_stays_other_after_a_hole() -> None:
    pipe, _ = play([advanced(0, "heartbeats", 0), advanced(3, "status", 1), advanced(4, seconds=2)])
    assert pipe.counts.other == {"status": 1}
    assert pipe.counts.good == 2


def test_names_of_kinds_do_not_pile_up() -> None:
    tape = Tape()
    for number in range(MOST_KINDS + 10):
        tape.raw(1, json.dumps({"type": f"kind {number}"}))
    pipe, _ = play(tape)
    assert len(pipe.counts.other) == MOST_KINDS + 1
    assert pipe.counts.other["others"] == 10


def test_the_exchanges_words_are_kept() -> None:
    ack = frames.ack({"product_ids": ["ETH-USD"], "channels": ["ticker_1000", "heartbeat"]})
    pipe, _ = play(Tape().raw(1, ack).raw(2, frames.error("X-USD is not a valid product")))
    assert pipe.subscribed is not None
    assert pipe.subscribed.channels == {("ticker_batch", "ETH-USD"), ("heartbeat", "ETH-USD")}
    assert pipe.refusal is not None
    assert pipe.refusal.reason == "X-USD is not a valid product"


def test_every_product_has_figures_of_its_own() -> None:
    tape = Tape()
    for second in range(1, 121):
        tape.heartbeat(second).quote(second).quote(second, product_id="BTC-USD", best_bid="60000", best_ask="60001")
    _, both = play(tape, Pipe())
    _, alone = play(tape, Pipe(["ETH-USD"]))
    assert [insight for insight in both if insight.product_id == "ETH-USD"] == alone
    assert {insight.mid_price for insight in both if insight.product_id == "BTC-USD"} == {60000.5}


def test_one_quote_of_many_decimals_does_not_shut_out_the_others() -> None:
    absurd = {"best_bid": "0.000000000000000001", "best_ask": "0.000000000000000002"}
    _, insights = play(Tape().quote(1, **absurd).quotes_until(2, 300))
    assert insights[-1].time[14:19] == "04:57"


def test_prices_that_no_common_unit_holds_never_raise() -> None:
    far = {"best_bid": "999999999999", "best_ask": "999999999999"}
    near = {"best_bid": "0.0000000001", "best_ask": "0.0000000002"}
    pipe, insights = play(bare().opened(0).quote(0.5, **far).quote(0.6, **near).quote(0.7, **far).heartbeat(1))
    assert len(insights) + pipe.counts.bad["price: too many digits"] == 3


def test_quotes_from_the_end_of_time_never_raise() -> None:
    end = "9999-12-31T23:59:59.999999Z"
    pipe, _ = play(bare().opened(0).quote(0.5, time=end).quote(0.6, time=end).quote(1).quote(2).quote(4))
    assert pipe.counts.received == accounted(pipe) == 5


items = st.one_of(
    st.builds(Message, st.integers(0, 2**62), st.binary(max_size=50)),
    st.builds(Opened, st.integers(0, 2**62), st.just("ws://x")),
    st.builds(Lost, st.integers(0, 2**62), st.just("torn")),
    st.builds(lambda n, s: bare().quote(s, sequence=n).items[0], st.integers(0, 9), st.integers(-9, 99)),
    st.builds(lambda s: bare().heartbeat(s).items[0], st.integers(-9, 99)),
    st.builds(advanced, st.integers(0, 9) | st.none(), st.sampled_from(["ticker", "heartbeats", "status"])),
)


@given(st.lists(items, max_size=60), st.sampled_from(["ticker", "level2"]), st.sampled_from([(), ("ETH-USD",)]))
def test_every_message_is_counted_once_whatever_comes(what: list[Item], channel: str, wanted: tuple[str, ...]) -> None:
    pipe = Pipe(wanted, channel=channel)
    _, insights = play(what, pipe)
    insights += [product.insight() for product in pipe.finish()]
    assert pipe.counts.received == accounted(pipe) == sum(isinstance(item, Message) for item in what)
    assert pipe.counts.quotes == len(insights)


@pytest.mark.parametrize("off", [-3600, 600, 3600])
def test_a_clock_that_is_wrong_and_a_first_attempt_that_fails_hold_up_nothing(off: int) -> None:
    tape = bare().lost(0).opened(5).quote(4).heartbeat(6)
    for second in range(7, 100, 5):
        tape.heartbeat(second).quote(second + 0.5)
    items = [structs.replace(item, received_at=item.received_at + off * 10**9) for item in tape.items]
    pipe = Pipe()
    insights: list[Insight] = []
    for item in items:
        insights += [product.insight() for product in pipe.take(item)]
    assert len(insights) == 19


def book_of(seconds: float, bid: str) -> str:
    levels = f'"bids":[["{bid}","1"]],"asks":[["2000","1"]]'
    return f'{{"type":"snapshot","product_id":"ETH-USD",{levels},"time":"{frames.at(seconds)}"}}'


def change_of(seconds: float, bid: str) -> str:
    changes = f'"changes":[["buy","{bid}","1"]]'
    return f'{{"type":"l2update","product_id":"ETH-USD",{changes},"time":"{frames.at(seconds)}"}}'


def test_no_book_is_trusted_behind_messages_that_could_not_be_kept() -> None:
    tape = Tape().raw(1, book_of(1, "1000")).raw(2, change_of(2, "1001"))
    tape.items.append(Unstored(nanoseconds(3), 5))
    tape.raw(4, change_of(4, "1002")).raw(5, book_of(5, "1003"))

    pipe, insights = play(tape, Pipe(["ETH-USD"], channel="level2"))

    assert [insight.best_bid for insight in insights] == ["1000", "1001", "1003"]
    assert (pipe.counts.missed, pipe.counts.gaps) == (5, 1)


def test_numbers_of_another_connection_are_new_behind_messages_that_could_not_be_kept() -> None:
    items: list[Item] = [advanced(1000, "heartbeats", 0), advanced(1001), Unstored(nanoseconds(2), 5)]

    assert len(folded([*items, advanced(7, seconds=3)])) == 2


def test_zeros_behind_a_price_do_not_shut_its_product_out() -> None:
    tape = Tape().quote(1, best_bid="9500.00000000", best_ask="9500.01000000")
    pipe, insights = play(tape.quote(2, best_bid="10500.00", best_ask="10500.01"))
    assert not pipe.counts.bad
    assert insights[-1].mid_price == 10500.005


def test_a_hole_of_an_hour_is_a_gap_though_the_first_quote_behind_it_is_of_an_old_trade() -> None:
    tape = Tape().quotes_until(1, 100)
    tape.raw(3700, json.dumps(frames.ticker(50, time=frames.at(130)))).heartbeat(3701)
    tape.quotes = 60
    tape.quote(3702)
    pipe, insights = play(tape)
    assert pipe.counts.gaps == 1
    assert not insights[-1].mid_price_mean.fifteen.full


def test_after_a_gap_no_error_of_before_it_is_shown_as_that_of_now() -> None:
    tape = Tape().quotes_until(1, 200).lost(201).opened(7200).quotes_until(7201, 7300)
    _, insights = play(tape)
    after = [insight for insight in insights if insight.time >= frames.at(7200)]
    assert [insight.forecast_error is None for insight in after] == [True] * 13 + [False] * 7
    assert {insight.skill.p_value for insight in after} == {None}


def test_a_product_that_is_no_other_name_of_another_is_not_taken_for_it() -> None:
    _, insights = play(Tape().quote(1, product_id="USDT-USD"), Pipe(["USDT-USDC"]))
    assert not insights


def test_a_recording_may_go_over_to_the_other_feed_without_saying_so() -> None:
    tape = Tape().quotes_until(1, 20)
    items = [*tape.items, *(advanced(n, seconds=30 + n) for n in range(5)), *Tape().quotes_until(100, 110).items[2:]]
    pipe, insights = play(items)
    assert not pipe.counts.bad
    assert len(insights) == 4 + 5 + 3
    assert pipe.counts.gaps == 2


def test_a_share_that_changes_hands_goes_on_with_every_figure_and_with_what_was_missed() -> None:
    items = [advanced(0, "heartbeats", 0), advanced(1, seconds=1), advanced(4, seconds=4), advanced(5, seconds=5)]
    shares = Shares(1, {0})
    at_once, insights = play(items)
    first, second = Pipe(channel="ticker"), Pipe(channel="ticker")
    play(items[:3], first)

    recall(second, decode(remember(3, first, shares, 0, "ticker")))

    _, behind = play(items[3:], second)
    assert second.counts.missed == at_once.counts.missed == 2
    assert behind == insights[2:]
