"""Measure everything and print the table: `python -m benchmarks [GROUP ...] [--write]`."""

import argparse
import sys

from . import building, collecting, folding, page, program, publishing, receiving, serving, spark
from .row import Row, text_table

GROUPS = {
    "receiving": receiving.rows,
    "folding": folding.rows,
    "program": program.rows,
    "collecting": collecting.rows,
    "building": building.rows,
    "publishing": publishing.rows,
    "spark": spark.rows,
    "serving": serving.rows,
}


def main() -> None:
    """Measure the groups one after the other; `--write` puts the table of all into docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast and how large it is.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one of {', '.join(GROUPS)}; all if none is named")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}")
    if arguments.write and arguments.groups:
        parser.error("--write needs all groups")
    rows: list[Row] = []
    for name in arguments.groups or GROUPS:
        print(f"measuring: {name}", file=sys.stderr)
        rows += GROUPS[name]()
    print(f"\n{page.machine()}\n\n{text_table(rows)}\n\n{page.verdict(rows)}")
    if arguments.write:
        page.write(rows)


if __name__ == "__main__":
    main()
