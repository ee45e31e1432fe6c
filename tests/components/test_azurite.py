"""The lake in an object store: Azurite, with a line to it that answers nonsense, loses answers, and is slow."""

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from azurite import PROGRAM, Azurite
from coinbase_insights.errors import LockedError, StorageError
from coinbase_insights.lake.build import build
from coinbase_insights.lake.compact import compact
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.landing import LOG, Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.repair import repair
from coinbase_insights.lake.tables import INSIGHTS
from coinbase_insights.lake.tail import Tail
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.segment_reader import SegmentReader
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Lost, Message, Opened
from lakes import lake_of, long_walk, pulled, rows

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if not PROGRAM.exists():
        pytest.skip("there is no Azurite: `make components` installs it with npm")
    made = Azurite(tmp_path_factory.mktemp("azurite"))
    yield made
    made.kill()


@pytest.fixture
def store(azurite: Azurite, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Tell the environment of it, as a user would; give the address of a lake that is not there yet."""
    for name, value in azurite.variables.items():
        monkeypatch.setenv(name, value)
    return f"az://lake/{request.node.name}"


def message(number: int) -> Message:
    return Message(10**18 + number, b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number)


def test_what_lands_in_an_object_store_is_whole_and_plays_again(store: str, tmp_path: Path) -> None:
    journal, raw = Segments(tmp_path), Raw(store, create=True)
    landing, written = Landing(raw, tmp_path), list[Item]([Opened(1, "ws://x")])
    journal.write(written[0])
    for number in range(30):
        written.append(message(number))
        journal.write(written[-1])
        journal.sync()
        landing.land(journal.durable)
    written.append(Lost(2 * 10**18, "closed", messages=30))
    journal.write(written[-1])
    journal.close()
    landing.land(journal.durable)
    compact(raw)
    raw.clean(hours=0)
    assert len(raw.parts()) < 20
    report = verify(store, tmp_path)
    assert (report.faults, report.rows) == ([], 32)
    assert list(collected(store)) == written


def test_a_part_that_is_damaged_in_an_object_store_is_set_aside_there(store: str, tmp_path: Path) -> None:
    raw, journal = Raw(store, create=True), Segments(tmp_path / "journal", segment_bytes=500)
    landing = Landing(raw, tmp_path / "journal")
    for number in range(60):
        journal.write(Message(1_000_000 + number, b'{"type":"ticker","sequence":%d}' % number))
        if number % 20 == 19:
            journal.sync()
            landing.land(journal.durable)
    journal.drop(raw.landed(LOG))
    journal.close()
    part = raw.parts()[1]
    raw.place.write(part.name, raw.place.read(part.name)[:-1])
    report = verify(store, tmp_path / "journal")
    assert len(report.faults) == 1
    assert f"{part.name} is damaged: set aside" in list(repair(store, tmp_path / "journal", report))
    again = verify(store, tmp_path / "journal")
    assert (again.faults, again.rows) == ([], 60)
    assert [gap.messages for gap in again.gaps if gap.messages] == [20]
    assert part.name in raw.place.names("_aside/1")


def test_a_second_writer_of_an_object_store_is_refused(store: str, tmp_path: Path) -> None:
    journal = Segments(tmp_path)
    journal.write(message(0))
    journal.write(message(1))
    journal.close()
    first, second = Raw(store, create=True), Raw(store)
    late, lines = Tail(second, LOG), SegmentReader(tmp_path, 0).read(2, 2, 10_000)
    Landing(first, tmp_path).land(1)
    with pytest.raises(LockedError):
        late.land(0, [lines])  # It has looked before the first was done.
    assert verify(store, tmp_path).rows == 1


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coinbase_insights", *words], capture_output=True, text=True, check=False
    )


def test_run_and_build_begin_with_a_model_that_is_kept_in_an_object_store(store: str, tmp_path: Path) -> None:
    lake_of(tmp_path, pulled(4.0), store)
    build(store, "ticker", "tilt")
    trained = command("train", store, "--held-out", "1h")
    assert "is the new champion" in trained.stderr
    later = lake_of(tmp_path / "later", long_walk(0.1, products=("ETH-USD",)))

    for where in (store, f"{store}/_models/tilt/1"):
        played = command("run", "--from", later, "--speed", "max", "--channel", "ticker", "--format", "json",
                         "--model", where)  # fmt: skip
        first = next(line for line in map(json.loads, played.stdout.splitlines()) if line["type"] == "insight")
        assert (played.returncode, first["forecast"]["low"] is None) == (0, False)
        built = command("build", later, "--channel", "ticker", "--model", where, "--anew")
        assert (built.returncode, "Traceback" in built.stderr) == (0, False)
        assert set(rows(later, INSIGHTS).forecaster) == {"tilt/1"}

    missing = command("run", "--from", later, "--model", f"{store}/none")
    assert (missing.returncode, missing.stderr.count("Traceback"), store in missing.stderr) == (2, 0, True)


METHODS = ("GET", "PUT", "HEAD", "DELETE", "POST")


class Trouble(ThreadingHTTPServer):
    """A line to the store that fails in all ways there are, a share of the time."""

    daemon_threads = True

    def __init__(self, port: int, share: float) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.port, self.share, self.chance = port, share, random.Random(1)
        self.failed = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news here."""


class Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Trouble

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.chance.choice(["500", "503", "cut before", "cut behind", "slow"])
        is_bad = self.server.chance.random() < self.server.share
        self.server.failed += is_bad
        if is_bad and kind in ("500", "503"):
            self.answer(int(kind), {}, b"")
            return
        if is_bad and kind == "slow":
            time.sleep(0.3)
        if is_bad and kind == "cut before":
            self.close_connection = True
            return
        status, heads, data = self.ask(body)
        if is_bad and kind == "cut behind":
            self.close_connection = True  # It was done, and nobody hears of it.
            return
        self.answer(status, heads, data)

    def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        line.request(self.command, self.path, body, dict(self.headers))
        answer = line.getresponse()
        data, heads = answer.read(), dict(answer.getheaders())
        line.close()
        return answer.status, heads, data

    def answer(self, status: int, heads: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        length = heads.get("content-length", str(len(data))) if self.command == "HEAD" else str(len(data))
        for name, value in heads.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "keep-alive"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


for method in METHODS:
    setattr(Forward, f"do_{method}", Forward.forward)


def test_row_33_a_store_that_fails_now_and_then_gets_each_line_once(
    store: str, azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = Trouble(azurite.port, 0.15)
    threading.Thread(target=trouble.serve_forever, daemon=True).start()
    Raw(store, create=True)
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", f"http://127.0.0.1:{trouble.server_port}")
    journal, landing, refused = Segments(tmp_path), None, 0
    for number in range(40):
        journal.write(message(number))
        journal.sync()
        for _ in range(50):
            try:
                landing = landing or Landing(Raw(store, create=True), tmp_path)
                landing.land(journal.durable)
                break
            except StorageError:
                refused += 1
        else:
            pytest.fail("it never got through")
    journal.close()
    trouble.shutdown()
    trouble.server_close()
    assert trouble.failed > 20
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", f"http://127.0.0.1:{azurite.port}")
    Raw(store, create=True)  # As the next start of the service would: it writes the checksums that are missing.
    report = verify(store, tmp_path)
    assert (report.faults, report.rows, Raw(store).landed(LOG)) == ([], 40, 40)
    assert list(collected(store)) == [message(number) for number in range(40)]
