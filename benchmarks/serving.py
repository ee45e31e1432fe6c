"""The page: 1,000 quotes a second to a hundred viewers, what it costs and how late they see it; first paint; a year."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .programs.viewing import STEP
from .row import Row, at_most

if TYPE_CHECKING:
    from playwright.sync_api import Browser

START = datetime(2026, 11, 1, tzinfo=UTC)
PRODUCTS = [f"P{number}-USD" for number in range(10)]
QUOTES_A_SECOND = len(PRODUCTS) * 1_000_000 // STEP
SECONDS, WARM_UP, MEASURED = 40, 6, 20
VIEWERS, DEAD = 100, 5
A_YEAR = 365 * 288
CHOSEN_UNTIL_DRAWN = """() => new Promise((done) => {
  const said = document.getElementById("history-said");
  const began = performance.now();
  const drawn = () => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
  new MutationObserver(() => { if (/bars, from/.test(said.textContent)) drawn(); }).observe(said, { childList: true });
  document.getElementById("length").dispatchEvent(new Event("change", { bubbles: true }));
})"""


def rows() -> list[Row]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flood.rec"
        _record(path)
        alone, _ = _measured(path, 0)
        cpu, seen = _measured(path, VIEWERS)
    half = 1000 * seen["p50"]
    what = f"page, {QUOTES_A_SECOND:,} quotes a second"
    return [
        at_most(f"{what} to {VIEWERS} viewers and {DEAD} that are dead: CPU", 100 * cpu, 10, "% of a core"),
        Row("the same, and nobody looks", f"{100 * alone:.3g} % of a core"),
        at_most("from a quote to its frame, 99 of 100", 1000 * seen["p99"], 400, "ms", f"half: {half:.0f} ms"),
        *_in_a_browser(),
    ]


def _record(path: Path) -> None:
    """Write a recording of ten products that have a quote each hundredth of a second."""
    with path.open("w", encoding="ascii") as file:
        for number in range(SECONDS * 1_000_000 // STEP):
            at = START + timedelta(microseconds=number * STEP)
            stamp, text = int(at.timestamp() * 1e6) * 1000, f"{at.isoformat()[:26].removesuffix('+00:00')}"
            text = f"{text if '.' in text else text + '.000000'}Z"
            for product, product_id in enumerate(PRODUCTS):
                price = 2000 + product + (number * 7919 % 100) / 100
                file.write(
                    f'{stamp}\t{{"type":"ticker","sequence":{number + 1},"product_id":"{product_id}","price":"1",'
                    f'"time":"{text}","best_bid":"{price:.2f}","best_bid_size":"1.5",'
                    f'"best_ask":"{price + 0.01:.2f}","best_ask_size":"0.5"}}\n'
                )


def _measured(path: Path, viewers: int) -> tuple[float, dict[str, float]]:
    """Give the share of a core that the server takes, and what the viewers saw."""
    seen = {"p50": 0.0, "p99": 0.0}
    with _serving("--from", str(path), "--channel", "ticker") as (process, port):
        dead = [socket.create_connection(("127.0.0.1", port)) for _ in range(DEAD if viewers else 0)]
        for line in dead:
            line.sendall(f"GET /api/stream?product_id=P0-USD HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        looking = None
        if viewers:
            command = ["-m", "benchmarks.programs.viewing", port, viewers, WARM_UP + MEASURED, PRODUCTS[0]]
            looking = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True)
        time.sleep(WARM_UP)
        before, began = _cpu(process.pid), time.monotonic()
        time.sleep(MEASURED - 2)
        share = (_cpu(process.pid) - before) / (time.monotonic() - began)
        if looking is not None:
            seen = json.loads(looking.communicate()[0])
        for line in dead:
            line.close()
    return share, seen


@contextmanager
def _serving(*words: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    command = [sys.executable, "-m", "coinbase_insights", "serve", "--port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("look at "), line
        try:
            yield process, int(line.split("/")[2].rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


def _cpu(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def _in_a_browser() -> list[Row]:
    chromium = shutil.which("chromium")
    if chromium is None:
        return []
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = [*_first_paint(browser), _year(browser)]
        browser.close()
    return found


def _first_paint(browser: "Browser") -> Iterator[Row]:
    """Open the page of the simulator in a browser that has nothing of it yet."""
    paints, sizes = [], []
    with _serving("--demo") as (_, port):
        for _number in range(3):
            page = browser.new_context().new_page()
            answers: list[Any] = []
            page.on("response", lambda answer, answers=answers: answers.append(answer))
            page.goto(f"http://127.0.0.1:{port}/")
            page.locator("#best_bid", has_text=re.compile("[0-9]")).wait_for()
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            sizes.append(sum(int(answer.headers.get("content-length", "0")) for answer in answers))
    yield at_most("page, first paint in a browser that has nothing of it yet", min(paints), 1000, "ms")
    yield at_most("page, all that is loaded", sizes[0] / 1000, 300, "kB")


def _year(browser: "Browser") -> Row:
    """Choose the bars of five minutes of a lake that has a year of them, until they are drawn."""
    with tempfile.TemporaryDirectory() as lake:
        _land_bars(lake)
        with _serving("--lake", lake) as (_, port):
            drawn = []
            for _ in range(5):
                page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
                page.goto(f"http://127.0.0.1:{port}/")
                page.locator("#history-said", has_text=f"{A_YEAR:,} bars, from").wait_for()
                keeping = page.context.new_cdp_session(page)
                keeping.send("Network.enable")
                keeping.send("Network.setCacheDisabled", {"cacheDisabled": True})
                drawn.append(page.evaluate(CHOSEN_UNTIL_DRAWN))
    what = "page, a year of bars of 5 minutes, none of them kept, from the choice until they are drawn"
    return at_most(what, median(drawn), 1000, "ms")


def _land_bars(lake: str) -> None:
    import numpy as np
    import pyarrow as pa

    from coinbase_insights.lake.delta import Delta
    from coinbase_insights.lake.tables import BARS, RAW, schema

    generator = np.random.default_rng(1)
    prices = np.round(2000 * np.exp(np.cumsum(generator.normal(0, 1e-3, A_YEAR))), 3)
    values = {
        "product_id": ["ETH-USD"] * A_YEAR,
        "length": ["5m"] * A_YEAR,
        "start": [START - timedelta(minutes=5 * number) for number in range(A_YEAR, 0, -1)],
        **dict.fromkeys(("open", "high", "low", "close", "mean"), prices),
        "max_spread": np.full(A_YEAR, 0.01),
        "quotes": np.full(A_YEAR, 60),
        "seconds_covered": np.full(A_YEAR, 300.0),
    }
    Delta(lake, RAW, create=True)
    Delta(lake, BARS, create=True).land(BARS.name, 0, [pa.table(values, schema=schema(BARS))])
