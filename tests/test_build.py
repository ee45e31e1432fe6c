"""From raw to every table: the same as live, the same wherever it was cut, and never twice."""

import random
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from coinbase_insights.engine.fold import FIGURES
from coinbase_insights.errors import UsageError
from coinbase_insights.lake.build import AtOnce, build
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.repair import set_aside
from coinbase_insights.lake.tables import BARS, BUILT, INSIGHTS, QUOTES
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.journal import read
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Lost, Message, Opened
from coinbase_insights.pipe import Pipe
from lakes import SMALL, Walk, all_rows, assert_same, lake_of, long_walk, ns, of, rows
from site_of import PROGRAM
from test_compiled import by_name
from test_figures import RECORDINGS


@pytest.mark.parametrize(("name", "channel"), RECORDINGS)
def test_insights_are_those_that_are_shown_live(name: str, channel: str, shared_data: Path, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, list(read(shared_data / name)))
    build(lake, channel, "tilt", at_once=SMALL)
    live: dict[str, list[dict[str, Any]]] = {}
    pipe = Pipe(channel=channel)
    for item in read(shared_data / name):
        for product in pipe.take(item):
            live.setdefault(product.product_id, []).append(by_name(product.insight()))
    made = rows(lake, INSIGHTS)
    for product_id, insights in live.items():
        found = made[made.product_id == product_id].to_dict("records")
        assert len(found) == len(insights)
        for row, insight in zip(found, insights, strict=True):
            for figure, value in insight.items():
                assert repr(float(row[figure])) == repr(float("nan") if value is None else float(value)), figure
    assert len(made) == sum(map(len, live.values()))


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_history_is_cut_the_tables_are_the_same(seed: int, walked: Walk, tmp_path: Path) -> None:
    items, whole = walked
    chance = random.Random(seed)
    raw, journal = Raw(str(tmp_path), create=True), Segments(tmp_path / "journal")
    landing = Landing(raw, tmp_path / "journal")
    for item in items:
        journal.write(item)
        if chance.random() < 0.004:
            journal.sync()
            landing.land(journal.durable)
            if chance.random() < 0.6:
                build(
                    str(tmp_path),
                    "ticker",
                    "tilt",
                    at_once=AtOnce(chance.randrange(50, 900), chance.randrange(50, 900)),
                )
    journal.sync()
    landing.land(journal.durable)
    journal.close()
    build(str(tmp_path), "ticker", "tilt")
    assert_same(all_rows(str(tmp_path)), whole)
    assert verify(str(tmp_path), tmp_path / "journal").faults == []


def test_a_second_build_changes_nothing(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:500])
    build(lake, "ticker", "tilt")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*") if path.is_file())
    assert build(lake, "ticker", "tilt") == dict.fromkeys(("quotes", "gaps", "insights", "bars", "scores"), 0)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*") if path.is_file()) == before


def test_no_figure_of_the_past_knows_the_future(walked: Walk, tmp_path: Path) -> None:
    items, whole = walked
    cut = len(items) // 2
    future = long_walk(2.0, seed=99)
    newest = items[cut - 1].received_at - future[0].received_at
    lake = lake_of(tmp_path, [*items[:cut], *(moved(item, newest) for item in future if isinstance(item, Message))])
    build(lake, "ticker", "tilt")
    past = {name: table for name, table in all_rows(lake).items() if name in ("quotes", "insights")}
    until = pd.Timestamp(items[cut - 1].received_at, tz="UTC") - pd.Timedelta("1us")
    for name, table in past.items():
        seen, known = table[table.time < until], whole[name][whole[name].time < until]
        pd.testing.assert_frame_equal(seen.reset_index(drop=True), known.reset_index(drop=True), check_exact=True)
    bars = all_rows(lake)["bars"]
    ends = bars.start + pd.to_timedelta(bars.length.replace({"1m": "1min", "5m": "5min", "1h": "1h"}))
    merged = bars[ends < until].merge(whole["bars"], how="left", indicator=True)
    assert len(merged) > 20
    assert (merged._merge == "both").all()


def moved(item: Message, by: int) -> Message:
    """The same message so many nanoseconds later, and with higher numbers."""
    text = item.data.decode()
    at = text.split('"time":"')[1].split('"')[0]
    later = datetime.fromisoformat(at) + timedelta(microseconds=by // 1000)
    sequence = text.split('"sequence":')[1].split(",")[0]
    text = text.replace(at, later.isoformat()).replace(f'"sequence":{sequence}', f'"sequence":{int(sequence) + 10**6}')
    return Message(item.received_at + by, text.encode())


def test_bars_are_those_of_a_slow_definition(walked: Walk) -> None:
    tables = walked[1]
    for name, rule in {"1m": "1min", "5m": "5min", "1h": "1h"}.items():
        for product_id, insights in tables["insights"].groupby("product_id"):
            mids = insights.set_index("time").mid_price.resample(rule)
            slow = mids.agg(["first", "max", "min", "last", "mean", "count"])
            slow["spread"] = insights.set_index("time").spread.resample(rule).max()
            slow = slow[slow["count"] > 0].iloc[:-1]
            bars = of(tables["bars"], product_id, name)
            assert list(bars.start) == list(slow.index)
            for column, figure in zip(("open", "high", "low", "close"), ("first", "max", "min", "last"), strict=True):
                assert list(bars[column]) == list(slow[figure])
            assert bars["mean"].to_numpy() == pytest.approx(slow["mean"].to_numpy(), rel=1e-12)
            assert bars.max_spread.to_numpy() == pytest.approx(slow.spread.to_numpy(), rel=1e-9)
            assert list(bars.quotes) == list(slow["count"])


def test_seconds_covered_are_those_of_a_slow_definition(walked: Walk) -> None:
    tables = walked[1]
    for product_id, quotes in tables["quotes"].groupby("product_id"):
        times = quotes.time.astype("int64").to_numpy()
        heard = [None if pd.isna(at) else at.value // 1000 for at in quotes.heard_until]
        stood = []
        for number in range(1, len(times)):
            end = times[number] if heard[number] is None else min(max(heard[number], times[number - 1]), times[number])
            stood.append((times[number - 1], end))
        for bar in of(tables["bars"], product_id).itertuples():
            start = bar.start.value // 1000
            end = start + {"1m": 60, "5m": 300, "1h": 3600}[bar.length] * 1_000_000
            slow = sum(max(0, min(end, until) - max(start, since)) for since, until in stood)
            assert bar.seconds_covered == slow / 1e6


def test_scores_are_those_of_a_slow_definition(walked: Walk) -> None:
    tables = walked[1]
    assert len(tables["scores"]) == 6
    for product_id, insights in tables["insights"].groupby("product_id"):
        times = insights.time.astype("int64").to_numpy()
        quotes = of(tables["quotes"], product_id)
        heard = [None if pd.isna(at) else at.value // 1000 for at in quotes.heard_until]
        outcomes = list(slow_outcomes(times, heard, insights))
        for score in of(tables["scores"], product_id).itertuples():
            since = score.hour.value // 1000
            here = [each for each in outcomes if since <= each[0] < since + 3_600_000_000]
            known = [each for each in here if each[1] is not None]
            assert (score.scored, score.unscored) == (len(known), len(here) - len(known))
            assert score.error == pytest.approx(sum(each[1] for each in known) / len(known), rel=1e-9)
            assert score.error_of_last == pytest.approx(sum(each[2] for each in known) / len(known), rel=1e-9)
            assert score.skill == pytest.approx(1 - score.error / score.error_of_last, rel=1e-9)
            banded = [each for each in known if not pd.isna(each[3])]
            assert score.banded == len(banded)
            assert score.band_hit_rate == pytest.approx(sum(each[1] <= each[3] for each in banded) / len(banded))


def slow_outcomes(times: Any, heard: list[int | None], insights: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Target time, error, error of nothing changes and band of each forecast whose time has come."""
    mids, forecasts, bands = (insights[name].to_numpy() for name in ("mid_price", "forecast", "band"))
    for made in range(len(times)):
        target = times[made] + 60_000_000
        after = next((number for number in range(made + 1, len(times)) if times[number] > target), None)
        if after is None:
            return
        until = heard[after]
        if until is not None and target >= max(until, times[after - 1]):
            yield target, None, None, bands[made]
        else:
            truth = mids[after - 1]
            yield target, abs(truth - forecasts[made]), abs(truth - mids[made]), bands[made]


def test_another_channel_or_forecaster_than_before_is_refused(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])
    build(lake, "ticker", "tilt", at_once=AtOnce(100, 50))
    journal = Segments(tmp_path / "journal")
    journal.write(walked[0][300])
    journal.sync()
    Landing(Raw(lake), tmp_path / "journal").land(journal.durable)
    journal.close()
    with pytest.raises(UsageError, match="built from the channel ticker"):
        build(lake, "level2", "tilt")
    with pytest.raises(UsageError, match="built with the forecaster tilt"):
        build(lake, "ticker", "trend")
    list(set_aside(lake, BUILT))
    build(lake, "ticker", "trend")
    assert set(rows(lake, INSIGHTS).forecaster) == {"trend"}
    assert list((tmp_path / "_aside" / "1" / "_memory").iterdir())


def test_a_channel_that_was_not_collected_is_refused_before_anything_is_made(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])

    with pytest.raises(UsageError, match="holds messages of ticker_batch or ticker, and none of level2") as refused:
        build(lake, "level2", "tilt")

    assert refused.value.hint == "Say which channel was collected: --channel ticker_batch"
    assert build(lake, "ticker", "tilt")["quotes"] > 0


def test_a_log_may_be_named_before_anything_has_landed(tmp_path: Path) -> None:
    Raw(str(tmp_path), create=True)

    assert build(str(tmp_path), "ticker", "tilt", log="raw/0")["quotes"] == 0


def test_of_several_logs_one_must_be_named(walked: Walk, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, walked[0][:300])
    from coinbase_insights.lake.rows import rows as rows_of

    Raw(lake).land("topic/0", 0, [rows_of("topic/0", 0, [b"1\t{}\n"], None)])
    with pytest.raises(UsageError, match="holds the logs journal, topic/0"):
        build(lake, "ticker", "tilt")
    build(lake, "ticker", "tilt", log="journal")
    assert len(rows(lake, QUOTES)) > 100


def test_prices_and_sizes_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    text = (
        '{"type":"ticker","sequence":1,"product_id":"MOG-USD","time":"2026-04-05T22:30:01Z","best_bid":"0.0000003125",'
        '"best_bid_size":"123456789012.5","best_ask":"0.0000003130","best_ask_size":"90000001.12345678","price":"1"}'
    )
    beat = '{"type":"heartbeat","product_id":"MOG-USD","sequence":1,"time":"2026-04-05T22:30:00Z"}'
    at = ns(datetime(2026, 4, 5, 22, 30, tzinfo=UTC))
    items: list[Item] = [Opened(at, "ws://x"), Message(at, beat.encode()), Message(at + 10**9, text.encode())]
    lake = lake_of(tmp_path, items)
    build(lake, "ticker", "tilt")
    (row,) = rows(lake, QUOTES).to_dict("records")
    assert f"{row['best_bid'].normalize():f}" == "0.0000003125"
    assert f"{row['best_ask_size'].normalize():f}" == "90000001.12345678"
    pipe = Pipe(channel="ticker")
    (insight,) = [by_name(product.insight()) for item in items for product in pipe.take(item)]
    (made,) = rows(lake, INSIGHTS).to_dict("records")
    assert (made["forecast"], made["mid_price"]) == (insight["forecast"], insight["mid_price"])


def ticker(sequence: int, at: datetime, cents: int) -> Message:
    text = (
        f'{{"type":"ticker","sequence":{sequence},"product_id":"ETH-USD","time":"{at.isoformat()}",'
        f'"best_bid":"{cents / 100:.2f}","best_ask":"{cents / 100 + 0.02:.2f}","price":"1"}}'
    )
    return Message(ns(at), text.encode())


def test_row_37_late_and_overlapping_data_across_midnight_and_the_end_of_a_month(tmp_path: Path) -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    quotes = [
        ticker(1000 + number, midnight + timedelta(seconds=2 * number), 200_000 + number) for number in range(-60, 120)
    ]
    beats = f'{{"type":"heartbeat","product_id":"ETH-USD","time":"{(midnight - timedelta(seconds=125)).isoformat()}"}}'
    first: list[Item] = [Opened(quotes[0].received_at, "ws://x"), Message(quotes[0].received_at, beats.encode())]
    late = Message(quotes[100].received_at, quotes[50].data)
    once = lake_of(tmp_path / "once", [*first, *quotes])
    again = lake_of(
        tmp_path / "again",
        [*first, *quotes[:101], late, Lost(1, "closed"), Opened(2, "ws://x"), *quotes[80:]],
    )
    for lake in (once, again):
        build(lake, "ticker", "tilt", at_once=SMALL)
        build(lake, "ticker", "tilt", at_once=SMALL)
    bars = of(rows(once, BARS), "ETH-USD", "1m")
    assert [f"{at:%m-%d %H:%M}" for at in bars.start] == [
        "02-28 23:58", "02-28 23:59", "03-01 00:00", "03-01 00:01", "03-01 00:02"
    ]  # fmt: skip
    assert list(bars.quotes) == [30] * 5
    assert len(rows(once, QUOTES)) == len(quotes)
    columns = ["product_id", "time", "sequence", "best_bid", "best_ask"]
    pd.testing.assert_frame_equal(rows(again, QUOTES)[columns], rows(once, QUOTES)[columns])
    assert list(of(rows(again, BARS), "ETH-USD", "1m").quotes) == [30] * 5


def test_every_figure_has_its_column() -> None:
    assert {column.name for column in INSIGHTS.columns} - set(FIGURES) == {"product_id", "forecaster", "time"}


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    walk = long_walk(0.1)
    lake = lake_of(tmp_path, [*walk, *walk[-20:]])

    done = subprocess.run((*PROGRAM, "build", lake, "--channel", "ticker"), capture_output=True, text=True, check=True)

    assert re.search(r"^left out: .*\d+ duplicates", done.stderr, re.MULTILINE)
