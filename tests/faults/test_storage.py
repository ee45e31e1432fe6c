"""Rows 29, 30, 36, 38, 40 and 41: disks that lie, fill up or fail, files of other versions, and long runs."""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coinbase_insights.collect import Collect, Pace, Standing
from coinbase_insights.errors import DamagedError
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.parquet import from_parquet
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.rows import SCHEMA
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.mend import mend
from coinbase_insights.log.segments import Segments, segments
from coinbase_insights.message import Item, Lost, Message, Opened
from faults.tape import resident

HERE = Path(__file__).parent
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
SIMULATE = [sys.executable, "-m", "coinbase_insights", "simulate", "--port", "0"]
SOAK = float(os.environ.get("SOAK_SECONDS", "20"))


def message(number: int) -> Message:
    text = b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number
    return Message(1_700_000_000_000_000_000 + number * 1_000_000, text)


def numbers_in(items: Iterator[Item]) -> list[int]:
    return [int(item.data.rpartition(b":")[2].rstrip(b"}")) for item in items if isinstance(item, Message)]


@pytest.fixture
def exchange() -> Iterator[str]:
    command = [*SIMULATE, "--speed", "20"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        yield server.stderr.readline().split(" ")[2]
        server.terminate()
        server.stderr.read()


@pytest.mark.parametrize("after", [0, 2])
def test_row_29_an_fsync_that_fails_ends_the_service_and_what_was_synced_is_there(
    after: int, exchange: str, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    command = [sys.executable, str(HERE / "no_fsync.py"), str(after), "ingest", "-p", "ETH-USD", "--to", str(lake)]
    done = subprocess.run([*command, "--url", exchange], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "cannot be" in done.stderr, "Traceback" in done.stderr) == (4, True, False)
    assert "Input/output error" in done.stderr
    if after:
        report = verify(str(lake), lake / "journal")
        assert report.faults == []


def test_row_29_whatever_the_disk_forgets_of_what_was_not_synced_the_rest_is_there(tmp_path: Path) -> None:
    chance = random.Random(1)
    journal = Segments(tmp_path / "journal", segment_bytes=3_000)
    synced, number = 0, 0
    for crash in range(60):
        for _ in range(chance.randrange(60)):
            journal.write(message(number))
            number += 1
        if chance.random() < 0.6:
            journal.sync()
            synced = segments(tmp_path / "journal")[-1][1].stat().st_size
        else:
            journal.seal()
        durable = journal.durable
        copy = tmp_path / str(crash)
        shutil.copytree(tmp_path / "journal", copy)
        newest = segments(copy)[-1][1]
        data = newest.read_bytes()
        for _ in range(chance.randrange(3)):  # Sectors that never reached the disk are zeros, or old.
            start = chance.randrange(synced, len(data) + 1)
            data = data[:start] + bytes(min(512, len(data) - start)) + data[start + 512 :]
        newest.write_bytes(data[: chance.randrange(synced, len(data) + 1)])
        again = taken_up(copy)
        assert again.end >= durable
        assert numbers_in(iter_items(copy))[:durable] == list(range(durable))
        again.close()
    journal.close()


def taken_up(folder: Path) -> Segments:
    """As `ingest` does: what has a hole in it is set aside first."""
    try:
        return Segments(folder)
    except DamagedError:
        assert list(mend(folder, 0, folder / "aside"))
        return Segments(folder)


def iter_items(folder: Path) -> Iterator[Item]:
    from coinbase_insights.log.journal import read

    return read(folder)


@pytest.mark.parametrize("end", ["", "full"])
def test_row_30_a_full_disk_is_said_counted_exactly_and_healed_from(end: str, tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "small_disk.py"), str(tmp_path), end]
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0:
        command = [*NAMESPACE, *command]
    elif os.geteuid() != 0:
        pytest.skip("nobody but root may mount a disk here")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["unstored"] >= 500
    assert seen["kept"] + seen["unstored"] == seen["sent"]
    assert seen["missing"] == seen["unstored"]
    assert seen["resumed_after"] < 10
    assert seen["faults"] == []


def test_row_36_parts_of_an_older_and_of_a_newer_version_are_read_as_one_table(tmp_path: Path) -> None:
    journal, raw = Segments(tmp_path / "journal"), Raw(str(tmp_path), create=True)
    landing = Landing(raw, tmp_path / "journal")
    for number in range(30):
        journal.write(message(number))
        if number % 10 == 9:
            journal.sync()
            landing.land(journal.durable)
    journal.close()
    older, newer, _ = raw.parts()
    rewrite(raw, older.name, lambda table: table.drop_columns(["received_at_ns", "sequence"]))
    rewrite(raw, newer.name, lambda table: with_text(table, "sequence").append_column("later", table["offset"]))
    rows = pa.concat_tables(
        [from_parquet(path.read_bytes(), SCHEMA) for path in sorted(Path(raw.url).glob("*.parquet"))]
    )
    assert rows.schema.names == SCHEMA.names
    assert sorted(rows["offset"].to_pylist()) == list(range(30))
    assert rows.sort_by("offset")["sequence"].to_pylist() == [None] * 10 + list(range(10, 30))


def rewrite(raw: Raw, name: str, change: object) -> None:
    path = Path(raw.url) / name
    assert callable(change)
    table = change(pq.read_table(path, partitioning=None))
    pq.write_table(table, path)


def with_text(table: pa.Table, name: str) -> pa.Table:
    column = table.column(name).cast(pa.string())
    return table.set_column(table.schema.get_field_index(name), name, column)


BACKLOG = """
import sys
from pathlib import Path
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Message
lake = Path(sys.argv[1])
journal = Segments(lake / "journal")
for number in range(700_000):
    journal.write(Message(number, b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number))
journal.sync()
Landing(Raw(str(lake), create=True), lake / "journal").land(journal.durable)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.timeout(120)
def test_row_38_a_large_backlog_lands_in_bounded_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BACKLOG, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 400 * 1024
    assert Raw(str(tmp_path)).landed(LOG) == 700_000


@pytest.mark.timeout(120)
def test_row_40_a_million_messages_with_breaks_and_bad_ones_are_kept_and_leave_no_memory_behind(tmp_path: Path) -> None:
    memory: list[int] = []
    files: list[int] = []

    async def items() -> AsyncGenerator[Item]:
        for number in range(1_000_000):
            if number % 10_000 == 0:
                if number:
                    yield Lost(number, "closed")
                yield Opened(number, "ws://made-up")
                await asyncio.sleep(0)
            yield Message(number, b"{" if number % 1_000 == 999 else b'{"type":"ticker","sequence":%d}' % number)
            if number % 100 == 0:
                await asyncio.sleep(0)
            if number in (500_000, 999_999):
                memory.append(resident())
                files.append(len(os.listdir("/proc/self/fd")))

    told: list[Standing] = []
    raw = Raw(str(tmp_path), create=True)
    journal = Segments(tmp_path / "journal")
    landing = Landing(raw, tmp_path / "journal")
    service = Collect(journal, landing, Pace(commit_seconds=60, commit_lines=10**9))
    asyncio.run(service.run(items(), tell=told.append))
    last = told[-1]
    assert (last.messages, last.connections, last.unstored) == (1_000_000, 100, 0)
    assert last.journal_end == 1_000_000 + 200
    assert memory[1] - memory[0] < 500_000
    assert files[0] == files[1]
    landing.land(last.journal_end)
    report = verify(str(tmp_path), tmp_path / "journal")
    assert (report.faults, report.rows, report.connections) == ([], last.journal_end, 100)


@pytest.mark.timeout(SOAK + 60)
def test_row_41_over_a_long_run_with_faults_every_gap_is_explained(tmp_path: Path) -> None:
    faults = "close=1001@500,gap/301,duplicate/250,invalid_json/333,unknown_type/200"
    simulate = [*SIMULATE, "--speed", "50", "--faults", faults]
    with subprocess.Popen(simulate, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split(" ")[2]
        command = [sys.executable, "-m", "coinbase_insights", "ingest", "-p", "ETH-USD", "-p", "BTC-USD"]
        command += ["--feed", "advanced", "--channel", "ticker", "--to", str(tmp_path), "--url", url]
        command += ["--commit-every", "2s", "--for", f"{SOAK:.0f}s", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        server.terminate()
        server.stderr.read()
    last = json.loads(done.stderr.splitlines()[-1])
    report = verify(str(tmp_path), tmp_path / "journal")
    assert report.faults == []
    assert (last["connections"] > 3, last["unstored"]) == (True, 0)
    assert sum(isinstance(item, Message) for item in collected(str(tmp_path))) == last["messages"]
    raw = Raw(str(tmp_path))
    rows = pa.concat_tables([raw.read(part) for part in raw.parts()]).to_pandas()
    numbered = rows[rows.channel != "#"].groupby("connection").sequence
    holes = int((numbered.max() + 1 - numbered.nunique()).sum())
    assert holes > 5
    assert sum(gap.messages or 0 for gap in report.gaps if "did not come" in gap.cause) == holes
    down = [gap for gap in report.gaps if gap.product_id == "*" and gap.messages is None and gap.end is not None]
    assert len(down) == report.connections - 1
    assert {gap.cause.split(" ")[0] for gap in down} <= {"closed", "1001", "the"}
