"""Building on Spark: on one core and on two, and beside range windows in Spark's own SQL."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .row import Row

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-spark" / "4.1" / "bin" / "python"
MANY, FEW, DENSE = 4_000_000, 500_000, 20
"""Quotes; and of the few, how many a second and product, as level2 has them when much happens."""


def rows() -> list[Row]:
    """Measure many quotes on one core and on two, and few beside range windows. Spark has started and is warm."""
    if not PYTHON.exists():
        return [Row("build --engine spark", "not measured: `make spark` makes its environment")]
    with tempfile.TemporaryDirectory() as folder:
        lakes = []
        for name, quotes, pace in (("warm", 100_000, 1), ("few", FEW, DENSE), ("many", MANY, 1)):
            lakes.append(f"{folder}/{name}")
            make = (sys.executable, "-m", "benchmarks.programs.building", lakes[-1], str(quotes), "make", str(pace))
            subprocess.run(make, cwd=ROOT, check=True)
        one, two = (_seconds(f"local[{cores}]", folder) for cores in (1, 2))
    gain, lead = one["many"] / two["many"], two["windows"] / two["few"]
    return [
        Row(
            f"build --engine spark, {MANY:,} quotes: local[1] over local[2]",
            f"{gain:.2f} times",
            ">= 1.7 times",
            f"{one['many']:.1f} s and {two['many']:.1f} s",
            gain >= 1.7,
        ),
        Row(
            f"- {FEW:,} quotes, {DENSE} a second: range windows in Spark SQL over ours",
            f"{lead:.0f} times",
            ">= 20 times",
            f"{two['windows']:.1f} s for a part of the figures, ours {two['few']:.1f} s for all",
            lead >= 20,
        ),
    ]


def _seconds(master: str, folder: str) -> dict[str, float]:
    command = [PYTHON, ROOT / "benchmarks" / "programs" / "onspark.py", master, folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
