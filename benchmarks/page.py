"""docs/performance.md: the words are people's, and the table between two marks is written by a run."""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from .row import Row, markdown_table

PAGE = Path(__file__).parents[1] / "docs/performance.md"
BEGIN, END = "<!-- Written by `make bench ARGS=--write`; do not edit. -->\n", "<!-- End of what is written. -->\n"


def machine() -> str:
    """Name the machine by its cores and its kind of processor, and the Python."""
    found = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    name = re.sub(r"\((R|TM)\)|@.*|\b(CPU|Processor)\b", " ", found[1] if found else platform.machine())
    return f"{os.cpu_count()} cores, {' '.join(name.split())}, Python {platform.python_version()}"


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write(rows: Sequence[Row]) -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"{PAGE} has lost the marks between which the table stands"
    table = f"\nMeasured on: {machine()}.\n\n{markdown_table(rows)}\n\n{verdict(rows)}\n\n"
    PAGE.write_text(before + BEGIN + table + END + after, encoding="utf-8")


def verdict(rows: Sequence[Row]) -> str:
    """Say in a sentence what was promised and not reached."""
    promised = [row for row in rows if row.is_reached is not None]
    missed = [f"{row.what} ({row.measured}; goal {row.goal})" for row in promised if not row.is_reached]
    if not missed:
        return f"All {len(promised)} goals are reached."
    return f"{len(promised) - len(missed)} of {len(promised)} goals are reached. Not reached: {'; '.join(missed)}."
