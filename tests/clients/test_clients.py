"""Real Coinbase clients receive from the simulator, each in an environment of its own.

`make clients` runs this. An environment that is missing is made, under `.venv-clients` or where the environment
variable COINBASE_INSIGHTS_CLIENTS points; that takes a minute, once.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from coinbase_insights.simulator.market import Market
from coinbase_insights.simulator.server import Options, serve

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
pytestmark = pytest.mark.timeout(600)  # making an environment takes a minute

CACHE = Path(os.environ.get("COINBASE_INSIGHTS_CLIENTS", ROOT / ".venv-clients"))


def environment(name: str) -> Path:
    """Give the Python of a client's environment; make it where there is none."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
            "--no-compile",
        ]
        requirements = ROOT / "requirements" / "clients" / f"{name}.txt"
        subprocess.run([*pip, "--require-hashes", "--requirement", requirements], check=True)
        (folder / ".ready").touch()
    return python


@pytest.fixture(scope="module")
def official_sdk() -> Path:
    return environment("coinbase-advanced-py")


@pytest.fixture(scope="module")
def ccxt() -> Path:
    return environment("ccxt")


def meet(python: Path, program: str, options: Options) -> list[Any]:
    """Run a client's program against a market of today; give the JSON lines that it prints."""

    async def session() -> list[Any]:
        async with serve(Market(time.time_ns() // 1000), options=options) as server:
            arguments = (python, "-I", PROGRAMS / program, server.url, server.rest_url)
            client = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
            output, _ = await asyncio.wait_for(client.communicate(), 55)
            assert client.returncode == 0
            return [json.loads(line) for line in output.splitlines()]

    return asyncio.run(session())


def test_the_official_sdk_receives_every_channel(official_sdk: Path) -> None:
    frames = meet(official_sdk, "advanced_sdk.py", Options(speed=3, client_id=True))
    by_channel = {frame["channel"]: frame["events"][0] for frame in frames}
    assert by_channel["ticker"]["tickers"][0]["product_id"] in ("BTC-USD", "ETH-USD")
    assert by_channel["l2_data"]["type"] == "snapshot"
    assert set(by_channel) >= {"heartbeats", "ticker_batch", "market_trades", "candles", "subscriptions"}


def test_ccxt_receives_tickers_trades_and_candles(ccxt: Path) -> None:
    (seen,) = meet(ccxt, "ccxt_pro.py", Options(speed=3))
    assert {"BTC/USD", "ETH/USD", "SKL/BTC"} <= set(seen["markets"])
    assert all(ticker["bid"] < ticker["ask"] for ticker in seen["tickers"])
    times = [ticker["timestamp"] for ticker in seen["tickers"]]
    assert times == sorted(times)
    assert all(trade["symbol"] == "ETH/USD" and trade["amount"] > 0 for trade in seen["trades"])
    assert len(seen["candles"]) >= 10
    assert seen["ticker"]["bid"] < seen["ticker"]["ask"]
