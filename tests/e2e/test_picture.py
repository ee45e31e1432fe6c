"""The whole picture of compose.yaml on this machine: each of its processes is killed, and every stage says the same.

    simulator -> collector -> Kafka -> lander -> Azurite -> Spark, and the local engine -> PostgreSQL, API and page

The commands are those of compose.yaml; only the names of hosts and folders are this machine's. `make e2e` runs it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pytest
from playwright.sync_api import expect, sync_playwright

from azurite import Azurite, free_port
from broker import Broker
from coinbase_insights.errors import StorageError
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.place import place
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.tables import BARS, INSIGHTS, Table
from coinbase_insights.log.kafka import Address, Reader
from coinbase_insights.log.topic_line import item_of
from composed import GIVEN, services
from postgres import Server, run_at
from site_of import PROGRAM, serving
from warehouses import assert_same_as_lake, whole

pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).parents[2]
SPARK = ROOT / ".venv-spark/4.1/bin/python"
LAKE, LOG = "az://lake/market", "raw/0"
ACCOUNT = "devstoreaccount1.dfs.core.windows.net"
PACKAGES = "io.delta:delta-spark_4.1_2.13:4.2.0,org.apache.hadoop:hadoop-azure:3.4.2"
FIGURES = ("mid_price", "forecast", "mid_price_mean_1m", "mid_price_mean_15m", "forecast_error_mean_15m", "quotes_1m")


def wait_for(holds: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come: {what}"
        time.sleep(0.1)


class Kept:
    """A process that is started again when it ends, as `restart: unless-stopped` asks."""

    def __init__(self, words: list[str], variables: dict[str, str], log: Path) -> None:
        self._words, self._variables, self._log = words, variables, log
        self._is_wanted = True
        self.process = self._start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(self._words, env=os.environ | self._variables, stdout=log, stderr=log)

    def _keep(self) -> None:
        while self._is_wanted:
            self.process.wait()
            time.sleep(0.2)
            if self._is_wanted:
                self.process = self._start()

    def kill(self) -> None:
        """Kill it, and wait until another one is in its place."""
        before = self.process
        before.kill()
        wait_for(lambda: self.process is not before, "a new start")

    def stop(self) -> int:
        """Tell it to end, and give its exit code."""
        self._is_wanted = False
        self.process.terminate()
        self._keeper.join(10)
        return self.process.wait(10)

    def end(self) -> None:
        """Whatever has happened: leave nothing behind."""
        self._is_wanted = False
        self.process.kill()
        self.process.wait()
        self._keeper.join()


class Picture:
    """All that runs, and the commands of compose.yaml with this machine's names in them."""

    def __init__(self, folder: Path, servers: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.azurite, self.broker, self.postgres = Azurite(folder / "azurite"), Broker(folder), Server(servers)
        stack.callback(self.azurite.kill)
        self.broker.start()
        stack.callback(self.broker.kill)
        self.postgres.start()
        stack.callback(self.postgres.stop)
        run_at(self.postgres.address("postgres"), "create role market login")
        run_at(self.postgres.address("postgres"), "create database market owner market")
        ports = {name: str(free_port()) for name in ("8765", "8080", "8081")}
        self.page_at = f"127.0.0.1:{ports['8080']}"
        self._names = ports | {
            "simulator": "127.0.0.1",
            "broker:9092": self.broker.servers,
            "store:10000": f"127.0.0.1:{self.azurite.port}",
            "warehouse/": f"127.0.0.1:{self.postgres.port}/",
            "/data": str(folder),
            "0.0.0.0": "127.0.0.1",
            "commit-every=10s": "commit-every=1s",
        }
        self.topic = Address(self.broker.servers, "raw")
        self.kept: dict[str, Kept] = {}

    def placed(self, text: str) -> str:
        names = "|".join(rf"(?<!\w){re.escape(name)}" for name in self._names)
        return re.sub(names, lambda found: self._names[found[0]], text)

    def command(self, name: str, *, once: bool = False) -> tuple[list[str], dict[str, str]]:
        """Give the command line of a service, and its variables; `once` for one that works again and again."""
        service = services()[name]
        return (
            [*PROGRAM, *map(self.placed, service.once if once else service.words)],
            {key: self.placed(value) for key, value in service.variables.items()},
        )

    def start(self, name: str, *more: str) -> Kept:
        words, variables = self.command(name)
        made = Kept([*words, *more], variables, self.folder / f"{name}.log")
        self._stack.callback(made.end)
        self.kept[name] = made
        return made

    def do(self, name: str) -> "subprocess.CompletedProcess[str]":
        """Do once what a service does again and again."""
        words, variables = self.command(name, once=True)
        return subprocess.run(words, env=os.environ | variables, capture_output=True, text=True, check=False)

    def sent(self) -> int:
        """Messages in the topic."""
        with suppress(StorageError):
            reader = Reader(self.topic)
            try:
                return reader.range()[1]
            finally:
                reader.close()
        return 0

    def landed(self) -> int:
        """Messages in the lake; as few as none while it cannot be asked."""
        with suppress(StorageError):
            return Raw(LAKE).landed(LOG)
        return 0

    def wait_for_more(self, messages: int = 100) -> None:
        """Wait until what comes from the market now is in the lake."""
        wanted = max(self.sent(), self.landed()) + messages
        wait_for(lambda: self.landed() >= wanted, f"{wanted} messages in the lake")

    def answers(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://{self.page_at}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def ask(self, query: str) -> pa.Table:
        with adbc.connect(self.postgres.address("market")) as connection, connection.cursor() as cursor:
            cursor.execute("set search_path = coinbase_insights")
            cursor.execute(query)
            return cursor.fetch_arrow_table()

    def spark(self) -> "subprocess.Popen[str]":
        """Start the builder's command on Spark, which reads the same lake by Hadoop's own client of Azure."""
        words, variables = self.command("builder", once=True)
        settings = {
            f"fs.azure.account.key.{ACCOUNT}": variables["AZURE_STORAGE_ACCOUNT_KEY"],
            "fs.azure.abfs.endpoint": f"127.0.0.1:{self.azurite.port}",
            "fs.azure.always.use.https": "false",
            "fs.azure.account.hns.enabled": "false",
            "fs.azure.fns.account.service.type": "BLOB",
        }
        given = " ".join(f"--conf spark.hadoop.{name}={value}" for name, value in settings.items())
        variables["PYSPARK_SUBMIT_ARGS"] = f"{given} --driver-memory 600m --packages {PACKAGES} pyspark-shell"
        address = f"abfs://lake@{ACCOUNT}/market"
        words = [str(SPARK), *(word.replace(LAKE, address) for word in words[1:])]
        return subprocess.Popen(
            [*words, "--engine=spark", "--master=local[1]"],
            env=os.environ | variables,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def kill_processes(picture: Picture) -> None:
    for name in ("simulator", "collector", "lander"):
        picture.kept[name].kill()
        picture.wait_for_more()
    picture.kept["page"].kill()
    wait_for(picture.answers, "the page")


def kill_broker(picture: Picture) -> None:
    picture.broker.kill()
    picture.broker.start()
    picture.wait_for_more()


def kill_store(picture: Picture) -> None:
    """Kill Azurite when it has written all that it has acknowledged: it does so now and then, as no real store may."""
    lander = picture.kept["lander"].process
    lander.send_signal(signal.SIGSTOP)
    names = place(LAKE).tree()
    wait_for(lambda: all(map(picture.azurite.has_kept, names)), "what Azurite keeps")
    picture.azurite.kill()
    lander.send_signal(signal.SIGCONT)
    picture.azurite.start()
    picture.wait_for_more()


def kill_spark(picture: Picture) -> None:
    with picture.spark() as first:
        assert first.stderr is not None
        assert any("log level" in line for line in first.stderr)
        os.killpg(first.pid, signal.SIGKILL)
    with picture.spark() as second:
        said = second.communicate(timeout=240)[1]
    assert second.returncode == 0, said[-3000:]
    assert re.search(r"[1-9][0-9,]* new insights", said)


def kill_warehouse(picture: Picture) -> None:
    first = picture.do("publisher")
    picture.postgres.kill()
    away = picture.do("publisher")
    picture.postgres.start()
    assert (first.returncode, away.returncode) == (0, 4), first.stderr + away.stderr
    assert "Traceback" not in away.stderr


def end(picture: Picture) -> None:
    """Stop the market's collector; all that it has heard must come through."""
    picture.wait_for_more(500)
    assert picture.kept["collector"].stop() == 0
    wait_for(lambda: picture.landed() == picture.sent(), "the rest")
    assert picture.kept["lander"].stop() == 0
    for name in ("builder", "publisher"):
        done = picture.do(name)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Picture]:
    """The whole picture, after everything in it has been killed once."""
    folder = tmp_path_factory.mktemp("picture")
    (folder / "azurite").mkdir()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        servers = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
        made = Picture(folder, servers, stack)
        for name, value in made.azurite.variables.items():
            patch.setenv(name, value)
        made.broker.make_topic(*map(made.placed, services()["topic"].words))
        made.start("simulator", "--speed=10")
        made.start("collector")
        made.start("lander")
        made.wait_for_more(200)
        made.start("page")
        wait_for(made.answers, "the page")
        for kill in (kill_processes, kill_broker, kill_store, kill_spark, kill_warehouse, end):
            kill(made)
        yield made


@pytest.fixture(scope="module")
def recording(picture: Picture) -> Path:
    """What is in the topic, as a recording."""
    reader, lines = Reader(picture.topic), list[bytes]()
    reader.seek(0)
    end = reader.range()[1]
    while len(lines) < end:
        lines += [line for _, line in reader.read(1_000, 1.0)]
    reader.close()
    path = picture.folder / "topic.rec"
    path.write_bytes(b"".join(lines))
    return path


def play(recording: Path, form: str) -> list[str]:
    words = ("run", "--from", str(recording), "--channel", "ticker", "--speed", "max", "--format", form)
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=True).stdout.splitlines()


def figures(insight: dict[str, Any]) -> tuple[Any, ...]:
    """Some figures of a JSON line, as the columns FIGURES have them."""
    means, errors = insight["mid_price_mean"], insight["forecast_error_mean"]
    return (
        insight["mid_price"],
        insight["forecast"]["value"],
        means["1m"]["value"],
        means["15m"]["value"],
        errors["15m"]["value"],
        means["1m"]["count"],
    )


def by_product(rows: list[tuple[str, tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    found = defaultdict[str, list[tuple[Any, ...]]](list)
    for product_id, row in rows:
        found[product_id].append(row)
    return found


def test_the_lake_holds_the_topic_byte_for_byte_in_its_order_and_is_whole(picture: Picture, recording: Path) -> None:
    checked = subprocess.run([*PROGRAM, "verify", LAKE], capture_output=True, text=True, check=False)
    items = [item_of(line) for line in recording.read_bytes().splitlines(keepends=True)]

    assert (checked.returncode, checked.stdout.splitlines()[-1][:6]) == (0, "whole:"), checked.stdout
    assert list(collected(LAKE)) == items
    assert len(items) > 1_000


def test_every_figure_of_the_terminal_is_that_of_the_lake(picture: Picture, recording: Path) -> None:
    lines = [json.loads(line) for line in play(recording, "json")]
    told = by_product([(line["product_id"], figures(line)) for line in lines if line["type"] == "insight"])
    columns = whole(LAKE, INSIGHTS).select(["product_id", *FIGURES]).to_pylist()
    kept = by_product([(row["product_id"], tuple(row[name] for name in FIGURES)) for row in columns])

    assert kept == told
    assert set(kept) == {"BTC-USD", "ETH-USD"}
    assert all(rows[-1][4] is not None for rows in kept.values())


def test_every_row_of_the_warehouse_is_that_of_the_lake(picture: Picture) -> None:
    assert_same_as_lake(LAKE, picture.ask)


def of_api(picture: Picture, query: str) -> list[dict[str, Any]]:
    """Every row that the shipped page's API gives."""
    heads = {"Authorization": f"Bearer {GIVEN['COINBASE_INSIGHTS_TOKEN']}"}
    asked = urllib.request.Request(f"http://{picture.page_at}/api/{query}&format=arrow&limit=10000", headers=heads)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        rows: list[dict[str, Any]] = pa.ipc.open_stream(answer.read()).read_all().to_pylist()
    return rows


@pytest.mark.parametrize("product_id", ["BTC-USD", "ETH-USD"])
@pytest.mark.parametrize(
    ("declared", "more", "columns"),
    [(INSIGHTS, "", FIGURES), (BARS, "&length=1m", ("open", "high", "low", "close", "mean", "quotes"))],
)
def test_every_row_of_the_api_is_that_of_the_lake(
    declared: Table, more: str, columns: tuple[str, ...], product_id: str, picture: Picture
) -> None:
    found = of_api(picture, f"{declared.name}?product_id={product_id}{more}")
    rows = [row for row in whole(LAKE, declared).to_pylist() if row["product_id"] == product_id]
    kept = [row for row in rows if not more or row["length"] == "1m"]

    told, mine = ([tuple(row[name] for name in columns) for row in each] for each in (found, kept))
    assert sorted(told, key=repr) == sorted(mine, key=repr)  # Rows of one moment have no order there.
    assert len(told) > 2


def test_the_page_shows_the_same_as_the_terminal(picture: Picture, recording: Path) -> None:
    shown, lines = picture.folder / "shown.rec", recording.read_bytes().splitlines(keepends=True)
    shown.write_bytes(b"".join(lines[:-1]))  # The last says that the line was lost: nothing is current then.
    *_, last = (line.split() for line in play(shown, "lines") if " ETH-USD " in line)
    told = dict(pairwise(last))
    token = GIVEN["COINBASE_INSIGHTS_TOKEN"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        with serving("--from", str(shown), "--channel", "ticker", "--speed", "max", "--lake", LAKE) as site:
            page.goto(f"http://{site.host}/?product=ETH-USD")
            expect(page.locator("#word")).to_have_text("■ ENDED", timeout=30_000)
            expect(page.locator("#history-said")).to_contain_text("bars, from")
            cells = page.locator("#w-mid_price td").all_inner_texts() + page.locator("#w-error td").all_inner_texts()
        page.goto(f"http://{picture.page_at}/?token={token}&product=ETH-USD")
        expect(page.locator("#word")).to_have_text("● LIVE", timeout=30_000)
        expect(page.locator("#history-said")).to_contain_text("bars, from")
        browser.close()

    columns = ("mid", "avg1", "avg5", "avg15", "err", "err1", "err5", "err15")
    assert [cell.replace(",", "").replace("—", "-") for cell in cells] == [told[name] for name in columns]


@pytest.mark.parametrize("name", ["simulator", "page"])
def test_what_a_container_engine_would_ask_says_that_all_is_well(name: str, picture: Picture) -> None:
    asked = [picture.placed(word) for word in services()[name].said["healthcheck"]["test"]]
    assert subprocess.run([sys.executable, *asked[2:]], check=False).returncode == 0


def test_nobody_met_a_traceback(picture: Picture) -> None:
    said = {path.stem: path.read_text() for path in picture.folder.glob("*.log")}
    assert set(said) == {"simulator", "collector", "lander", "page"}
    assert [name for name, text in said.items() if "Traceback" in text] == []
