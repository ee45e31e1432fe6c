"""What is told to whoever watches over a service: whether it is there, whether it is ready, and its counts."""

import socket
import struct
import subprocess
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import pytest

from coinbase_insights import health
from coinbase_insights.collect import Standing
from coinbase_insights.exposition import exposition
from coinbase_insights.health import answering
from coinbase_insights.listening import listen
from site_of import PROGRAM, SilentStore


@pytest.fixture
def standing() -> Standing:
    """Three messages have come, and the line is down."""
    return Standing(
        seconds=9.0,
        is_connected=False,
        heard_ago=1.0,
        messages=3,
        connections=1,
        trouble="closed",
        journal_end=5,
        journal_durable=5,
        journal_bytes=500,
        unstored=0,
        torn_bytes=0,
        is_full=False,
        landed=5,
        parts=1,
        lake_trouble="",
        late=0.0,
    )


def test_row_43_health_is_told_to_this_machine_alone(standing: Standing) -> None:
    def asked(url: str, host: str | None = None) -> tuple[int, str]:
        request = urllib.request.Request(url, headers={} if host is None else {"Host": host})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    with answering(listen("127.0.0.1", 0), lambda: standing) as url:
        assert asked(f"{url}/healthz") == (200, "ok\n")
        assert asked(f"{url}/readyz")[0] == 503
        with urllib.request.urlopen(urllib.request.Request(f"{url}/healthz", method="HEAD")) as answer:
            assert (answer.status, answer.read()) == (200, b"")
        assert asked(f"{url}/metrics") == (200, exposition(standing.counts()))
        assert asked(f"{url}/metrics", "evil.example")[0] == 403
        assert asked(f"{url}/etc/passwd")[0] == 404
    for host in ("localhost", "::1"):
        with answering(listen(host, 0), lambda: standing, host) as url:
            assert asked(f"{url}/healthz") == (200, "ok\n")
            assert asked(f"{url}/metrics", "evil.example")[0] == 403
            assert asked(f"{url}/metrics", "localhost.evil.example:80")[0] == 403
    with answering(listen("0.0.0.0", 0), lambda: standing, "0.0.0.0") as url:
        assert asked(f"{url}/healthz", "10.0.0.4") == (200, "ok\n")
    assert "coinbase_insights_messages_total 3\n" in exposition(standing.counts())


def test_who_asks_for_health_badly_harms_nobody(
    standing: Standing, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health, "MOST_ASKING", 3)
    monkeypatch.setattr(health, "PATIENCE", 0.5)
    with answering(listen("127.0.0.1", 0), lambda: standing) as url:
        where = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(where) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.sendall(b"GET /healthz HTTP/1.1\r\n")
        idle = [socket.create_connection(where) for _ in range(20)]
        for each in idle:  # One gets no place, another one no more patience.
            each.settimeout(10)
            with suppress(ConnectionError):
                assert each.recv(1) == b""
            each.close()
        with urllib.request.urlopen(f"{url}/healthz") as answer:
            assert answer.status == 200
    assert capfd.readouterr().err == ""


def test_it_is_not_ready_when_nothing_lands_for_long(standing: Standing) -> None:
    well = replace(standing, is_connected=True, heard_ago=0.0)
    assert [replace(well, late=late).is_ready for late in (0.0, 299.0, 301.0)] == [True, True, False]


def test_it_answers_that_it_is_there_and_not_ready_while_it_opens_what_it_needs(
    silent_store: SilentStore, tmp_path: Path
) -> None:
    words = ["ingest", "-p", "ETH-USD", "--to", silent_store.lake, "--journal", str(tmp_path), "--health-port", "0"]
    with subprocess.Popen([*PROGRAM, *words], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split(" ")[-1].strip()
        with urllib.request.urlopen(f"{url}/healthz") as answer:
            assert answer.status == 200
        with pytest.raises(HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/readyz")
        process.kill()


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        words = ["ingest", "-p", "ETH-USD", "--to", str(tmp_path / "lake"), "--health-port", port]
        done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot be listened on" in done.stderr) == (2, True)
    assert not (tmp_path / "lake").exists()
