"""Write the table of docs/reliability.md from what a whole run of the tests has found.

    python docs/reliability.py            write what has changed
    python docs/reliability.py --check    write nothing; exit with 1 if the table says anything else than the run

`make check` runs the tests with `--rows .reliability/NAME.json`, which keeps how each test named after a row went. A
row that no test is named after is an error.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reliability.md"
RUNS = ROOT / ".reliability"
BEGIN, END = "<!-- Written by docs/reliability.py; do not edit. -->\n", "<!-- end -->"
NAMED = re.compile(r"test_(row_\d\d(?:_and_\d\d)*|property_[a-e])_(\w+)").fullmatch

ROWS = {
    "01": "the exchange closes the connection, with every code",
    "02": "the line breaks without a word",
    "03": "a half-open line: nothing comes, nothing ends",
    "04": "pings are answered, and no data comes",
    "05": "heartbeats go on, and a product has no quotes",
    "06": "a frame, or the handshake, trickles in",
    "07": "the exchange is away for 5, 60 and 600 s",
    "08": "the exchange accepts and closes, again and again",
    "09": "refused, unresolvable, 403, 429, 503 at the start",
    "10": "the subscription is refused, answered wrongly or not at all",
    "11": "malformed JSON",
    "12": "binary frames, bad UTF-8, broken protocol",
    "13": "unknown types and fields",
    "14": "a needed field is missing, null or of another type",
    "15": "prices that are no numbers, or absurd",
    "16": "crossed, locked and one-sided quotes",
    "17": "a price a thousand times too high",
    "18": "the same message again",
    "19": "messages out of order",
    "20": "sequences that begin anew, or pass 2^53",
    "21": "heartbeats that do not come",
    "22": "messages too large, and zip bombs",
    "23": "compression on, off and broken",
    "24": "floods, and a terminal or reader that stands still",
    "25": "clocks that jump, a process that was stopped",
    "26": "times in the future, in 1970, without a zone",
    "27": "SIGINT, SIGTERM and SIGHUP at any moment",
    "28": "SIGKILL at 100 random moments at 1,000 messages/s (with CI=true; else 10)",
    "29": "power cuts, and an fsync that fails",
    "30": "a full disk that gets room again",
    "31": "places that cannot be written",
    "32": "a broker that is killed and started again",
    "33": "an object store that fails, cuts off and delays",
    "34": "two writers",
    "35": "flipped bits, cut, empty and missing files",
    "36": "files of older and newer versions together",
    "37": "late data, and backfill that overlaps",
    "38": "a large backlog in little memory",
    "39": "forecasts at the start and across gaps",
    "40": "a million messages with breaks and bad ones",
    "41": "a long run with faults",
    "42": "hostile texts, in arguments and in the feed",
    "43": "a hostile page that asks our ports",
    "44": "certificates that prove nothing",
    "45": "planted pickles, secrets in what is said, changed packages",
}
PROPERTIES = {
    "a": "conservation: every message is kept or reported as lost",
    "b": "liveness: after any faults a quote is back within 7 s",
    "c": "live figures are those that are recomputed from the journal",
    "d": "what is played again gives the same bytes",
    "e": "reading never raises, whatever the bytes",
}


class StaleError(Exception):
    """The run and the page do not fit."""


def table() -> str:
    """Give the table of what the last whole run has found."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    files = sorted(RUNS.glob("*.json"))
    if not files:
        raise StaleError("no run is known; run: make check")
    for path in files:
        for name, outcome in json.loads(path.read_text()):
            match = NAMED(name.rpartition("::")[2].partition("[")[0])
            if match:
                for row in re.findall(r"\d\d|(?<=property_)[a-e]", match[1]):
                    found[row][match[2].replace("_", " ")].append(outcome)
    lines = ["", "| row | fault | what holds, as a test | cases | result |", "|---|---|---|---:|---|"]
    for row, fault in {**ROWS, **PROPERTIES}.items():
        lines += _lines(row, fault, found.get(row, {}))
    return "\n".join(lines) + "\n\n"


def _lines(row: str, fault: str, tests: dict[str, list[str]]) -> list[str]:
    if not tests:
        raise StaleError(f"no test is named after row {row}")
    lines = []
    for number, (name, outcomes) in enumerate(sorted(tests.items())):
        good = sum(outcome == "passed" for outcome in outcomes)
        result = "passed" if good == len(outcomes) else f"{len(outcomes) - good} not passed"
        head = (row, fault) if number == 0 else ("", "")
        lines.append(f"| {head[0]} | {head[1]} | {name} | {len(outcomes)} | {result} |")
    return lines


def main() -> int:
    """Write or check."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    try:
        new = before + BEGIN + table() + END + rest.split(END)[1]
    except StaleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if new == page:
        return 0
    if "--check" in sys.argv:
        print("error: docs/reliability.md is stale; run: python docs/reliability.py", file=sys.stderr)
        return 1
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
