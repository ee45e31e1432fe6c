"""The program as a person meets it: how soon it answers, what it costs while it runs, whether it grows."""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .row import Row, at_most, best
from .terminal import Terminal, opened

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "coinbase_insights"]
PRODUCT_ID = "ETH-USD"
SECONDS, SLICE = 30, 5
WARM = 15
MOST_GROWTH = 200
"""Kilobytes per million quotes; what the allocator gives and takes stays below."""


def rows() -> list[Row]:
    """Measure all of them, one after the other."""
    return [
        at_most("--help, CPU", best(lambda: _cpu("--help"), 10), 0.3, "s"),
        at_most("--version, CPU", best(lambda: _cpu("--version"), 10), 0.3, "s"),
        *_screen(),
        _memory(),
    ]


def _cpu(argument: str) -> float:
    """Seconds of CPU that a command takes from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*PROGRAM, argument], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _screen() -> list[Row]:
    """Watch one product on the simulator: until the first screen, then at rest."""
    with _simulator() as url:
        command = [*PROGRAM, "run", "--product-id", PRODUCT_ID, "--url", url]

        def first_screen() -> float:
            with opened(command) as terminal:
                return terminal.wait_for(PRODUCT_ID.encode(), 10)

        soonest = best(first_screen, 5)
        with opened(command) as terminal:
            terminal.wait_for(b"LIVE", 20)
            terminal.watch(WARM)
            drawn = terminal.drawn
            shares = [_share(terminal) for _ in range(SECONDS // SLICE)]
            drawn, size = terminal.drawn - drawn, terminal.resident()
    what = f"screen at rest, drawn {drawn / SECONDS:.1f} times a second, the quietest {SLICE} of {SECONDS} s"
    return [
        at_most("first screen after the start", soonest, 1, "s"),
        at_most(what, min(shares), 1.5, "% of a core", f"on average {sum(shares) / len(shares):.1f} %"),
        at_most("the same, memory (RSS)", size, 45, "MB"),
    ]


def _share(terminal: Terminal) -> float:
    """Percent of a core that the program takes over one slice."""
    before = terminal.cpu()
    terminal.watch(SLICE)
    return (terminal.cpu() - before) / SLICE * 100


@contextmanager
def _simulator() -> Iterator[str]:
    command = [*PROGRAM, "simulate", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            said = re.search(r"ws://\S+:\d+", server.stderr.readline())
            assert said is not None
            yield said[0]
        finally:
            server.terminate()


def _memory() -> Row:
    command = [sys.executable, "-m", "benchmarks.programs.memory"]
    result = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    growth = result["slope"]
    measured = (
        f"{result['half'] / 1024:.1f} MB at half, {result['end'] / 1024:.1f} MB at the end, {growth:+.0f} KB a million"
    )
    return Row(
        "memory over 1 million quotes", measured, f"flat (<= {MOST_GROWTH} KB a million)", "", growth <= MOST_GROWTH
    )
