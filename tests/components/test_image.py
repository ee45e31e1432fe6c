"""The image without a container engine: what its Dockerfile says is done, and its processes live as containers do."""

import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from coinbase_insights import __version__
from coinbase_insights.lake.verify import verify
from composed import ROOT
from dockerfile import USER, Image, is_ignored, lines_of
from lakes import lake_of, long_walk

pytestmark = pytest.mark.timeout(300)  # pip installs what the image carries


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    folder = Path(tempfile.mkdtemp(prefix="image-"))  # Not that of pytest, which is root's alone.
    folder.chmod(0o755)
    yield Image(folder)
    shutil.rmtree(folder)


@pytest.fixture
def data(image: Image) -> Iterator[Path]:
    """The volume; empty, but for the compiled rules."""
    folder = image.root / "data"
    yield folder
    for each in folder.iterdir():
        if each.name != ".cache":
            shutil.rmtree(each) if each.is_dir() else each.unlink()


@pytest.fixture
def lake(data: Path) -> str:
    """A lake of half an hour in the volume, which belongs to whoever owns that."""
    made = lake_of(data / "lake", long_walk(0.5))
    subprocess.run(["chown", "-R", f"--reference={data}", made], check=True)
    return made


def outside(image: Image) -> dict[str, int]:
    """When each file of the image was written, but for those of the volume."""
    return {
        str(path): path.lstat().st_mtime_ns
        for path in image.root.rglob("*")
        if image.root / "data" not in (path, *path.parents)
    }


def test_it_is_nobodys_and_its_process_is_told_its_words_by_itself(image: Image) -> None:
    text = (ROOT / "Dockerfile").read_text()
    froms = [line.text for line in lines_of(text) if line.word == "FROM"]
    assert image.user == f"{USER}:{USER}"
    assert (image.entrypoint, image.command) == (["coinbase_insights"], ["--help"])
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+( AS \w+)?", each) for each in froms)
    assert "Usage: coinbase_insights" in image.done()[1]


def same(name: str) -> str:
    return name.lower().replace("-", "_")


def test_it_carries_what_is_locked_and_nothing_that_could_install_more(image: Image) -> None:
    packages = {path.name for path in (image.root / "opt/coinbase_insights/lib").rglob("*.dist-info")}
    lines = [line for line in (ROOT / "requirements/image.txt").read_text().splitlines() if "win32" not in line]
    locked = {(found[1], found[2]) for found in (re.match(r"([\w-]+)==(\S+) ", line) for line in lines) if found}
    wanted = {f"{name}-{version}.dist-info" for name, version in locked} | {
        f"coinbase_insights-{__version__}.dist-info"
    }
    assert {same(name) for name in packages} == {same(name) for name in wanted}
    assert not (image.root / "opt/coinbase_insights/bin/pip").exists()
    assert not any((image.root / name).exists() for name in ("source", "build", "wheels"))


def test_only_what_is_copied_is_sent_to_the_engine(image: Image) -> None:
    copied = [line.text.split()[:-1] for line in lines_of((ROOT / "Dockerfile").read_text()) if line.word == "COPY"]
    sources = {source for words in copied if not words[0].startswith("--from=") for source in words}
    assert {name.split("/")[0] if name.startswith("src/") else name for name in image.context} == sources
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(is_ignored(name, ignored) for name in (".env", ".git/config", "src/coinbase_insights/__pycache__/x.pyc"))


def test_it_builds_asks_checks_and_copies_on_a_read_only_system(image: Image, lake: str, data: Path) -> None:
    before = outside(image)
    for words in (
        ("build", lake, "--channel", "ticker"),
        ("sql", lake, "select count(*) from insights"),
        ("publish", lake, "--to", "duckdb:///market.duckdb"),
        ("backtest", lake, "--report", "page.html"),
        ("train", lake, "--held-out", "5m"),
        ("verify", lake),
    ):
        code, out, err = image.done(*words)
        assert (code, "Traceback" in err) == (0, False), (words, out, err)
    assert outside(image) == before
    assert verify(lake, data / "lake/journal").is_whole
    assert {path.name for path in data.iterdir()} == {"lake", "market.duckdb", "page.html", ".cache"}


def test_it_asks_and_copies_where_nothing_at_all_can_be_written(image: Image, lake: str, data: Path) -> None:
    """As the publisher of compose.yaml, which has no volume."""
    image.done("build", lake, "--channel", "ticker")
    nowhere = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/proc/nonexistent"}
    there = image.done("publish", lake, "--to", "postgresql://nobody@127.0.0.1:1/x", **nowhere)
    again = image.done("build", lake, "--channel", "ticker", **nowhere)
    assert (there[0], again[0], "Traceback" in there[2] + again[2]) == (4, 0, False), there[2] + again[2]
    assert {path.name for path in data.iterdir()} == {"lake", ".cache"}


def answer(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as found:
        return int(found.status)


def test_every_process_ends_within_two_seconds_when_it_is_told(image: Image, data: Path) -> None:
    with ExitStack() as stack:
        market = stack.enter_context(image.started("simulate", "--host", "127.0.0.1", "--port", "0"))
        url = market.says("listening on").split()[2]
        words = ("-p", "ETH-USD", "--channel", "ticker", "--url", url)
        page = stack.enter_context(
            image.started("serve", *words, "--host", "0.0.0.0", "--port", "0", COINBASE_INSIGHTS_TOKEN="x" * 32)
        )
        collector = stack.enter_context(image.started("ingest", *words, "--to", "lake", "--health-port", "0"))
        port = re.findall(r":(\d+)/", page.says("look at"))[-1]
        health = collector.says("health at").split()[-1]
        collector.says("messages")  # It has opened what it needs.

        assert answer(f"http://127.0.0.1:{port}/healthz") == 200
        assert answer(f"{health}/healthz") == 200
        for process in (page, collector, market):
            began = time.monotonic()
            process.signal(signal.SIGTERM)
            code, _, err = process.end()
            assert (code, "Traceback" in err) == (0, False), err
            assert time.monotonic() - began < 2
    assert verify(str(data / "lake"), data / "lake/journal").is_whole


def test_what_is_in_the_middle_of_work_ends_too_though_it_is_the_first_process(image: Image, lake: str) -> None:
    cold = str(image.root / "data/cold")
    with image.started("build", lake, "--channel", "ticker", XDG_CACHE_HOME=cold) as build:
        build.says("compiling")
        began = time.monotonic()

        build.signal(signal.SIGTERM)

        assert build.end()[0] in (143, -signal.SIGTERM)
        assert time.monotonic() - began < 2


def test_what_works_again_and_again_ends_between_two_runs_too(image: Image, lake: str) -> None:
    with image.started("build", lake, "--channel", "ticker", "--every", "1h") as build:
        build.says("new quotes")
        began = time.monotonic()

        build.signal(signal.SIGTERM)

        assert build.end()[0] == 0
        assert time.monotonic() - began < 2
