"""The lake's table `raw`: every line once, in order, whoever is killed when."""

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinbase_insights.errors import DamagedError, LockedError, StorageError
from coinbase_insights.lake import reaching, tail
from coinbase_insights.lake.ask import OpenTables
from coinbase_insights.lake.compact import FEWEST, compact, worth_joining
from coinbase_insights.lake.gaps import gaps
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.parts import Part
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.rows import items, rows
from coinbase_insights.lake.tail import Tail
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.journal import encode, read
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Lost, Message, Opened, Unstored

RECORDINGS = [
    "exchange_2026-04-05_BTC-USD_ticker_batch_derived", "exchange_2021-04-17_10_products",
    "advanced_2026-08-09_BTC_ETH_all_channels",
]  # fmt: skip


def message(number: int) -> Message:
    text = b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number
    return Message(1_700_000_000_123_456_789 + number, text)


def journal_of(folder: Path, written: list[Item]) -> Segments:
    journal = Segments(folder)
    for item in written:
        journal.write(item)
    journal.sync()
    return journal


def items_in(raw: Raw) -> list[Item]:
    return [item for part in raw.parts() for batch in raw.read(part).to_batches() for item in items(batch)]


frames = st.binary(max_size=60) | st.sampled_from([b"", b"#", b"\n", b"\xff", b'{"type":"ticker"}', b"\0", b"\r\n"])
stamps = st.integers(0, 2**63 - 1)
everything = st.lists(
    st.builds(Message, stamps, frames)
    | st.just(Opened(5, "ws://x"))
    | st.just(Lost(6, "torn", messages=3))
    | st.just(Unstored(7, 2)),
    min_size=1,
    max_size=30,
)


@given(everything)
def test_what_becomes_rows_is_read_back_byte_for_byte(written: list[Item]) -> None:
    table = rows(LOG, 0, [encode(item) for item in written], None)
    assert [item for batch in table.to_batches() for item in items(batch)] == written


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_real_recording_lands_and_is_read_back_byte_for_byte(name: str, shared_data: Path, tmp_path: Path) -> None:
    written = list(read(shared_data / f"{name}.rec"))
    journal = journal_of(tmp_path / "journal", written)
    raw = Raw(str(tmp_path / "lake"), create=True)
    Landing(raw, tmp_path / "journal").land(journal.durable)
    journal.close()
    assert items_in(Raw(str(tmp_path / "lake"))) == written


def test_the_columns_say_what_a_message_is_of(tmp_path: Path) -> None:
    told: list[Item] = [
        Message(1, b"early"),
        Opened(2, "ws://x"),
        message(7),
        Message(
            4, b'{"channel":"l2_data","sequence_num":0,"events":[{"product_id":"BTC-USD"},{"product_id":"A-USD"}]}'
        ),
        Lost(5, "torn"),
    ]
    table = rows(LOG, 10, [encode(item) for item in told], None).to_pydict()
    assert table["offset"] == [10, 11, 12, 13, 14]
    assert table["connection"] == [None, 11, 11, 11, 11]
    assert table["product_id"] == [None, None, "ETH-USD", None, None]
    assert table["channel"] == [None, "#", "ticker", "level2", "#"]
    assert table["sequence"] == [None, None, 7, 0, None]
    assert table["message"][-1] == "#lost torn"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
@settings(max_examples=10)
def test_in_however_many_steps_it_lands_each_line_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("steps")
    journal, written = Segments(folder / "journal", segment_bytes=1000), list[Item]()
    for count in steps:
        for _ in range(count):
            written.append(message(len(written)))
            journal.write(written[-1])
        journal.sync()
        landing = Landing(Raw(str(folder / "lake"), create=True), folder / "journal")
        landing.land(journal.durable)
        journal.drop(landing.landed)
    journal.close()
    raw = Raw(str(folder / "lake"))
    assert items_in(raw) == written
    assert raw.landed(LOG) == len(written)


def test_a_segment_that_has_landed_and_is_gone_is_no_trouble(tmp_path: Path) -> None:
    journal = Segments(tmp_path / "journal", segment_bytes=1)
    landing = Landing(Raw(str(tmp_path / "lake"), create=True), tmp_path / "journal")
    for number in range(5):
        journal.write(message(number))
        journal.sync()  # A segment for each line.
        landing.land(journal.durable)
        journal.drop(landing.landed)
    journal.close()
    assert items_in(Raw(str(tmp_path / "lake"))) == [message(number) for number in range(5)]


def test_what_lands_while_a_lake_is_read_is_read_from_there(tmp_path: Path) -> None:
    journal = Segments(tmp_path / "journal", segment_bytes=1)
    landing, written = Landing(Raw(str(tmp_path), create=True), tmp_path / "journal"), list[Item]()

    def write(count: int) -> None:
        for _ in range(count):
            written.append(message(len(written)))
            journal.write(written[-1])
            journal.sync()

    write(3)
    landing.land(2)
    reading = collected(str(tmp_path))
    read_first = [next(reading), next(reading)]
    write(5)
    landing.land(7)
    journal.drop(7)
    assert [*read_first, *reading] == written
    journal.close()


anything = st.fixed_dictionaries({}, optional={
    "type": st.text(max_size=5), "channel": st.text(max_size=5), "product_id": st.text(max_size=8),
    "sequence": st.integers(), "sequence_num": st.integers(),
})  # fmt: skip


@given(st.lists(anything.map(lambda fields: json.dumps(fields).encode()) | st.binary(max_size=50), min_size=1))
def test_any_message_becomes_a_row(texts: list[bytes]) -> None:
    lines = [encode(Message(10**18, text)) for text in texts]
    assert len(rows(LOG, 0, lines, None)) == len(lines)


def test_two_threads_that_land_at_once_land_each_line_once(tmp_path: Path) -> None:
    written: list[Item] = [message(number) for number in range(20_000)]
    journal = journal_of(tmp_path / "journal", written)
    landing = Landing(Raw(str(tmp_path / "lake"), create=True), tmp_path / "journal")
    with ThreadPoolExecutor(4) as threads:
        for until in (5_000, 10_000, 20_000, 15_000):
            threads.submit(landing.land, until).add_done_callback(lambda done: done.result())
    journal.close()
    assert items_in(Raw(str(tmp_path / "lake"))) == written


def test_parts_are_joined_and_no_row_changes(tmp_path: Path) -> None:
    journal, raw = Segments(tmp_path / "journal"), Raw(str(tmp_path / "lake"), create=True)
    landing = Landing(raw, tmp_path / "journal")
    written: list[Item] = [message(number) for number in range(3 * FEWEST)]
    for item in written:
        journal.write(item)
        journal.sync()
        landing.land(journal.durable)
    compact(raw)
    journal.close()
    assert len(raw.parts()) < FEWEST
    assert items_in(raw) == written
    raw.clean(hours=0)
    assert items_in(Raw(str(tmp_path / "lake"))) == written
    assert len(list((tmp_path / "lake" / "raw").glob("*.parquet"))) == len(raw.parts())
    assert raw.landed(LOG) == len(written)


def in_parts(folder: Path, count: int = FEWEST) -> tuple[list[Item], str]:
    """A lake of so many parts of three lines each."""
    written: list[Item] = [Opened(1, "ws://x"), *map(message, range(3 * count - 1))]
    raw, journal = Raw(str(folder), create=True), Segments(folder / "journal")
    for item in written:
        journal.write(item)
        if journal.end % 3 == 0:
            journal.sync()
            Landing(raw, folder / "journal").land(journal.durable)
    journal.close()
    return written, str(folder)


def join_and_clean(lake: str) -> None:
    """What a service does within hours: one part in the place of all, which are gone."""
    raw = Raw(lake, create=True)
    compact(raw)
    raw.clean(hours=0)


def test_whoever_reads_goes_on_where_parts_were_joined_and_cleaned_away(tmp_path: Path) -> None:
    _, lake = in_parts(tmp_path)
    reading = Raw(lake).rows(1, 25, LOG)
    first = next(reading)
    join_and_clean(lake)
    assert [offset for table in (first, *reading) for offset in table["offset"].to_pylist()] == list(range(1, 25))


def test_a_part_that_the_newest_version_names_and_that_is_gone_is_damage(tmp_path: Path) -> None:
    _, lake = in_parts(tmp_path)
    raw = Raw(lake)
    join_and_clean(lake)
    (joined,) = Raw(lake).parts()
    (tmp_path / "raw" / joined.name).unlink()
    with pytest.raises(DamagedError, match="is gone"):
        list(raw.rows(0, 30, LOG))


def test_rows_of_a_table_that_was_made_anew_are_not_taken_for_those_of_the_one_before(tmp_path: Path) -> None:
    _, lake = in_parts(tmp_path)
    raw = Raw(lake)
    shutil.rmtree(tmp_path / "raw")
    shutil.rmtree(tmp_path / "journal")
    in_parts(tmp_path, 2 * FEWEST)
    join_and_clean(lake)
    with pytest.raises(DamagedError, match="is gone"):
        list(raw.rows(0, 30, LOG))


def test_verify_and_gaps_and_sql_find_all_where_parts_were_joined_and_cleaned_away(tmp_path: Path) -> None:
    written, lake = in_parts(tmp_path)
    raw, opened = Raw(lake), OpenTables(lake)
    report = verify(lake, tmp_path / "journal", lambda done, _: join_and_clean(lake) if done == 2 else None)
    assert (report.faults, report.rows) == ([], len(written))
    assert [gap.cause for gap in gaps(raw)] == []
    assert items_in(raw) == written
    answer = opened.ask('select "offset", message from raw order by 1').read_all().to_pylist()
    assert [row["offset"] for row in answer] == list(range(len(written)))


def test_the_second_of_two_writers_is_refused_and_doubles_nothing(tmp_path: Path) -> None:
    raw, late = Raw(str(tmp_path), create=True), Raw(str(tmp_path))
    raw.land(LOG, 0, [rows(LOG, 0, [encode(message(0))], None)])
    more = rows(LOG, 0, [encode(message(0)), encode(message(1))], None)
    with pytest.raises(LockedError):
        late.land(LOG, 0, [more])
    assert items_in(Raw(str(tmp_path))) == [message(0)]
    with pytest.raises(StorageError, match="has come to 1"):
        late.land(LOG, 0, [more])


def test_a_commit_that_was_done_though_its_answer_was_lost_is_known_by_its_part(tmp_path: Path) -> None:
    raw, again = Raw(str(tmp_path), create=True), Raw(str(tmp_path))
    table = rows(LOG, 0, [encode(message(0))], None)
    assert raw.land(LOG, 0, [table]) == again.land(LOG, 0, [table])
    assert items_in(Raw(str(tmp_path))) == [message(0)]


def test_a_journal_that_is_behind_the_lake_is_not_landed_over_it(tmp_path: Path) -> None:
    raw = Raw(str(tmp_path / "lake"), create=True)
    raw.land(LOG, 0, [rows(LOG, 0, [encode(message(0))], None)])
    with pytest.raises(StorageError, match="would go on at 5"):
        raw.land(LOG, 5, [rows(LOG, 5, [encode(message(5))], None)])


def test_a_part_that_has_changed_is_not_read(tmp_path: Path) -> None:
    raw = Raw(str(tmp_path), create=True)
    part = raw.land(LOG, 0, [rows(LOG, 0, [encode(message(0))], None)])
    assert part is not None
    path = tmp_path / "raw" / part.name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StorageError, match="damaged"):
        raw.read(part)


def test_no_lake_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no lake"):
        Raw(str(tmp_path))


@given(st.lists(st.integers(1, 100_000), max_size=40))
def test_what_is_joined_follows_each_other_and_is_worth_it(sizes: list[int]) -> None:
    parts, first = [], 0
    for size in sizes:
        parts.append(Part("journal", first, size, "0" * 64))
        first += size
    run = worth_joining(parts, {})
    assert all(one.end == other.first for one, other in pairwise(run))
    assert not run or (len(run) >= FEWEST and run[0].rows <= sum(part.rows for part in run[1:]))


@pytest.mark.parametrize("log", ["journal", "topic-a/3", "~x.y_z%-"])
def test_a_part_is_named_after_what_it_holds(log: str) -> None:
    part = Part.of(log, 1440, 60, b"bytes")
    assert Part.parse(part.name) == part
    assert (part.fits(b"bytes"), part.fits(b"Bytes")) == (True, False)


@pytest.mark.parametrize(("place", "is_said"), [("s3://bucket/lake", True), ("lake", False)])
def test_a_store_that_says_nothing_for_long_is_waited_for_aloud(
    place: str, is_said: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reaching, "SLOW", 0.01)
    with reaching.reaching(place):
        for waiting in threading.enumerate():
            if isinstance(waiting, threading.Timer):
                waiting.join(30)

    assert ("s3://bucket/lake has not answered" in caplog.text) is is_said


def test_what_cannot_be_read_now_is_neither_taken_for_ours_nor_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Segments(tmp_path / "journal")) as journal:
        journal.write(Opened(1, "ws://x"))
        journal.sync()
        Landing(Raw(str(tmp_path), create=True), tmp_path / "journal").land(journal.durable)
    raw = Raw(str(tmp_path))
    end = Tail(raw, LOG)

    def away(_: Part) -> None:
        raise StorageError("The store is away.")

    monkeypatch.setattr(raw, "_bytes_of", away)

    with pytest.raises(StorageError, match="The store is away"):
        end.is_last(b"1\t#opened ws://another")
    with pytest.raises(StorageError, match="The store is away"):
        end.refresh()


def test_after_a_landing_that_failed_behind_its_last_commit_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(raw: Raw) -> None:
        Raw(str(tmp_path)).land("another", 0, [raw.read(raw.parts()[0])])  # A commit that we have not seen.
        raise StorageError("The store is away.")

    with closing(Segments(tmp_path / "journal")) as journal:
        landing = Landing(Raw(str(tmp_path), create=True), tmp_path / "journal")
        with monkeypatch.context() as patch:
            patch.setattr(tail, "compact", away)
            patch.setattr(tail, "COMPACT_AFTER", 1)
            write_and_land(journal, landing, StorageError)
        write_and_land(journal, landing)

    assert landing.landed == 2


def write_and_land(journal: Segments, landing: Landing, *raised: type[StorageError]) -> None:
    journal.write(Opened(1, "ws://x"))
    journal.sync()
    with suppress(*raised):
        landing.land(journal.durable)
