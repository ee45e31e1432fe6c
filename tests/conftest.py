"""What every test may ask for. In CI a skipped test is a failure: there, everything is to be had."""

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from broker import broker
from identity import told
from lakes import built, walk, walked
from recordings import recording
from site_of import silent_store, site

__all__ = ["broker", "built", "recording", "silent_store", "site", "told", "walk", "walked"]

IN_CI = os.environ.get("CI") == "true"
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.load_profile("ci" if IN_CI else "quick")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data that lies beside the repository; some of it may not be copied."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"there is no recorded market data at {SHARED_DATA}")
    return SHARED_DATA


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"No test may be skipped in CI. {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", metavar="FILE", help="keep how the tests went that are named after a row of faults")


class Rows:
    """Keeps the outcome of each test, for docs/reliability.py."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        named = [name for name in sorted(self._outcomes) if "test_row_" in name or "test_property_" in name]
        rows = [[name, self._outcomes[name]] for name in named]
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(rows, indent=0))


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--rows")
    if path and not hasattr(config, "workerinput"):  # of several processes the first hears of every test
        config.pluginmanager.register(Rows(Path(path)))
