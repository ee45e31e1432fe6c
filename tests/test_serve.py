"""The page's server: the same figures as everywhere, for whoever may ask, and for nobody else."""

import asyncio
import itertools
import json
import signal
import socket
import subprocess
import time
from contextlib import aclosing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import structs

from coinbase_insights.listening import listen
from coinbase_insights.message import Lost
from coinbase_insights.pipe import Pipe
from coinbase_insights.serve import app, server
from coinbase_insights.serve.app import application
from coinbase_insights.serve.board import Board
from coinbase_insights.serve.frame import Frame, figures, frame
from coinbase_insights.serve.openapi import openapi
from coinbase_insights.show.screen import screen
from coinbase_insights.show.view import LineState
from coinbase_insights.watch import Watch
from lakes import long_walk
from site_of import PROGRAM, SilentStore, Site, serving, typed
from views import BTC, ETH, FEW_QUOTES, NO_QUOTES, NO_SIZES, SHIB, Market, view

TOKEN = "a-secret-of-many-letters"


def test_the_newest_insight_is_the_last_line_of_run(site: Site, built: str) -> None:
    words = ("run", "--from", built, "--channel", "ticker", "--speed", "max", "--format", "json")
    done = subprocess.run((*PROGRAM, *words), capture_output=True, text=True, check=True)
    lines = [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "insight"]

    for product_id in ("BTC-USD", "ETH-USD"):
        (*_, last) = (line for line in lines if line["product_id"] == product_id)
        found = site.json(f"/api/insights/{product_id}")["insight"]
        assert found | {"missed": 0} == last | {"missed": 0}  # What was missed after the quote is counted as well.


@pytest.mark.parametrize("state", get_args(LineState))
@pytest.mark.parametrize("market", [ETH, BTC, SHIB, NO_QUOTES, FEW_QUOTES, NO_SIZES])
def test_every_figure_of_the_page_is_written_as_on_the_terminal(market: Market, state: LineState) -> None:
    seen = view(state, market)
    drawn = screen(seen, 200, 60).plain

    found = figures(seen, seen.products[0])
    texts = [found.best_bid, found.best_ask, found.spread, found.max_spread, found.forecast, found.max_spread_time]
    texts += [text for row in found.windows.values() for text in row]

    assert [text for text in texts if text not in drawn] == []
    starts = {"Highest bid": found.best_bid, "Lowest ask": found.best_ask, "Difference": found.spread}
    for head, text in (starts | {"Forecast ": found.forecast}).items():
        (*_, line) = (line for line in drawn.splitlines() if line.startswith(f" {head}") and "error" not in line)
        assert text, head
        assert line.split(head)[1].split()[0] == text, head
    assert frame(seen).detail in drawn


def test_a_product_without_quotes_is_quiet_though_others_are_not() -> None:
    seen = view("LIVE", ETH, BTC)
    halted = structs.replace(seen.products[0], quote_age=60.0)

    assert figures(seen, halted).state == "● QUIET"
    assert figures(seen, seen.products[1]).state == "● LIVE"


def test_a_frame_and_the_description_of_the_api_say_the_same(site: Site) -> None:
    schemas = openapi()["components"]["schemas"]

    with site.stream("ETH-USD") as frames:
        found = next(frames)

    assert set(found) == set(schemas["Frame"]["properties"])
    assert set(found["figures"]) == set(schemas["Figures"]["properties"])
    assert found["figures"]["product_id"] == "ETH-USD"
    assert site.json("/api/openapi.json") == json.loads(json.dumps(openapi()))


def test_the_chart_ends_with_the_newest_insight(site: Site) -> None:
    points = site.json("/api/chart/ETH-USD")["points"]
    newest = site.json("/api/insights/ETH-USD")["insight"]

    seconds = [point[0] // 1_000_000 for point in points]
    assert len(points) > 1000  # However fast it was played, every second that had a quote has a point.
    assert seconds == sorted(set(seconds))
    assert (points[-1][1], points[-1][3]) == (newest["mid_price"], newest["forecast"]["value"])


NAMES = (
    "evil.example",
    "evil.example:80",
    "127.0.0.1",
    "localhost:1",
    "127.0.0.1.evil.example",
    "",
    "[::1]",
    "0.0.0.0",
)
ORIGINS = ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "file://", "http://[bad")
PATHS = ("/", "/api/products", "/api/stream", "/metrics")
METHODS = ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")


def test_no_probe_of_a_stranger_gets_through(site: Site) -> None:
    probes: list[tuple[str, str, dict[str, str]]] = [
        *((path, "GET", {"Host": name}) for path, name in itertools.product(PATHS, NAMES)),
        *((path, "GET", {"Origin": origin}) for path, origin in itertools.product(PATHS, ORIGINS)),
        *((path, method, {}) for path, method in itertools.product(PATHS, METHODS)),
        *((path, "GET", {"Sec_Fetch_Site": "cross-site"}) for path in PATHS[1:]),
    ]
    got = [site.ask(path, method, **headers) for path, method, headers in probes]

    assert len(probes) >= 50
    assert {status for status, _, _ in got} <= {400, 403, 405}
    assert all(b"product" not in body and b"<html" not in body for _, _, body in got)
    assert all("access-control-allow-origin" not in headers for _, headers, _ in got)


def test_whatever_is_sent_may_load_nothing_from_anywhere_else(site: Site) -> None:
    for path in ("/", "/page.js", "/api/products", "/nothing"):
        _, headers, _ = site.ask(path)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_another_address_needs_a_token_and_lets_in_who_has_it(built: str) -> None:
    refused = subprocess.run(
        (*PROGRAM, "serve", "--lake", built, "--host", "0.0.0.0"), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "would let anybody in" in refused.stderr

    with serving("--lake", built, "--token", TOKEN) as site:
        without, wrong = site.ask("/api/products")[0], site.ask("/api/products?token=wrong")[0]
        bearer = site.ask("/api/products", Authorization=f"Bearer {TOKEN}")[0]
        welcome, headers, _ = site.ask(f"/?token={TOKEN}")
        by_tls = site.ask(f"/?token={TOKEN}", X_Forwarded_Proto="https")[1]["set-cookie"]
        cookie = headers["set-cookie"].split(";")[0]
        with_cookie = site.ask("/", Cookie=cookie)[0]

        both = site.ask("/?token=wrong", Cookie=cookie)
        ready = site.ask("/readyz", Cookie=cookie)[0]
        healthy = site.ask("/healthz")[0], site.ask("/healthz", Host=f"LOCALHOST:{site.port}")[0]
        probe = (*healthy, site.ask("/readyz", Host="10.0.0.4")[0], site.ask("/metrics")[0])

    assert (without, wrong, bearer, welcome, with_cookie) == (401, 401, 200, 303, 200)
    assert (both[0], "set-cookie" in both[1], ready) == (401, False, 200)
    assert probe == (200, 200, 200, 401)
    assert headers["location"] == "/"
    assert ("Secure" in headers["set-cookie"], "Secure" in by_tls) == (False, True)
    assert f"{site.port}=" in headers["set-cookie"]
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=lax" in headers["set-cookie"]


def test_it_listens_on_this_machine_alone(site: Site) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]

    assert [name for name in listening if name.endswith(f":{site.port:04X}")] == [f"0100007F:{site.port:04X}"]


def test_a_viewer_that_is_dead_holds_up_nobody_and_the_end_comes_at_once(built: str) -> None:
    with serving("--demo", "--speed", "60") as site:
        dead = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(20)]
        for line in dead:
            line.sendall(f"GET /api/stream?product_id=ETH-USD HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
        with site.stream("ETH-USD") as frames:
            seen = [next(frames) for _ in range(12)]
        began = time.monotonic()
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(10)
        took = time.monotonic() - began
        for line in dead:
            line.close()

    assert len({found["figures"]["point"][0] for found in seen if found["figures"]["point"]}) > 5
    assert (site.process.returncode, took < 3.0) == (0, True)


def test_a_connection_that_asks_nothing_whole_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.2)

    async def ask_half() -> list[bytes]:
        listener = listen("127.0.0.1", 0)
        board = Board()
        serving = asyncio.create_task(server.serve(application(board, None), listener, server.Work(board, None, None)))
        got = []
        for half in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET"):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(half)
            async with asyncio.timeout(10):
                with suppress(ConnectionError):
                    while part := await reader.read(1000):
                        got.append(part)
            writer.close()
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        return got

    assert b"".join(asyncio.run(ask_half())).count(b"HTTP/1.1 200") == 1


def test_of_a_burst_of_viewers_none_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MOST_VIEWERS", 2)
    board, statuses, gone = Board(), [], asyncio.Event()
    made = application(board, None)

    async def send(message: Any) -> None:
        if "status" in message:
            statuses.append(message["status"])
            await asyncio.sleep(0)  # As a socket that is busy does: the next of the burst asks meanwhile.

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def burst() -> None:
        scope = {"type": "http", "method": "GET", "path": "/api/stream", "query_string": b"", "headers": []}
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(made({**scope}, receive, send))
            while len(statuses) < 5:
                await asyncio.sleep(0)
            gone.set()

    asyncio.run(burst())

    assert (sorted(statuses), board.viewers) == ([200, 200, 503, 503, 503], 0)


def test_a_lake_alone_has_no_stream_and_says_so() -> None:
    found: list[Any] = []

    async def send(message: Any) -> None:
        found.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/api/stream", "query_string": b"", "headers": []}
    asyncio.run(application(Board(), None, has_live=False)(scope, receive, send))

    assert found[0]["status"] == 404
    assert json.loads(found[1]["body"])["error"] == "nothing live is served"


def test_health_readiness_and_metrics_are_told(site: Site) -> None:
    assert site.ask("/healthz")[0] == 200
    assert site.ask("/readyz")[0] == 503  # What has ended is not fresh.
    assert site.json("/api/insights/ETH-USD")["is_live"] is False
    assert b"coinbase_insights_quotes_total " in site.ask("/metrics")[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "serve needs something to show."),
        (("--demo", "-p", "XXX-USD"), "does not trade XXX-USD"),
        (("--demo", "--from", "x"), "are two sources"),
        (("-p", "ETH-USD", "--speed", "2"), "--speed is that of"),
        (("--demo", "--url", "ws://127.0.0.1:9"), "--url says nothing about --demo."),
        (("--demo", "--channel", "level2"), "--channel says nothing about --demo."),
        (("--from", "x", "--feed", "advanced"), "--feed says nothing about --from."),
        (("--lake", "x", "--model", "y"), "--model says nothing about a lake alone."),
        (("--lake", "nowhere"), "There is no lake in nowhere."),
        (("--from", "nowhere"), "nowhere"),
        (("--demo", "--token", "short"), "The token is too weak."),
        (("--demo", "--name", "http://foo"), "is no name of a server"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        (*PROGRAM, "serve", "--port", "0", *words), capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode in (2, 4)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_live_is_served_at_once_though_its_lake_never_answers(silent_store: SilentStore) -> None:
    with serving("--demo", "--lake", silent_store.lake) as site:
        assert site.ask("/healthz")[0] == 200
        site.process.kill()  # Whether it ends well, test_readers.py asks.


def test_a_port_that_is_taken_is_said(site: Site, built: str) -> None:
    done = typed("--lake", built, "--port", str(site.port))

    assert (done.returncode, "cannot be listened on" in done.stderr) == (2, True)


def test_a_frame_is_encoded_once_however_many_look() -> None:
    board = Board()
    seen = view("LIVE", ETH, BTC)
    board.show(seen)

    frames = {name: board.encoded(seen, name) for name in ("ETH-USD", "BTC-USD", "XXX-USD", "")}

    assert all(board.encoded(seen, name) is found for name, found in frames.items())
    assert frames["XXX-USD"] is frames[""]
    for product in seen.products:
        found = msgspec.json.decode(frames[product.product_id], type=Frame)
        assert found == structs.replace(frame(seen), figures=figures(seen, product))


def test_a_viewer_that_was_slow_gets_the_newest_frame_and_none_that_it_missed() -> None:
    board = Board()

    async def look() -> list[int]:
        seen = []
        board.show(view("LIVE", quotes=0))
        async with aclosing(board.stream("")) as frames:
            async for found in frames:
                seen.append(msgspec.json.decode(found)["quotes"])
                if len(seen) == 3:
                    return seen
                for number in range(100):
                    board.show(view("LIVE", quotes=100 * len(seen) + number))
        return seen

    assert asyncio.run(look()) == [0, 199, 299]


def test_points_before_and_after_a_gap_are_told_apart() -> None:
    board, pipe, walk = Board(), Pipe(channel="ticker"), long_walk(3.0)
    lost = [item.received_at // 1000 for item in walk if isinstance(item, Lost)]
    watch = Watch(pipe, board)

    for item in walk:
        for product in pipe.take(item):
            watch.folded(product)
        if isinstance(item, Lost):
            board.show(watch.seen())

    points = board.points("ETH-USD")
    assert len(lost) > 1
    for before, after in pairwise(points):
        assert (before.gaps != after.gaps) is any(before.time < time < after.time for time in lost)
