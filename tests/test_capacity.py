"""The page of costs: its tables are those of what was measured and of its prices, and anyone gets the same sums."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cost.md").read_text()
MEASURED: dict[str, Any] = json.loads((ROOT / "benchmarks" / "capacity.json").read_text())


def cell(row: str, column: str) -> float:
    """A figure of the table of a year."""
    (heads,) = re.findall(r"^\| +\| (ticker_batch, .*) \|$", PAGE, re.M)
    (cells,) = re.findall(rf"^\| {re.escape(row)} \| (.*) \|$", PAGE, re.M)
    return float(dict(zip(heads.split(" | "), cells.split(" | "), strict=True))[column].strip("*").replace(",", ""))


def test_the_tables_are_those_of_what_was_measured_and_of_the_prices() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.capacity", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_sums_of_all_products_at_ticker_batch_are_easy_to_follow() -> None:
    batch, beat = MEASURED["kinds"]["ticker_batch"], MEASURED["kinds"]["heartbeat"]
    gigabytes = 400 * (batch["busiest"] * batch["raw"] + 1 * beat["raw"]) * 365 * 86_400 / 1e9
    tables = 400 * batch["busiest"] * MEASURED["quote_bytes"] * 365 * 86_400 / 1e9
    assert abs(cell("messages a second", "ticker_batch, 400") - 400 * (batch["busiest"] + 1)) < 0.1
    assert abs(cell("`raw`, GB a year", "ticker_batch, 400") - gigabytes) < 0.1
    assert abs(cell("storage, a month", "ticker_batch, 400") - 0.021 * (gigabytes + tables)) < 1


def test_what_azd_up_costs_is_the_sum_of_what_it_makes() -> None:
    messages = 400 * (MEASURED["kinds"]["ticker_batch"]["busiest"] + 1)
    broker = 0.03 * 730 + messages * 730 * 3600 / 1e6 * 0.028
    machine, doors, registry, logs = 0.035 * 730, 3 * (0.01 * 730 + 0.5), 5, 2 * 2.76
    whole = cell("storage, a month", "ticker_batch, 400") + broker + machine + doors + registry + logs
    assert abs(cell("**`azd up`, a month**", "ticker_batch, 400") - whole) < 1.5


def test_one_product_is_the_busiest_and_all_are_as_quiet_as_the_average_of_ten() -> None:
    kind = MEASURED["kinds"]["ticker"]
    assert abs(cell("quotes a second", "ticker, 1") - kind["busiest"]) < 0.1
    assert abs(cell("quotes a second", "ticker, 400") - 400 * kind["busiest"] * MEASURED["share"]) < 1
