"""Collecting: into the journal, from the journal into the lake, and how small it gets."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from coinbase_insights.lake.delta import COMPACTED_LEVEL
from coinbase_insights.lake.parquet import to_parquet
from coinbase_insights.lake.rows import rows as rows_of
from coinbase_insights.lake.tables import RAW

from .row import Row, at_most
from .tickers import write_flood

ROOT = Path(__file__).parents[1]
RECORDING = ROOT.parent / "shared/data/advanced_2026-04-05_BTC-USD_ticker.rec"
FRAMES, MORE = 500_000, 10_000_000
VARIED = 20_000


def rows() -> list[Row]:
    """Measure all of them, one after the other."""
    few, many = _measured(FRAMES), _measured(MORE)
    journal, landing = many["journal"], many["landing"]
    return [
        _at_least("journal, with a sync each second", journal["frames_a_second"], 50_000, "frames/s"),
        Row(
            "- CPU a frame",
            f"{journal['cpu']:.2f} us, {journal['cpu'] / many['append']:.2f} of plain append",
            "",
            f"plain append: {many['append']:.2f} us",
        ),
        at_most("- longest wait until a frame is on the disk", journal["delay"], 2, "s"),
        _at_least("landing, from the journal to raw", landing["frames_a_second"], 200_000, "frames/s"),
        at_most(
            f"- memory with a backlog of {MORE:,} frames",
            many["memory"],
            400,
            "MB",
            _less(few),
        ),
        *_size(),
    ]


def _less(few: dict[str, Any]) -> str:
    return f"{few['memory']:.0f} MB with {FRAMES:,}"


def _at_least(what: str, value: float, least: float, unit: str) -> Row:
    return Row(what, f"{value:,.0f} {unit}", f">= {least:,.0f} {unit}", "", value >= least)


def _measured(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_flood(Path(folder) / "lines", VARIED)
        command = [sys.executable, "-m", "benchmarks.programs.landing", folder, str(count)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def _size() -> list[Row]:
    """Bytes a frame of real recordings, where they are there."""
    if not RECORDING.exists():
        return []
    lines = RECORDING.read_bytes().splitlines(keepends=True)
    size = len(to_parquet([rows_of("journal", 0, lines, None)], RAW, COMPACTED_LEVEL)[0]) / len(lines)
    return [at_most("raw, compacted: 20 minutes of Advanced Trade tickers", size, 64, "bytes a frame")]
