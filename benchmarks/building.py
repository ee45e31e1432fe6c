"""Building: from quotes to insights, bars and scores, beside what others need for a part of it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from coinbase_insights.lake.build import build
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.tables import QUOTES
from coinbase_insights.log.journal import read
from coinbase_insights.log.segments import Segments

from .row import Row, at_most

ROOT = Path(__file__).parents[1]
RECORDING = ROOT.parent / "shared/data/advanced_2026-04-05_BTC-USD_ticker.rec"
MANY, FEW = 10_000_000, 2_000_000
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Whoever measures us may have told Python to compile every module anew; nobody who uses us has."""


def rows() -> list[Row]:
    """Measure ours on many quotes, and all of them on fewer."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder) / "many", Path(folder) / "few"
        for lake, quotes in ((many, MANY), (few, FEW)):
            program("building", str(lake), str(quotes), "make")
        ours, less = program("building", str(many), str(MANY)), program("building", str(few), str(FEW))
        peers = {
            name: program("describing", name, str(few), f"{folder}/out.parquet")
            for name in ("polars", "pandas", "duckdb")
        }
        return [
            at_most(f"build, {MANY:,} quotes to all figures: CPU", ours["cpu"], 15, "s", f"{ours['seconds']:.0f} s"),
            at_most("- memory", ours["memory"], 500, "MB", f"{less['memory']:.0f} MB with {FEW:,}"),
            Row(f"- {FEW:,} quotes: CPU", f"{less['cpu']:.1f} s", "", "all figures, scores and bars"),
            *(
                Row(
                    f"- {name}, mid-prices, spreads and means only",
                    f"{peer['cpu']:.1f} s, {peer['memory']:.0f} MB",
                    "more than ours",
                    f"{peer['cpu'] / less['cpu']:.1f} of ours",
                    peer["cpu"] > less["cpu"],
                )
                for name, peer in peers.items()
            ),
            *_size(),
        ]


def program(name: str, *words: str) -> dict[str, Any]:
    """Run a program of benchmarks.programs in a process of its own; give what it measured."""
    command = [sys.executable, "-m", f"benchmarks.programs.{name}", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, env=ENVIRONMENT)
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def _size() -> list[Row]:
    """How small quotes are, on a real recording of twenty minutes."""
    if not RECORDING.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        raw, journal = Raw(folder, create=True), Segments(Path(folder) / "journal")
        for item in read(RECORDING):
            journal.write(item)
        journal.sync()
        Landing(raw, Path(folder) / "journal").land(journal.durable)
        journal.close()
        build(folder, "ticker", "tilt")
        quotes = Delta(folder, QUOTES)
        size = sum(len(quotes.bytes_of(part)) for part in quotes.parts()) / quotes.landed(QUOTES.name)
    return [at_most("size of a quote, 20 minutes of a real recording", size, 12, "bytes")]
