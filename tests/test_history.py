"""The tables of a lake for the API: pages that add up, whatever is added meanwhile, and words for what cannot be."""

import json
import re
import shutil
import string
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv
from starlette.datastructures import QueryParams

from coinbase_insights.errors import DamagedError, UsageError
from coinbase_insights.lake.answer import json_lines
from coinbase_insights.lake.ask import ask
from coinbase_insights.lake.build import build
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.parts import Part
from coinbase_insights.lake.repair import set_aside
from coinbase_insights.lake.tables import BARS, BUILT, schema
from coinbase_insights.lake.times import Times
from coinbase_insights.serve import history as served
from coinbase_insights.serve.asked import SHOWN, Choice, Cursor, NoPageError, Order, choice_of
from coinbase_insights.serve.history import History, Page
from lakes import lake_of, long_walk
from site_of import Site, serving


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("table", SHOWN)
def test_pages_of_a_table_add_up_to_what_sql_says(table: str, order: str, site: Site, built: str) -> None:
    expected = sorted(zoned(line) for line in json_lines(ask(built, f"select * from {table}")))
    limit = min(len(expected) // 3 + 1, 10_000)
    rows: list[Any] = []
    path = f"/api/{table}?limit={limit}&order={order}"
    while path:
        _, headers, body = site.ask(path)
        page = json.loads(body)
        rows += page["rows"]
        path = headers.get("link", "").partition(">")[0].removeprefix("<")
        assert (page["next"] or "") == path.partition("after=")[2]

    times = [row[SHOWN[table].time] for row in rows]
    assert sorted(map(json.dumps, rows)) == expected
    assert times == sorted(times, reverse=order == "desc")


def zoned(line: str) -> str:
    """Give a line of `sql`, whose times are UTC, with times that say so, and have all their digits."""

    def whole(found: re.Match[str]) -> str:
        return f'"{found[1]}{found[2] or ".000000"}Z"'

    return re.sub(r'"(\d{4}-\d\d-\d\dT[\d:]+)(\.\d{6})?"', whole, line)


MINUTES = st.lists(st.integers(0, 5), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(MINUTES, min_size=1, max_size=6), limit=st.integers(1, 9), order=st.sampled_from(get_args(Order)))
def test_pages_are_the_whole_answer_as_it_was_made_though_rows_are_added_meanwhile(
    parts: list[list[int]], limit: int, order: Order
) -> None:
    with TemporaryDirectory() as lake:
        bars = Delta(lake, BARS, create=True)
        for number, minutes in enumerate(parts):
            _add_bars(bars, [3 * number + minute for minute in minutes])  # Parts overlap, and times come twice.
        history, choice = History(lake), Choice("bars", limit=limit, order=order)
        made = [3 * number + minute for number, minutes in enumerate(parts) for minute in minutes]
        rows, page = [], page_of(history, choice)
        while True:
            rows += json.loads(page.body)["rows"]
            if page.following is None:
                break
            if bars.landed("bars") < len(made) + 5:
                _add_bars(bars, [rows[-1]["quotes"]])  # Of the very time at which the page has ended.
            page = page_of(history, choice_of("bars", _parameters(limit=limit, order=order, after=page.following)))

    as_made = sorted(range(len(made)), key=lambda row: (made[row], row), reverse=order == "desc")
    assert [row["close"] for row in rows if row["close"] < len(made)] == as_made
    assert len({row["close"] for row in rows}) == len(rows)
    assert order == "asc" or len(rows) == len(made)


def test_a_page_reads_no_part_of_another_time(tmp_path: Path) -> None:
    bars = Delta(str(tmp_path), BARS, create=True)
    for number in range(20):
        _add_bars(bars, range(10 * number, 10 * number + 10))
    history, choice = History(str(tmp_path)), Choice("bars", limit=10)
    first, newest = page_of(history, choice), page_of(history, choice._replace(order="desc"))
    for part in bars.parts()[7:-7]:
        (tmp_path / "bars" / part.name).unlink()

    second = page_of(history, choice_of("bars", _parameters(limit=10, after=first.following)))
    before = page_of(history, choice_of("bars", _parameters(limit=10, order="desc", after=newest.following)))

    assert [row["quotes"] for row in json.loads(second.body)["rows"]] == list(range(10, 20))
    assert [row["quotes"] for row in json.loads(before.body)["rows"]] == list(range(189, 179, -1))
    with pytest.raises(DamagedError, match="is gone"):
        page_of(history, choice._replace(limit=200))


def test_of_two_who_ask_at_once_one_reads_the_parts_that_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars, reads = Delta(str(tmp_path), BARS, create=True), list[str]()
    for number in range(5):
        _add_bars(bars, [number])

    def read(table: Delta, part: Part) -> bytes:
        reads.append(part.name)
        time.sleep(0.01)
        return bytes_of(table, part)

    bytes_of, times = Delta.bytes_of, Times("start")
    monkeypatch.setattr(Delta, "bytes_of", read)
    with ThreadPoolExecutor(4) as asking:
        list(asking.map(times.look, [Delta(str(tmp_path), BARS) for _ in range(4)]))

    assert sorted(reads) == sorted(part.name for part in bars.parts())


def page_of(history: History, choice: Choice) -> Page:
    page = history.answer(choice).page
    assert page is not None
    return page


def _add_bars(bars: Delta, minutes: Iterable[int]) -> None:
    """Add a bar of a minute each, of one product and another in turn; its close is its place in the table."""
    landed = bars.landed("bars")
    rows = [
        dict.fromkeys(("open", "high", "low", "mean", "max_spread", "seconds_covered"), 1.0)
        | {"product_id": f"{'AB'[number % 2]}-USD", "length": "1m", "quotes": minute, "close": float(landed + number)}
        | {"start": datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=minute)}
        for number, minute in enumerate(minutes)
    ]
    bars.land("bars", landed, [pa.Table.from_pylist(rows, schema(BARS))])


def _parameters(**values: object) -> QueryParams:
    return QueryParams({name: str(value) for name, value in values.items()})


CURSOR = Cursor("bars", "that table", 1_775_430_000_000_000, 7)


@given(
    st.text(string.ascii_letters + string.digits + "-_=+/ ", max_size=90)
    | st.binary(max_size=60).map(lambda found: urlsafe_b64encode(found).decode().rstrip("="))
)
def test_only_what_we_wrote_ourselves_is_a_place(text: str) -> None:
    found = None
    with suppress(UsageError):
        found = choice_of("bars", _parameters(after=text)).after

    assert found is None or found.text == text


def test_what_we_wrote_is_read() -> None:
    assert choice_of("bars", _parameters(after=CURSOR.text)).after == CURSOR


def test_rows_are_chosen_by_product_length_and_time(site: Site, built: str) -> None:
    found = site.json(
        "/api/bars?product_id=ETH-USD&length=1m&start=2026-04-05T23:00:00Z&end=2026-04-06T01:00:00%2B01:00"
    )

    starts = [row["start"] for row in found["rows"]]
    expected = ask(
        built,
        "select start from bars where product_id = 'ETH-USD' and length = '1m' and start >= '2026-04-05 23:00:00' "
        "and start < '2026-04-06 00:00:00' order by 1",
    )
    assert starts == [json.loads(zoned(line))["start"] for line in json_lines(expected)]
    assert len(starts) > 10


def test_every_format_holds_the_same_rows(site: Site) -> None:
    rows = site.json("/api/bars?length=5m")["rows"]
    found = {name: site.ask(f"/api/bars?length=5m&format={name}") for name in ("csv", "arrow", "parquet")}

    tables = [
        csv.read_csv(BytesIO(found["csv"][2])),
        pa.ipc.open_stream(found["arrow"][2]).read_all(),
        pq.read_table(BytesIO(found["parquet"][2])),
    ]
    for table in tables:
        assert table.column("close").to_pylist() == pytest.approx([row["close"] for row in rows], rel=1e-15)
    assert found["csv"][1]["content-type"].startswith("text/csv")
    assert found["csv"][1]["content-disposition"] == 'attachment; filename="bars.csv"'


@pytest.mark.parametrize("table", SHOWN)
def test_every_row_is_as_the_description_of_the_api_says(table: str, site: Site) -> None:
    described = site.json("/api/openapi.json")["components"]["schemas"][table]
    rows = site.json(f"/api/{table}")["rows"]

    for row in rows:
        jsonschema.validate(row, described, format_checker=jsonschema.FormatChecker())
    assert {*rows[0]} == {*described["properties"]}


def test_columns_are_given_as_they_are_named_on_every_page(site: Site) -> None:
    first = site.json("/api/bars?columns=close,start&limit=3&order=desc")
    second = site.json(f"/api/bars?columns=close,start&limit=3&order=desc&after={first['next']}")
    whole = site.json("/api/bars?limit=6&order=desc")["rows"]

    rows = first["rows"] + second["rows"]
    assert rows == [{"close": row["close"], "start": row["start"]} for row in whole]
    assert [*rows[0]] == ["close", "start"]


def test_every_page_of_bars_that_begin_together_has_others(site: Site) -> None:
    rows: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = site.json(f"/api/bars?limit=7{after and '&after='}{after}")
        rows, after = rows + page["rows"], page["next"]

    assert len({(row["product_id"], row["length"], row["start"]) for row in rows}) == len(rows) > 100


def test_a_table_that_was_made_anew_is_sent_again_and_its_pages_begin_anew(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    history = History(lake)
    before, page = history.answer(Choice("scores")).tag, page_of(history, Choice("bars", limit=3))
    list(set_aside(lake, BUILT))

    build(lake, "ticker", "trend")

    again = page_of(history, Choice("bars", limit=3))
    assert history.answer(Choice("scores"), before).page is not None
    assert json.loads(again.body)["table_id"] != json.loads(page.body)["table_id"]
    with pytest.raises(NoPageError, match="was made anew"):
        page_of(history, choice_of("bars", _parameters(limit=3, after=page.following)))


def test_a_damaged_lake_is_said_again_and_again_and_stops_nothing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(0.5))
    build(lake, "ticker", "tilt")
    part = next((tmp_path / "bars").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9] + bytes(9))

    with serving("--lake", lake) as site:
        got = {site.ask("/api/bars?limit=10000")[0] for _ in range(60)}
        assert site.ask("/healthz")[0] == 200
        assert "is damaged" in site.json("/api/lake")["trouble"]

    assert got == {503}


def test_what_is_live_is_shown_before_there_is_a_lake_and_the_lake_when_there_is_one(
    built: str, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    with serving("--from", built, "--channel", "ticker", "--speed", "max", "--lake", str(lake)) as site:
        before = site.ask("/api/bars")[0]
        shutil.copytree(built, lake)

        assert (before, site.json("/api/products")["has_live"]) == (503, True)
        assert len(site.json("/api/bars")["rows"]) > 100


def test_gaps_of_a_product_are_those_of_its_connection_too(site: Site) -> None:
    of_all = [row for row in site.json("/api/gaps")["rows"] if row["product_id"] == "*"]
    of_one = [row for row in site.json("/api/gaps?product_id=ETH-USD")["rows"] if row["product_id"] == "*"]

    assert of_one == of_all != []


def test_what_has_not_changed_is_not_sent_again(site: Site, built: str) -> None:
    tag = site.ask("/api/bars")[1]["etag"]

    assert site.ask("/api/bars", If_None_Match=tag)[::2] == (304, b"")
    assert site.ask("/api/bars?length=1m", If_None_Match=tag)[0] == 200


def test_rows_and_their_tag_are_of_one_table_that_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars, opened = Delta(str(tmp_path), BARS, create=True), list[Delta]()
    history, choice = History(str(tmp_path)), Choice("bars")

    def open_and_add(*given: Any) -> Delta:
        opened.append(Delta(*given))
        _add_bars(bars, [1])  # As a build does that goes on meanwhile.
        return opened[-1]

    monkeypatch.setattr(served, "Delta", open_and_add)
    empty = history.answer(choice)

    assert (len(opened), json.loads(empty.page.body)["rows"] if empty.page else None) == (1, [])
    assert history.answer(choice, empty.tag).page is not None


def test_another_program_gives_another_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add_bars(Delta(str(tmp_path), BARS, create=True), [1])
    history = History(str(tmp_path))
    tag = history.answer(Choice("bars")).tag

    assert history.answer(Choice("bars"), f'W/"x", {tag}') == (tag, None)
    monkeypatch.setattr(served, "__version__", "0.0.1")
    assert history.answer(Choice("bars")).tag != tag


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/bars?length=2m", "is no length of bars"),
        ("/api/bars?limit=0", "is no limit"),
        ("/api/bars?limit=1e3", "is no limit"),
        ("/api/bars?product_id=%3Cscript%3E", "is not a product id"),
        ("/api/bars?start=yesterday", "is no time"),
        ("/api/bars?end=0001-01-01T00:00:00%2B23:00", "is no time"),
        ("/api/bars?format=exe", "is no format"),
        ("/api/bars?order=up", "is no order"),
        ("/api/bars?limit=1&limit=2", "'limit' is there more than once."),
        ("/api/stream?product_id=ETH-USD&product_id=BTC-USD", "'product_id' is there more than once."),
        ("/api/bars?columns=start,price", "'price' is no column of bars"),
        ("/api/bars?columns=", "'' is no column of bars"),
        ("/api/bars?after=1000", "is no after of bars"),
        (f"/api/bars?after={CURSOR.text}A", "is no after"),
        (f"/api/bars?after={CURSOR.text}%3D", "is no after"),
        (f"/api/gaps?after={CURSOR.text}", "is no after"),
        ("/api/bars?where=1", "is no parameter of bars"),
        ("/api/gaps?length=1m", "is no parameter of gaps"),
        ("/api/stream?product_id=%3Cscript%3E", "is not a product id"),
        ("/api/stream?products=ETH-USD", "is no parameter of the stream"),
        ("/api/insights/..%2f..%2fetc", "there is nothing here"),
        ("/api/insights/eth-usd", "is not a product id"),
        ("/api/insights/XXX-YYY", "is not followed here"),
        ("/api/chart/XXX-YYY", "is not followed here"),
        ("/../../etc/passwd", "there is nothing here"),
        ("/page.css/..%00", "there is nothing here"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(path: str, said: str, site: Site) -> None:
    status, _, body = site.ask(path)

    assert status in (400, 404)
    assert said in json.loads(body)["error"]
