"""The service: from a real socket into a journal and a lake, with signals, health and an exchange that misbehaves."""

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coinbase_insights import cli_lake, cli_talk
from coinbase_insights.collect import Collect, Pace, Standing
from coinbase_insights.errors import StorageError
from coinbase_insights.lake.gaps import gaps
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import Landing, Later, landing_of
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.mend import mend
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Lost, Message, Opened
from site_of import SilentStore

PROGRAM = [sys.executable, "-m", "coinbase_insights"]
QUICK = Pace(commit_seconds=0.05, commit_lines=20)


def message(number: int) -> Message:
    return Message(
        1_700_000_000_000_000_000 + number, b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number
    )


async def made_up(count: int, pause: float = 0.0) -> AsyncGenerator[Item]:
    yield Opened(1, "ws://x")
    for number in range(count):
        yield message(number)
        await asyncio.sleep(pause)
    yield Lost(2, "closed")


def collect_all(lake: Path, items: AsyncGenerator[Item], pace: Pace = QUICK, **options: int) -> list[Standing]:
    """Collect until the source ends; give what was told."""
    told: list[Standing] = []
    raw = Raw(str(lake), create=True)
    journal = Segments(lake / "journal", start=raw.landed("journal"), **options)
    asyncio.run(Collect(journal, Landing(raw, lake / "journal"), pace).run(items, None, told.append, 0.01))
    return told


def test_what_the_source_gave_is_in_the_lake_with_the_count_of_its_connection(tmp_path: Path) -> None:
    told = collect_all(tmp_path, made_up(300, 0.001))
    kept = list(collected(str(tmp_path)))
    assert kept == [Opened(1, "ws://x"), *map(message, range(300)), Lost(2, "closed", messages=300)]
    assert (told[-1].messages, told[-1].connections, told[-1].waiting) == (300, 1, 0)
    assert verify(str(tmp_path), tmp_path / "journal").is_whole


def test_with_a_second_run_the_offsets_go_on(tmp_path: Path) -> None:
    for _ in range(2):
        collect_all(tmp_path, made_up(10))
    report = verify(str(tmp_path), tmp_path / "journal")
    assert (report.faults, report.rows, report.connections) == ([], 24, 2)
    assert [gap.cause for gap in gaps(Raw(str(tmp_path)))] == ["closed", "closed"]


def test_each_message_may_be_synced_before_the_next(tmp_path: Path) -> None:
    told = collect_all(tmp_path, made_up(50, 0.001), Pace(commit_seconds=60, fsync_always=True))
    assert all(standing.journal_durable >= standing.messages for standing in told)


def test_a_journal_that_may_not_grow_counts_what_it_leaves_out(tmp_path: Path) -> None:
    told = collect_all(tmp_path, made_up(2000), Pace(commit_seconds=60), most_bytes=20_000)
    kept = [item for item in collected(str(tmp_path)) if isinstance(item, Message)]
    assert told[-1].unstored > 0
    assert len(kept) + told[-1].unstored == 2000
    assert verify(str(tmp_path), tmp_path / "journal").is_whole
    assert sum(gap.messages or 0 for gap in gaps(Raw(str(tmp_path)))) == told[-1].unstored


def test_a_lake_that_does_not_take_lines_is_tried_again_and_nothing_is_lost(tmp_path: Path) -> None:
    lake, told = tmp_path / "lake", list[Standing]()
    raw = Raw(str(lake), create=True)
    journal = Segments(tmp_path / "journal")
    away = lake / "raw"

    async def items() -> AsyncGenerator[Item]:
        yield Opened(1, "ws://x")
        away.rename(lake / "elsewhere")
        away.touch()
        for number in range(100):
            yield message(number)
        await wait_for(lambda: told and told[-1].lake_trouble and told[-1].late > 0.2)
        away.unlink()
        (lake / "elsewhere").rename(away)
        await wait_for(lambda: told[-1].landed >= 100)

    asyncio.run(Collect(journal, Landing(raw, tmp_path / "journal"), QUICK).run(items(), None, told.append, 0.01))
    assert (told[-1].lake_trouble, told[-1].late) == ("", 0.0)
    report = verify(str(lake), tmp_path / "journal")
    assert (report.faults, report.rows) == ([], 102)


def test_a_journal_that_is_full_has_room_again_once_it_has_landed(tmp_path: Path) -> None:
    told = collect_all(tmp_path, made_up(2000, 0.002), Pace(commit_seconds=0.1, commit_lines=50), most_bytes=20_000)
    assert told[-1].unstored > 0
    assert not told[-1].is_full
    assert verify(str(tmp_path), tmp_path / "journal").is_whole


def test_a_newest_part_that_is_damaged_does_not_keep_us_from_collecting(tmp_path: Path) -> None:
    collect_all(tmp_path, made_up(10))
    part = next((tmp_path / "raw").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    collect_all(tmp_path, made_up(20))
    kept = [item for item in collected(str(tmp_path)) if isinstance(item, Message)]
    assert kept == list(map(message, range(20)))
    assert next(gap.messages for gap in gaps(Raw(str(tmp_path)))) == 12


async def wait_for(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
def simulated() -> Iterator[str]:
    command = [*PROGRAM, "simulate", "--port", "0", "--speed", "20", "--faults", "close=1001@300"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        yield server.stderr.readline().split(" ")[2]
        server.terminate()
        server.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_keeps_what_comes_and_ends_in_two_seconds(
    simulated: str, tmp_path: Path, number: signal.Signals
) -> None:
    lake = str(tmp_path / "lake")
    command = [*PROGRAM, "ingest", "-p", "ETH-USD", "--channel", "ticker", "--to", lake, "--url", simulated]
    command += ["--commit-every", "1s", "--format", "json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        deadline = time.monotonic() + 20
        while sum(path.stat().st_size for path in Path(lake).glob("journal/*.rec")) < 20_000:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        asked_at = time.monotonic()
        run.send_signal(number)
        told = [json.loads(line) for line in run.stderr.read().splitlines()]
        assert (run.wait(), time.monotonic() - asked_at < 2.0) == (0, True)
    checked = subprocess.run([*PROGRAM, "verify", lake, "--format", "json"], capture_output=True, text=True, check=True)
    report = json.loads(checked.stdout)
    assert report["whole"]
    assert report["rows"] + report["waiting"] == told[-1]["journal_end"]
    assert told[-1]["unstored"] == 0
    found = subprocess.run([*PROGRAM, "gaps", lake], capture_output=True, text=True, check=True).stdout
    assert "ended by" in found or report["waiting"]


def test_a_lake_that_is_not_whole_ends_verify_with_1(tmp_path: Path) -> None:
    collect_all(tmp_path, made_up(10))
    part = next((tmp_path / "raw").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    done = subprocess.run([*PROGRAM, "verify", str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, "NOT WHOLE" in done.stdout, part.name in done.stdout) == (1, True, True)


@pytest.mark.parametrize(("words", "code", "said"), [
    (["ingest", "-p", "ETH-USD"], 2, "--to"),
    (["ingest", "--to", "x"], 2, "--all-products"),
    (["ingest", "-p", "ETH-USD", "--to", "az://c/l"], 2, "--journal"),
    (["ingest", "-p", "ETH-USD", "--to", "x", "--journal-limit", "9"], 2, "not a size"),
    (["verify", "nothing"], 4, "no lake"),
    (["gaps", "nothing"], 4, "no lake"),
])  # fmt: skip
def test_what_cannot_be_is_said_with_a_hint(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_product_that_is_unknown_leaves_nothing_behind(simulated: str, tmp_path: Path) -> None:
    words = ["ingest", "-p", "ETH-UST", "--to", str(tmp_path / "lake"), "--url", simulated]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "ETH-UST" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_row_34_a_second_collector_is_told_who_is_the_first(tmp_path: Path) -> None:
    journal = Segments(tmp_path / "journal")
    words = ["ingest", "-p", "ETH-USD", "--to", str(tmp_path), "--url", "ws://127.0.0.1:1"]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    journal.close()
    assert (done.returncode, "is written by another process (pid" in done.stderr) == (5, True)


def test_a_journal_of_another_lake_with_fitting_offsets_is_refused_too(tmp_path: Path) -> None:
    collect_all(tmp_path / "one", made_up(10))
    other = Segments(tmp_path / "journal")
    for number in range(30):
        other.write(message(100 + number))
    other.close()
    words = ["ingest", "-p", "ETH-USD", "--to", str(tmp_path / "one"), "--journal", str(tmp_path / "journal")]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "is not the journal of this lake" in done.stderr) == (4, True)


@pytest.mark.parametrize("lines", [3, 30])
def test_a_journal_of_another_lake_is_refused(tmp_path: Path, lines: int) -> None:
    collect_all(tmp_path / "one", made_up(10))
    other = Segments(tmp_path / "journal", start=0 if lines == 3 else 20)
    for number in range(lines):
        other.write(message(number))
    other.close()
    words = ["ingest", "-p", "ETH-USD", "--to", str(tmp_path / "one"), "--journal", str(tmp_path / "journal")]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "is not the journal of this lake" in done.stderr) == (4, True)


def test_row_31_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    place = tmp_path / "a-file"
    place.touch()
    words = ["ingest", "-p", "ETH-USD", "--to", str(place), "--url", "ws://127.0.0.1:1"]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_a_journal_that_a_power_cut_has_damaged_is_set_aside_and_collecting_goes_on(
    simulated: str, tmp_path: Path
) -> None:
    journal = Segments(tmp_path / "journal")
    for number in range(20):
        journal.write(message(number))
        if number % 5 == 4:
            journal.sync()
    journal.close()
    path = next((tmp_path / "journal").glob("*.rec"))
    path.write_bytes(path.read_bytes().replace(b'"sequence":7', b'"sequence":8'))
    words = ["ingest", "-p", "ETH-USD", "--to", str(tmp_path), "--url", simulated, "--for", "1s"]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=True)
    assert "repaired: 00000000000000000000.rec: 5 lines are damaged or gone" in done.stderr
    report = verify(str(tmp_path), tmp_path / "journal")
    assert report.faults == []
    assert [gap.messages for gap in report.gaps if gap.messages] == [5]


def test_a_journal_is_mended_where_a_file_has_no_second_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with closing(Segments(tmp_path / "journal")) as segments:
        segments.write(message(7))
        segments.sync()
    path = next((tmp_path / "journal").glob("*.rec"))
    path.write_bytes(damaged := path.read_bytes().replace(b'"sequence":7', b'"sequence":8'))

    def link(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", link)
    assert len(list(mend(tmp_path / "journal", None, tmp_path / "aside"))) == 1

    assert (tmp_path / "aside" / path.name).read_bytes() == damaged
    with closing(Segments(tmp_path / "journal")) as segments:
        assert segments.end == 1


def test_verify_repair_ends_with_0_once_it_is_whole(tmp_path: Path) -> None:
    collect_all(tmp_path, made_up(10))
    part = next((tmp_path / "raw").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    done = subprocess.run([*PROGRAM, "verify", str(tmp_path), "--repair"], capture_output=True, text=True, check=True)
    assert f"{part.name} is damaged: set aside" in done.stderr
    assert "whole: 0 rows in 0 parts of 0 connections, 12 lines wait in the journal" in done.stdout


def test_row_33_a_collector_that_starts_while_the_lake_is_away_keeps_what_comes_and_lands_it_later(
    simulated: str, tmp_path: Path
) -> None:
    lake, away, journal = tmp_path / "lake", tmp_path / "away", tmp_path / "journal"
    command = [*PROGRAM, "ingest", "-p", "ETH-USD", "--channel", "ticker", "--to", str(lake), "--url", simulated]
    command += ["--journal", str(journal), "--commit-every", "1s", "--for"]
    subprocess.run([*command, "2s"], check=True, capture_output=True)
    lake.rename(away)
    lake.touch()  # Nothing can be written below a file.
    while_away = subprocess.run([*command, "2s"], check=True, capture_output=True, text=True)
    lake.unlink()
    away.rename(lake)
    subprocess.run([*command, "3s"], check=True, capture_output=True)

    assert "It is tried again; the journal takes what comes." in while_away.stderr
    report = verify(str(lake), journal)
    assert (report.is_whole, report.connections >= 3) == (True, True)


def test_a_lake_that_says_nothing_is_away_like_one_that_refuses(
    silent_store: SilentStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with closing(Segments(tmp_path)) as segments:
        segments.write(message(0))
        segments.sync()
    monkeypatch.setattr(cli_talk, "PATIENCE", 0.5)

    kept, later = cli_lake._opened(silent_store.lake, tmp_path, None)
    kept.close()

    assert (kept.end, later.landed) == (1, 0)
    with pytest.raises(StorageError, match="does not answer"):
        cli_lake._opened(silent_store.lake, tmp_path / "new", None)


def test_a_lake_that_comes_back_is_landed_in_only_by_the_journal_that_is_its_own(tmp_path: Path) -> None:
    collect_all(tmp_path, made_up(20))
    other = Segments(tmp_path / "other")
    other.write(message(7))
    other.sync()
    later = Later(str(tmp_path), tmp_path / "other")

    with pytest.raises(StorageError, match="it is not the journal of this lake"):
        later.land(other.durable)

    other.close()


@pytest.mark.parametrize(
    "words",
    [
        ("-p", "ETH-USD"),
        ("--channel", "ticker"),
        ("--feed", "advanced"),
        ("--url", "ws://127.0.0.1:1"),
        ("--format", "json"),
    ],
)
def test_what_means_nothing_where_messages_come_from_a_topic_is_refused(words: tuple[str, str], tmp_path: Path) -> None:
    command = (*PROGRAM, "ingest", "--from", "kafka://127.0.0.1:1/raw", "--to", str(tmp_path / "lake"), *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, f"ingest --from a topic has no {words[0]}" in done.stderr) == (2, True)
    assert not (tmp_path / "lake").exists()


def test_collecting_goes_on_though_the_last_line_that_landed_is_damaged_in_the_journal(tmp_path: Path) -> None:
    journal, lake = tmp_path / "journal", str(tmp_path / "lake")
    with closing(Segments(journal)) as segments:
        for number in range(50):
            segments.write(Message(number, b'{"sequence":%d}' % number))
        segments.sync()
        Landing(Raw(lake, create=True), journal).land(segments.durable)
    (path,) = journal.glob("*.rec")
    path.write_bytes(path.read_bytes().replace(b'{"sequence":49}', b'{"sequence":48}'))
    assert len(list(mend(journal, 50, tmp_path / "aside", fits=False))) == 1

    with closing(Segments(journal, start=50)) as segments:
        segments.write(Message(50, b'{"sequence":50}'))
        segments.sync()
        landing_of(Raw(lake), journal, segments.end).land(segments.durable)

    assert [item.received_at for item in collected(lake)] == list(range(51))
