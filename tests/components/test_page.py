"""The page in a real browser: what a person sees, with the keyboard too, and when the server goes and comes back."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from websockets.sync.server import serve

from coinbase_insights.lake.tables import INSIGHTS
from coinbase_insights.warehouse.address import Address
from coinbase_insights.warehouse.publish import publish
from site_of import PROGRAM, SilentStore, Site, serving

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / ".components/page/node_modules/axe-core/axe.min.js"
WIDTHS = (390, 1280, 1920)

pytestmark = pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="there is no chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def lake(built: str) -> str:
    return built


@pytest.fixture(scope="module")
def site(lake: str) -> Iterator[Site]:
    with serving("--demo", "--speed", "60", "--lake", lake) as found:
        yield found


Says = Callable[[str], AbstractContextManager[str]]


@pytest.fixture
def exchange_that_says() -> Says:
    """An exchange that closes every connection at once, and says why."""

    @contextmanager
    def start(why: str) -> Iterator[str]:
        with serve(lambda line: line.close(1008, why), "127.0.0.1", 0) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
            server.shutdown()

    return start


class Seen:
    """A page, and what a browser says of it that nobody should have to read."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda said: self._complain(said.type, said.text))
        page.on("pageerror", lambda error: self._complain("error", str(error)))
        page.on("request", lambda request: self._hear(request.url, f"http://{site.host}/"))
        page.goto(f"http://{site.host}/")

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _hear(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:")):
            self.foreign.append(url)


@pytest.fixture
def seen(browser: Browser, site: Site) -> Iterator[Seen]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Seen(context.new_page(), site)
    context.close()


def test_figures_come_and_change_by_themselves(seen: Seen, site: Site) -> None:
    page = seen.page
    expect(page.locator("#word")).to_have_text("● SIMULATED 60x")
    expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9,]+\.[0-9]{2}"))
    before = page.locator("#counts").inner_text()
    expect(page.locator("#counts")).not_to_have_text(before)

    assert page.locator("#price canvas").count() > 0
    assert (seen.complaints, seen.foreign) == ([], [])


def test_a_product_is_chosen_with_the_keyboard_and_kept_in_the_address(seen: Seen) -> None:
    page = seen.page
    button = page.get_by_role("button", name="ETH-USD")
    button.focus()
    page.keyboard.press("Enter")

    expect(page.locator("#product")).to_have_text("ETH-USD")
    expect(page.locator("#best_bid_size")).to_contain_text("ETH")
    assert page.url.endswith("?product=ETH-USD")
    assert page.locator("#rows [aria-current=true]").inner_text() == "ETH-USD"
    page.reload()
    expect(page.locator("#product")).to_have_text("ETH-USD")


def test_the_history_is_that_of_the_product_that_is_chosen(seen: Seen) -> None:
    page = seen.page
    expect(page.locator("#history-said")).to_contain_text("bars, from 2026-")
    products = page.locator("#past option").all_inner_texts()
    for name in ("ETH-USD", "BTC-USD"):
        page.get_by_role("button", name=name).click()

        expect(page.locator("#past")).to_have_value(name if name in products else products[0])
    assert len(products) == 2


def test_a_line_of_the_chart_ends_where_nothing_is_known_and_begins_again(seen: Seen) -> None:
    before, after, much_later = ([at * 1_000_000, 5.0, *[None] * 8, gaps] for at, gaps in ((1, 0), (9, 1), (190, 1)))

    drawn = seen.page.evaluate(
        "async (points) => (await import('/charts.js')).line(points, 60, (point) => point[1])",
        [before, [2_000_000, *before[1:]], after, much_later],
    )

    assert [point["time"] for point in drawn] == [61, 62, 69, 250]
    assert [point.get("color") for point in drawn] == [None, "transparent", "transparent", None]


def test_the_band_of_the_chart_is_not_drawn_over_what_nobody_knows(seen: Seen) -> None:
    drawn = seen.page.evaluate("""async () => {
      const { BandSeries, bandOf } = await import('/charts.js');
      const point = (at, gaps, band) => [at * 1e6, 5, 0, 5, band && 4, band && 6, null, null, null, null, gaps];
      const told = [[1, 0, 1], [2, 0, 1], [22, 1, 1], [23, 1, 1], [24, 1, null], [25, 1, 1], [26, 1, 1]];
      const points = bandOf(told.map((each) => point(...each))).filter((each) => each.low !== undefined);
      const bars = points.map((each) => ({ x: each.time, originalData: each }));
      const found = [];
      const context = { beginPath: () => found.push([]), lineTo: (x) => found.at(-1).push(x), fill: () => {} };
      const series = new BandSeries();
      series.update({ bars, visibleRange: { from: 0, to: bars.length } }, {});
      const scope = { context, horizontalPixelRatio: 1, verticalPixelRatio: 1 };
      series.draw({ useBitmapCoordinateSpace: (draw) => draw(scope) }, (y) => y);
      return found.map((run) => [Math.min(...run), Math.max(...run)]);
    }""")

    assert drawn == [[61, 62], [82, 83], [85, 86]]


def test_bars_have_the_decimals_of_their_prices(seen: Seen) -> None:
    numbers = [8.5e-7, 0.0000012345, 0.1 + 0.2, 67479.645, 12.0]

    places = seen.page.evaluate("async (numbers) => numbers.map((await import('/history.js')).placesOf)", numbers)

    assert places == [8, 10, 1, 3, 0]


def test_bars_of_a_table_that_was_made_anew_are_not_put_in_front_of_older_ones(seen: Seen) -> None:
    before = {"rows": [{"start": "2"}, {"start": "1"}], "isAll": True, "tableId": "a"}
    newer = {"rows": [{"start": "3"}, {"start": "2"}], "isAll": False, "tableId": "a"}
    joined = "async ([before, newer]) => (await import('/history.js')).joined(before, newer)"

    found = seen.page.evaluate(joined, [before, newer])

    assert [row["start"] for row in found["rows"]] == ["3", "2", "1"]
    assert seen.page.evaluate(joined, [before, newer | {"tableId": "b"}]) is None


def test_a_lake_that_is_gone_is_said_and_not_called_empty(browser: Browser, lake: str, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    with serving("--lake", str(tmp_path / "lake")) as site:
        page = browser.new_page()
        page.goto(f"http://{site.host}/?product=btc-usd")
        expect(page.locator("#history-said")).to_contain_text("bars, from 2026-")
        assert page.url.endswith("?product=BTC-USD")
        (tmp_path / "lake").rename(tmp_path / "away")
        page.locator("#length").select_option("1m")

        expect(page.locator("#history-said")).to_contain_text("There is no lake in")
        assert page.locator("#gaps tr").count() > 1
        assert site.ask("/readyz")[0] == 503
        page.reload()
        expect(page.locator("#history-said")).to_contain_text("The lake cannot be read: There is no lake in")
        page.close()


def test_what_is_live_is_shown_beside_a_lake_that_never_answers(browser: Browser, silent_store: SilentStore) -> None:
    page = browser.new_page()
    with serving("--demo", "--speed", "60", "--lake", silent_store.lake) as site:
        page.goto(f"http://{site.host}/")
        expect(page.locator("#word")).to_have_text("● SIMULATED 60x")
        expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9]"))

        expect(page.locator("#history-said")).to_have_text("reading …")
    page.close()


def test_a_lake_that_falls_silent_takes_no_line_from_what_is_live(browser: Browser, lake: str, tmp_path: Path) -> None:
    shutil.copytree(lake, tmp_path / "lake")
    context = browser.new_context()
    with serving("--demo", "--speed", "60", "--lake", str(tmp_path / "lake")) as site:
        pages = [context.new_page() for _ in range(2)]
        for page in pages:
            page.goto(f"http://{site.host}/")
            expect(page.locator("#history-said")).to_contain_text("bars, from 2026-")
        for part in (tmp_path / "lake/bars").glob("*.parquet"):
            part.unlink()
            os.mkfifo(part)
        for page in pages:
            for length in ("1m", "1h", "5m", "1m"):
                page.locator("#length").select_option(length)
            page.get_by_role("button", name="ETH-USD").click()

            expect(page.locator("#product")).to_have_text("ETH-USD")
    context.close()


def test_the_first_key_leads_past_the_head(seen: Seen) -> None:
    seen.page.keyboard.press("Tab")

    assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the figures"


def test_the_history_of_a_lake_is_shown_and_can_be_chosen(seen: Seen) -> None:
    page = seen.page
    expect(page.locator("#history-said")).to_contain_text("bars, from 2026-")
    five = page.locator("#history-said").inner_text()
    page.locator("#length").select_option("1m")
    expect(page.locator("#history-said")).not_to_have_text(five)

    assert page.locator("#scores tr").count() > 1
    assert page.locator("#gaps tr").count() > 1
    assert page.locator("#bars canvas").count() > 0
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert Path(download.value.path()).read_text().startswith('"product_id"')
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_every_width_and_whoever_needs_contrast_or_a_reader(
    width: int, scheme: Any, browser: Browser, site: Site
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"http://{site.host}/")
    expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9]"))
    expect(page.locator("#history-said")).to_contain_text("bars, from")
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()

    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")] == []
    assert overflow == 0


def test_a_server_that_goes_is_said_at_once_and_one_that_comes_back_is_heard(browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = browser.new_context()
    page = context.new_page()
    with serving("--demo", "--speed", "60", port=port) as site:
        page.goto(f"http://{site.host}/")
        expect(page.locator("#word")).to_have_text("● SIMULATED 60x")
    expect(page.locator("#word")).to_have_text("■ NO SERVER", timeout=10_000)
    expect(page.locator("#alarm")).to_contain_text("No figure below is current.")
    assert page.locator("#best_bid").inner_text() == "—"
    assert page.locator("#w-mid_price td").first.inner_text() == "—"
    assert set(page.locator("#rows td").all_inner_texts()) == {"—"}

    with serving("--demo", "--speed", "60", port=port):
        expect(page.locator("#word")).to_have_text("● SIMULATED 60x", timeout=15_000)
        expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9]"))
        expect(page.locator("#alarm")).to_be_hidden()
    context.close()


def test_what_the_feed_says_is_text_and_never_html(browser: Browser, exchange_that_says: Says) -> None:
    evil = "<img src=x onerror=alert(1)>"
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))

    with exchange_that_says(evil) as url, serving("-p", "ETH-USD", "--url", url) as site:
        page.goto(f"http://{site.host}/")
        expect(page.locator("#detail")).to_contain_text(evil)

        assert (page.locator("img").count(), asked) == (0, [])
    context.close()


def test_a_page_that_nobody_sees_has_no_line_and_shows_nothing_as_current(seen: Seen, site: Site) -> None:
    page = seen.page
    expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9]"))

    _hide(page, "true")
    expect(page.locator("#word")).to_have_text("■ PAUSED")
    assert page.locator("#best_bid").inner_text() == "—"
    assert page.title().startswith("■ PAUSED")
    deadline = time.monotonic() + 10
    while b"coinbase_insights_viewers 0\n" not in site.ask("/metrics")[2]:
        assert time.monotonic() < deadline

    _hide(page, "false")
    expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9]"))
    assert seen.complaints == []


def _hide(page: Page, value: str) -> None:
    hidden = f"Object.defineProperty(document, 'hidden', {{ value: {value}, configurable: true }})"
    page.evaluate(f"{hidden}; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_page_that_may_not_look_any_more_is_told_why(browser: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = browser.new_context()
    page = context.new_page()
    with serving("--demo", "--token", "the-first-of-two-tokens", port=port) as site:
        page.goto(f"http://{site.host}/?token=the-first-of-two-tokens")
        expect(page.locator("#word")).to_have_text("● SIMULATED")

    with serving("--demo", "--token", "the-second-of-two-tokens", port=port):
        expect(page.locator("#word")).to_have_text("■ REFUSED", timeout=15_000)
        expect(page.locator("#alarm")).to_contain_text("The server says: a token is needed")
    context.close()


def test_nothing_but_the_page_is_loaded_and_that_is_little(browser: Browser, site: Site) -> None:
    context = browser.new_context()
    page = context.new_page()
    loaded: dict[str, int] = {}
    page.on("response", lambda answer: loaded.update({answer.url: int(answer.headers.get("content-length", "0"))}))
    page.goto(f"http://{site.host}/")
    expect(page.locator("#best_bid")).to_have_text(re.compile(r"[0-9]"))
    context.close()

    own = {url.removeprefix(f"http://{site.host}"): size for url, size in loaded.items() if "/api/" not in url}
    names = {"/", "/page.css", "/page.js", "/charts.js", "/history.js", "/lightweight-charts.mjs"}
    assert {url for url in own if not url.startswith("data:")} == names
    assert 200_000 < sum(own.values()) < 300_000


def test_at_the_same_moment_page_api_terminal_and_warehouse_say_the_same(
    browser: Browser, lake: str, tmp_path: Path
) -> None:
    words = ("run", "--from", lake, "--channel", "ticker", "--speed", "max", "--format", "lines")
    lines = subprocess.run((*PROGRAM, *words), capture_output=True, text=True, check=True).stdout.splitlines()
    (*_, last) = (line.split() for line in lines if " ETH-USD " in line)
    told = dict(pairwise(last))
    publish(lake, Address.parse(f"duckdb:///{tmp_path}/w.duckdb"), [INSIGHTS])
    names = "mid_price, forecast, mid_price_mean_15m, forecast_error_mean_15m"
    query = f"select {names} from insights where product_id = 'ETH-USD' order by \"row\" desc limit 1"
    with duckdb.connect(f"{tmp_path}/w.duckdb") as warehouse:
        (row,) = warehouse.execute(query).fetchall()
    context = browser.new_context()
    page = context.new_page()

    with serving("--from", lake, "--channel", "ticker", "--speed", "max") as site:
        page.goto(f"http://{site.host}/?product=ETH-USD")
        expect(page.locator("#word")).to_have_text("■ ENDED")
        expect(page.locator("#product")).to_have_text("ETH-USD")
        insight = site.json("/api/insights/ETH-USD")["insight"]
        shown = {name: page.locator(f"#{name}").inner_text().replace(",", "") for name in ("best_bid", "forecast")}
        cells = page.locator("#w-mid_price td").all_inner_texts() + page.locator("#w-error td").all_inner_texts()
    context.close()

    assert shown == {"best_bid": told["bid"], "forecast": told["fc60"]}
    columns = ("mid", "avg1", "avg5", "avg15", "err", "err1", "err5", "err15")
    assert [cell.replace(",", "").replace("—", "-") for cell in cells] == [told[name] for name in columns]
    assert row == (
        insight["mid_price"],
        insight["forecast"]["value"],
        insight["mid_price_mean"]["15m"]["value"],
        insight["forecast_error_mean"]["15m"]["value"],
    )
