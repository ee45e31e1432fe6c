"""Publishing: rows of bars and insights into a DuckDB file and a PostgreSQL database, for the first time and anew."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .building import program
from .row import Row

ROWS = {"bars": 3_000_000, "insights": 1_000_000}
GOALS = {
    ("DuckDB", "bars"): 1_000_000,
    ("PostgreSQL, anew", "bars"): 100_000,
    ("PostgreSQL, anew", "insights"): 100_000,
}
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PORT = 54_987


def rows() -> list[Row]:
    """Measure each table in each warehouse; the start of the process does not count, that of the libraries does."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for lake in ("old", "new"):
            for table, many in ROWS.items():
                program("publishing", f"{folder}/{lake}", table, "make", str(many))
        for table in ROWS:
            found.append(_row("DuckDB", table, f"{folder}/old", f"duckdb:///{folder}/file.duckdb"))
        if FOLDERS:
            with postgres() as address:
                for table in ROWS:
                    found.append(_row("PostgreSQL", table, f"{folder}/old", address))
                    found.append(_row("PostgreSQL, anew", table, f"{folder}/new", address))
    return found


def _row(where: str, table: str, lake: str, address: str) -> Row:
    measured = program("publishing", lake, table, address)
    goal = GOALS.get((where, table))
    return Row(
        f"publish, {ROWS[table]:,} {table} to {where}",
        f"{measured['speed']:,.0f} rows/s, {measured['memory']:.0f} MB",
        f">= {goal:,} rows/s" if goal else "",
        "",
        measured["speed"] >= goal if goal else None,
    )


@contextmanager
def postgres() -> Iterator[str]:
    """Start a PostgreSQL as it comes, which refuses to run as root; give the address of its database."""
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if user:
            shutil.chown(folder, "postgres", "postgres")

        def do(name: str, *words: str) -> None:
            typed = [str(FOLDERS[-1] / name), "--pgdata", f"{folder}/data", *words]
            subprocess.run(typed, check=True, stdout=sys.stderr, cwd=folder, **user)

        do("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
        options = f"-p {PORT} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        do("pg_ctl", "start", "--wait", "--log", f"{folder}/log", "--options", options)
        try:
            yield f"postgresql://postgres@127.0.0.1:{PORT}/postgres"
        finally:
            do("pg_ctl", "stop", "--wait", "--mode", "immediate")
