"""From the socket to the insight, in CPU time of the client: ours beside Coinbase's own client, in the same flood."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .row import Row
from .tickers import write_flood

ROOT = Path(__file__).parents[1]
SDK = ROOT / ".venv-clients/coinbase-advanced-py/bin/python"
TICKERS = 100_000
SOME = 40_001
"""Messages that are enough to tell the steps apart: eight slices."""
ROUNDS = 3
STAGES = ("line", "wire", "pipe", "update", "json")
MOST_OF_SDK = 0.8
TIMEOUT = 180
NO_SDK = "not here: `make clients` installs it"


def rows() -> list[Row]:
    """Flood every client over a plain and over a compressing line."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        count = write_flood(lines, TICKERS)
        everything = str(count)
        asked = {"update": [everything, "update"], "asked": [everything, "update", "compression"]}
        plain = _against(lines, everything, "plain", {"update": [everything, "update"]})
        deflate = _against(lines, everything, "deflate", asked)
        few = Path(folder) / "few"
        few.write_bytes(b"\n".join(lines.read_bytes().split(b"\n")[:SOME]))
        shares = _against(few, "", "plain", {stage: [str(SOME), stage] for stage in STAGES})
    return [
        _beside("socket to insight, no compression", plain["update"], plain.get("sdk")),
        _beside("socket to insight, each by its defaults: only the SDK is sent", deflate["update"], deflate.get("sdk")),
        _beside("the same, both sent compressed frames (`--compression`)", deflate["asked"], deflate.get("sdk"), False),
        *_shares(shares),
    ]


def _beside(what: str, ours: float, sdk: float | None, is_promised: bool = True) -> Row:
    measured = f"{ours:.1f} us a message"
    goal = f"<= {MOST_OF_SDK} of the SDK" if is_promised else ""
    if sdk is None:
        return Row(what, measured, goal, f"SDK {NO_SDK}")
    ratio = ours / sdk
    return Row(
        what,
        f"{measured}, {ratio:.2f} of the SDK",
        goal,
        f"SDK, receiving only: {sdk:.1f} us",
        ratio <= MOST_OF_SDK if is_promised else None,
    )


def _shares(cost: dict[str, float]) -> Iterator[Row]:
    """Give what each further step costs."""
    words = ("line: frames out of the socket", "wire: JSON to quotes", "pipe: checks and counts", "update: all figures")
    before = 0.0
    for stage, word in zip(STAGES, words, strict=False):
        yield Row(f"- {word}", f"{cost[stage] - before:.1f} us a message")
        before = cost[stage]
    yield Row("- and each insight as a JSON line", f"{cost['json'] - before:.1f} us a message")


def _against(lines: Path, for_sdk: str, kind: str, ours: dict[str, list[str]]) -> dict[str, float]:
    """Give microseconds a message of each client, the best of some rounds, in turns; the SDK's too if it is to run."""
    costs: dict[str, list[float]] = {}
    with _flood(lines, kind) as url:
        for _ in range(ROUNDS):
            if for_sdk and SDK.exists():
                costs.setdefault("sdk", []).append(_cost([str(SDK), "benchmarks/programs/sdk.py", url, for_sdk]))
            for name, arguments in ours.items():
                command = [sys.executable, "-m", "benchmarks.programs.ours", url, *arguments]
                costs.setdefault(name, []).append(_cost(command))
    return {name: min(values) for name, values in costs.items()}


@contextmanager
def _flood(lines: Path, kind: str) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.flood", str(lines), kind]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"ws://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def _cost(command: list[str]) -> float:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=TIMEOUT, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result.get("wrong", 0) == 0, result
    return float(result["cost"])
