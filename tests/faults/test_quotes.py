"""Rows 16 to 21, 26 and 39: quotes that are valid and strange, that come twice, late, early, or not at all."""

import json
from fractions import Fraction
from math import isfinite
from typing import Any

import pytest

import frames
from coinbase_insights.engine.insight import Insight
from coinbase_insights.message import Message, Opened
from coinbase_insights.pipe import Pipe
from faults.tape import Tape, accounted, microseconds, numbers_in, play

WINDOWS = {"1m": 60, "5m": 300, "15m": 900}


def means(insight: Insight) -> list[float]:
    means = insight.mid_price_mean
    return [means.one.value, means.five.value, means.fifteen.value]


def batch_means(folded: list[tuple[float, str, str]]) -> list[float]:
    """The slow definition, exactly: all quotes with t - length < time <= t, time never running backwards."""
    times: list[float] = []
    for time, _, _ in folded:
        times.append(max(time, times[-1]) if times else time)
    mids = [(Fraction(bid) + Fraction(ask)) / 2 for _, bid, ask in folded]
    values = []
    for length in WINDOWS.values():
        window = [mid for time, mid in zip(times, mids, strict=True) if times[-1] - length < time]
        values.append(float(sum(window) / len(window)))
    return values


def test_row_16_a_crossed_quote_is_counted_and_left_out() -> None:
    _, expected = play(Tape().quote(1).quote(3))
    tape = Tape().quote(1)
    tape.quote(2, best_bid="2000.00", best_ask="1600.00").quotes -= 1
    pipe, insights = play(tape.quote(3))
    assert insights == expected
    assert pipe.counts.bad == {"crossed": 1}


def test_row_16_a_locked_quote_is_valid() -> None:
    pipe, insights = play(Tape().quote(1, best_bid="1660.57", best_ask="1660.57").quote(2))
    assert (insights[0].spread, insights[0].mid_price) == (0.0, 1660.57)
    assert pipe.counts.bad == {}


@pytest.mark.parametrize("field", ["best_bid", "best_ask"])
@pytest.mark.parametrize("value", ["", "0", "0.00", None, ...], ids=["empty", "0", "0.00", "null", "missing"])
def test_row_16_a_side_that_nobody_quotes_gives_no_mid_price(field: str, value: Any) -> None:
    _, expected = play(Tape().quote(1).quote(3))
    tape = Tape().quote(1)
    tape.quote(2, **{field: value}).quotes -= 1
    pipe, insights = play(tape.quote(3))
    assert insights == expected
    (reason,) = pipe.counts.bad
    assert reason.startswith(field)


def test_row_16_maximum_spread_and_means_equal_the_slow_definition() -> None:
    tape = Tape()
    folded: list[tuple[float, str, str]] = []
    for second in range(1, 1200, 3):
        message = frames.ticker(tape.quotes + 1)
        tape.quote(second)
        folded.append((second, message["best_bid"], message["best_ask"]))
        tape.quote(second + 1, best_bid=("1700.00", "", "0")[second % 3], best_ask="1600.00")
    _, insights = play(tape)
    assert means(insights[-1]) == pytest.approx(batch_means(folded), rel=1e-12)
    assert insights[-1].max_spread.value == pytest.approx(max(float(Fraction(a) - Fraction(b)) for _, b, a in folded))


@pytest.mark.parametrize("factor", [1000, 0.001])
def test_row_17_a_wild_price_is_kept_and_the_forecast_is_back_to_normal_in_a_minute(factor: float) -> None:
    calm, wild = Tape().quotes_until(1, 900), Tape()
    for second in range(1, 901):
        wild.heartbeat(second)
        if second % 5 == 1:
            usual = frames.ticker(wild.quotes + 1)
            jump = {name: f"{float(usual[name]) * factor:.2f}" for name in ("best_bid", "best_ask")}
            wild.quote(second, **(jump if second == 601 else {}))
    _, expected = play(calm)
    pipe, insights = play(wild)
    assert pipe.counts.quotes == len(insights) == len(expected)
    normal = max(insight.forecast_error or 0.0 for insight in expected)
    after_one = [insight for insight in insights if insight.time > frames.at(601)]
    after_sixty = [insight for insight in insights if insight.time > frames.at(601 + 60 + 5)]
    assert all(abs(insight.forecast.value / insight.mid_price - 1) < 0.001 for insight in after_one)
    assert max(insight.forecast_error or 0.0 for insight in after_sixty) < 2 * normal
    assert all(isfinite(number) for insight in insights for number in numbers_in(insight))
    assert (after_sixty[-1].forecast.high or 0) - (after_sixty[-1].forecast.low or 0) < 10 * normal


def test_row_18_an_exact_duplicate_is_counted_once() -> None:
    _, expected = play(Tape().quote(1).quote(2))
    tape = Tape().quote(1)
    pipe, insights = play(tape.raw(1, tape.last).raw(1, tape.last).quote(2))
    assert insights == expected
    assert pipe.counts.duplicates == 2


def test_row_18_the_same_sequence_with_other_content_is_not_folded() -> None:
    _, expected = play(Tape().quote(1).quote(2))
    tape = Tape().quote(1)
    pipe, insights = play(tape.raw(1, tape.last.replace(b'"best_bid": "1660.64"', b'"best_bid": "1.00"')).quote(2))
    assert insights == expected
    assert pipe.counts.duplicates == 1


def test_row_18_the_last_ten_again_after_a_reconnect_are_counted_once() -> None:
    tape = Tape()
    for second in range(1, 31):
        tape.quote(second)
    again = [item.data for item in tape.items if isinstance(item, Message)][-10:]
    tape.lost(31).opened(32).heartbeat(32)
    for data in again:
        tape.raw(32, data)
    pipe, insights = play(tape.quote(33))
    sequences = [insight.sequence for insight in insights]
    assert len(sequences) == len(set(sequences)) == 31
    assert (pipe.counts.duplicates, pipe.counts.reconnects, pipe.counts.gaps) == (10, 1, 1)


@pytest.mark.parametrize("distance", [1, 5])
def test_row_19_what_comes_too_late_is_counted_and_the_means_are_right(distance: int) -> None:
    tape = Tape()
    for second in range(1, 301):
        tape.quote(second)
    quotes = [item for item in tape.items if isinstance(item, Message) and b"ticker" in item.data]
    for place in range(50, 250, 20):
        quotes.insert(place + distance, quotes.pop(place))
    newest, folded, late = 0, [], 0
    for quote in map(json.loads, (item.data for item in quotes)):
        if quote["sequence"] > newest:
            newest = quote["sequence"]
            seconds = float(quote["time"][14:16]) * 60 + float(quote["time"][17:-1])
            folded.append((seconds, quote["best_bid"], quote["best_ask"]))
        else:
            late += 1
    pipe, insights = play([*tape.items[:2], *quotes])
    assert pipe.counts.duplicates == late == 10
    assert means(insights[-1]) == pytest.approx(batch_means(folded), rel=1e-9)


def test_row_19_a_time_that_goes_back_never_turns_the_clock_back() -> None:
    tape = Tape()
    folded = []
    for second in range(1, 301):
        time = second - (40 if second % 50 == 0 else 0)
        message = frames.ticker(tape.quotes + 1)
        tape.quote(second, time=frames.at(time))
        folded.append((float(time), message["best_bid"], message["best_ask"]))
    _, insights = play(tape)
    times = [insight.time for insight in insights]
    assert times == sorted(times)
    assert means(insights[-1]) == pytest.approx(batch_means(folded), rel=1e-9)


def test_row_20_a_sequence_that_starts_anew_is_followed() -> None:
    tape = Tape()
    for second in range(1, 31):
        tape.quote(second)
    for second in range(31, 61):
        tape.quote(second, sequence=second)
    pipe, insights = play(tape)
    assert len(insights) == 60
    assert (pipe.counts.duplicates, pipe.counts.missed, pipe.counts.gaps) == (0, 0, 0)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63 + 1, 2**64 + 1])
@pytest.mark.parametrize("kind", [int, str])
def test_row_20_a_sequence_beyond_53_bits_is_kept_exactly(number: int, kind: type) -> None:
    pipe, insights = play(Tape().quote(1, sequence=kind(number)).quote(2, sequence=kind(number + 1)))
    assert [insight.sequence for insight in insights] == [number, number + 1]
    assert pipe.counts.duplicates == 0


def test_row_21_three_heartbeats_that_do_not_come_are_reported() -> None:
    tape = Tape()
    for second in (1, 2, 3, 7):
        tape.heartbeat(second)
    pipe, _ = play(tape)
    assert pipe.counts.missed == 3


def advanced_beat(second: int, sequence: int, counter: int) -> str:
    beat = {"current_time": "2026-11-22 13:00:00.0 +0000 UTC m=+1.5", "heartbeat_counter": counter}
    head = {"channel": "heartbeats", "timestamp": frames.at(second), "sequence_num": sequence}
    return json.dumps({**head, "events": [beat]})


@pytest.mark.parametrize(
    ("sequences", "counters"), [((0, 1, 5), (7, 8, 9)), ((0, 1, 2), (7, 8, 12)), ((0, 1, 5), (7, 8, 12))]
)
def test_row_21_a_hole_in_the_numbers_of_advanced_trade_is_reported_once(
    sequences: tuple[int, ...], counters: tuple[int, ...]
) -> None:
    tape = Tape()
    tape.items = tape.items[:1]
    for second, (sequence, counter) in enumerate(zip(sequences, counters, strict=True)):
        tape.raw(second, advanced_beat(second, sequence, counter))
    pipe, _ = play(tape)
    assert pipe.counts.missed == 3


@pytest.mark.parametrize("time", [frames.at(3600 + 2), frames.at(70), "9999-12-31T23:59:59.999999Z"])
def test_row_26_a_time_in_the_future_does_not_move_the_window(time: str) -> None:
    tape, plain = Tape().quotes_until(1, 120), Tape().quotes_until(1, 120)
    tape.quote(121, time=time if "9999" in time else frames.at(121 + 3600)).quotes_until(122, 142)
    plain.quotes += 1
    _, expected = play(plain.quotes_until(122, 142))
    pipe, insights = play(tape)
    assert insights == expected
    assert sum(pipe.counts.bad.values()) == 1
    assert next(iter(pipe.counts.bad)).startswith("time:")


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00.000000Z", "0001-01-01T00:00:00Z", frames.at(-3600)])
def test_row_26_a_time_long_ago_empties_no_window(time: str) -> None:
    tape = Tape().quotes_until(1, 121).quote(122, time=time).quotes_until(123, 143)
    pipe, insights = play(tape)
    times = [insight.time for insight in insights]
    assert times == sorted(times)
    assert min(insight.mid_price_mean.one.count for insight in insights[12:]) >= 12
    assert accounted(pipe) == pipe.counts.received


@pytest.mark.parametrize(
    "time", ["2026-11-22T13:00:02", "13:00:02", "1795352402", "22/11/2026", "2026-11-22", "tomorrow"]
)
def test_row_26_a_time_without_a_zone_is_rejected(time: str) -> None:
    pipe, insights = play(Tape().quote(1).quote(2, time=time).quote(3))
    assert len(insights) == 2
    assert pipe.counts.bad == {"time: not a time with a zone": 1}


@pytest.mark.parametrize("digits", [".123456789", ".1234567", ".12", "", "123456"])
def test_row_26_any_number_of_digits_behind_the_second_is_read(digits: str) -> None:
    digits = digits and "." + digits.lstrip(".")
    _, insights = play(Tape().quote(2, time=f"2026-11-22T13:00:02{digits}Z"))
    assert insights[0].time == f"2026-11-22T13:00:02.{digits[1:7]:0<6}Z"


@pytest.mark.parametrize("jump", [3600, -3600])
def test_row_25_our_clock_set_an_hour_off_breaks_no_window(jump: int) -> None:
    """Windows follow the exchange's time; until heartbeats confirm it, two quotes at most are not believed."""
    tape = Tape().quotes_until(1, 300)
    later = len(tape.items)
    tape.quotes_until(301, 600)
    items = [
        Message(item.received_at + jump * 10**9, item.data) if isinstance(item, Message) and place >= later else item
        for place, item in enumerate(tape.items)
    ]
    pipe, insights = play(items)
    assert len(insights) >= 118
    assert (pipe.counts.gaps, pipe.counts.reconnects, pipe.counts.missed) == (0, 0, 0)
    assert all(isfinite(number) for insight in insights for number in numbers_in(insight))
    assert insights[-1].mid_price_mean.five.full
    assert insights[-1].unscored == 0


def test_row_39_the_band_warms_up_and_says_how_far_it_is() -> None:
    _, insights = play(Tape().quotes_until(1, 121))
    assert insights[0].forecast.low is None
    assert insights[0].forecast.low_reason == "warming up (0 of 12)"
    assert insights[6].forecast.low_reason == "warming up (5 of 12)"
    assert insights[-1].forecast.low is not None
    assert insights[0].forecast_error is None
    assert insights[0].forecast_error_reason == "no forecast is 60 s old yet"
    assert insights[20].skill.verdict == "too few scored"


def test_row_39_a_price_that_never_changes_gives_no_nonsense() -> None:
    tape = Tape()
    for second in range(1, 1200, 5):
        tape.heartbeat(second).quote(second, best_bid="1660.57", best_ask="1660.58")
    _, insights = play(tape)
    assert all(isfinite(number) for insight in insights for number in numbers_in(insight))
    assert insights[-1].baseline_error == 0.0
    assert insights[-1].skill.value is None
    assert insights[-1].skill.value_reason == "the price has not changed"
    assert insights[-1].forecast.value == pytest.approx(1660.575, rel=1e-4)


def test_row_39_a_forecast_is_never_compared_across_a_gap() -> None:
    """The line is down from 200 to 270 s: what was forecast for then stays without a score.

    A quote of `ticker_batch` may be 5 s on its way, so the last 5 s before the end of the line are not known either.
    """
    tape = Tape().quotes_until(1, 200).lost(200.5).opened(270).quotes_until(270, 400)
    pipe, insights = play(tape)
    gap = [quote for quote in range(1, 200, 5) if 195 < quote + 60 < 270]
    assert insights[-1].unscored == len(gap)
    truths = {quote + 60 for quote in range(1, 400, 5) if quote <= 200 or quote >= 270}
    assert insights[-1].forecast_error_mean.fifteen.count == len([t for t in truths if t < 400 and not 195 < t < 270])
    assert pipe.counts.gaps == 1
    assert not insights[-1].mid_price_mean.five.full
    assert insights[-1].mid_price_mean.one.full


def test_row_39_after_a_gap_a_forecast_is_matched_by_time_and_not_by_rows() -> None:
    """Every price says its own second, so the error of "nothing changes" tells what a forecast was matched with."""
    tape = Tape()
    for second in [*range(1, 200, 5), *range(270, 400, 5)]:
        if second == 270:
            tape.lost(200).opened(269.9)
        tape.heartbeat(second).quote(second, best_bid=f"{1000 + second}.00", best_ask=f"{1000 + second}.00")
    _, insights = play(tape)
    for insight in insights:
        assert insight.baseline_error in (None, 60.0, pytest.approx(60.0, abs=5.0))


def test_row_39_a_new_start_knows_nothing_of_the_old_one() -> None:
    first, second = Pipe(["ETH-USD"]), Pipe(["ETH-USD"])
    play(Tape().quotes_until(1, 300), first)
    _, insights = play(Tape().quotes_until(301, 330), second)
    assert insights[0].mid_price_mean.fifteen.count == 1
    assert insights[0].max_spread.time == insights[0].time
    assert insights[0].forecast.low_reason == "warming up (0 of 12)"


def test_the_ticker_of_the_time_before_the_start_is_shown_and_not_folded() -> None:
    pipe, insights = play(Tape().quote(-30).quote(1))
    assert len(insights) == pipe.counts.before_start == 1
    assert microseconds(1) == pipe.last_known["ETH-USD"].time


def test_a_recording_without_a_first_line_of_ours_is_played_as_well() -> None:
    tape = Tape().quotes_until(1, 11)
    _, insights = play([item for item in tape.items if not isinstance(item, Opened)])
    assert len(insights) == 3
