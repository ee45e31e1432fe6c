"""Write docs/reference from the code, so that it cannot say anything else than the program does.

    python docs/generate.py            write what has changed
    python docs/generate.py --check    write nothing; show what is stale, and exit with 1 if anything is

What people write about each field of a JSON line stands in docs/fields.toml; a field without a word there, or a
word without a field, is an error.
"""

import difflib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

from coinbase_insights.cli import app
from coinbase_insights.lake import tables
from coinbase_insights.lake.tables import schema as schema_of
from coinbase_insights.show.lines import schema
from coinbase_insights.simulator import faults

DOCS = Path(__file__).parent
REFERENCE = DOCS / "reference"
NOTE = "<!-- Written by docs/generate.py; do not edit. -->\n\n"
WINDOWS = ("1m", "5m", "15m")
ANY_WINDOW = "{1m,5m,15m}"


class StaleError(Exception):
    """What people wrote does not fit the code."""


def pages() -> dict[str, str]:
    """Give the text of each generated file by its name."""
    return {
        "commands.md": commands_page(),
        "faults.md": faults_page(),
        "insight.schema.json": json.dumps(schema(), indent=2) + "\n",
        "json-lines.md": json_lines_page(),
        "tables.md": tables_page(),
    }


def tables_page() -> str:
    """List every table of the lake, with its columns."""
    parts = [
        NOTE + "# Tables of the lake\n",
        "All times are UTC, in microseconds. A column is null only where it says so.\n",
    ]
    for each in tables.TABLES:
        parts.append(f"\n## {each.name}\n\n{each.meaning}\n\n| column | type | unit | meaning |\n|---|---|---|---|")
        types = schema_of(each)
        for column in each.columns:
            kind = str(types.field(column.name).type)
            parts.append(f"| `{column.name}` | {_cell(kind)} | {_cell(column.unit)} | {_cell(column.meaning)} |")
    return "\n".join(parts) + "\n"


def commands_page() -> str:
    """List every command, with its arguments and options."""
    group: Any = get_command(app)
    context = Context(group, info_name="coinbase_insights")
    parts = [
        NOTE + "# Commands\n",
        "`coinbase_insights --help` lists the commands; `coinbase_insights COMMAND --help` explains one of them.\n",
        "Before the command:\n",
        _options(group, context),
    ]
    for name, command in group.commands.items():
        inner = Context(command, info_name=name, parent=context)
        pieces = " ".join(["coinbase_insights", name, *command.collect_usage_pieces(inner)])
        parts.append(f"\n## {name}\n\n{_plain(command.help)}\n\n```text\n{pieces}\n```\n")
        parts.append(_options(command, inner))
    return "\n".join(parts) + _commands_end()


def _options(command: Any, context: Context) -> str:  # noqa: ANN401 - typer gives its commands no public type
    rows = ["| option | what it does |", "|---|---|"]
    for parameter in command.get_params(context):
        name, words = parameter.get_help_record(context) or ("", "")
        rows.append(f"| `{_cell(name)}` | {_cell(words)} |")
    return "\n".join(rows) + "\n"


def _commands_end() -> str:
    return """
## Values

| written as | means |
|---|---|
| `ETH-USD` | a product: base currency, a dash, quote currency, in capital letters |
| `90s`, `15m`, `1h`, `1d`, `500ms` | a duration |
| `1`, `10`, `0.5`, `10x` | a speed: so many times as fast as it was; `max` waits for nothing |
| `wss://HOST`, `ws://HOST:PORT` | the address of a feed |

## Streams

stdout carries data and nothing else: the screen, plain lines, JSON lines, tables.
stderr carries talk: changes of state (where stdout has no lines for them), the summary at the end, errors with a hint.

## Exit codes

| code | means |
|---|---|
| 0 | it ended as asked: Ctrl-C, SIGTERM, SIGHUP, `--for`, the end of the recording, or a reader that closed the pipe |
| 1 | the feed refused, is not trusted, or never came up within 30 s; no list of products; or a lake that is not whole |
| 2 | wrong usage, a port in use, a product that is not known or traded, a recording or model that cannot be used |
| 4 | a place to keep things in, such as a lake, a journal or a topic, cannot be used, or is damaged |
| 5 | another process writes there |
| 130 | Ctrl-C before there was anything to end |
"""


def faults_page() -> str:
    """List every fault word of the simulator."""
    words = re.findall(r"^ {4}(\S+) {2,}(.+(?:\n {12,}.+)*)$", faults.__doc__ or "", re.MULTILINE)
    known = {re.split(r"[=@/]", word)[0] for word, _ in words}
    if missing := set(faults.NAMES) ^ known:
        raise StaleError(f"simulator/faults.py: its text and its names do not agree on {', '.join(sorted(missing))}")
    rows = "\n".join(f"| `{word}` | {_cell(' '.join(means.split()))} |" for word, means in words)
    return f"""{NOTE}# Faults of the simulator

`coinbase_insights simulate --faults "WORD WORD"` makes the local exchange misbehave on purpose, so that a client can be
tested against everything that a real line does. Words are separated by spaces or commas. N counts the frames of one
connection, so a test repeats exactly.

```console
$ coinbase_insights simulate --faults "close=1001@100 duplicate/10"
```

| word | what happens |
|---|---|
{rows}

Give `connections=N` to see that a client gets well again: only the first N connections have the faults.
A fault word that is not in this table is an error that names the nearest one.
"""


def json_lines_page() -> str:
    """List every field of a JSON line, with its type and its meaning."""
    words = tomllib.loads((DOCS / "fields.toml").read_text(encoding="utf-8"))
    whole = schema()
    fields = {kind.lower(): dict(_fields(whole["$defs"], kind, "")) for kind in ("Insight", "Status")}
    parts = [NOTE + words["head"]]
    for kind, types in fields.items():
        _refuse_difference(kind, set(types), set(words[kind]))
        parts.append(f"\n## {kind}\n\n{words['about'][kind]}\n\n| field | type | meaning |\n|---|---|---|\n")
        parts += [f"| `{name}` | {_cell(types[name])} | {_cell(words[kind][name])} |\n" for name in types]
    return "".join(parts)


def _refuse_difference(kind: str, in_code: set[str], in_words: set[str]) -> None:
    if in_code - in_words:
        raise StaleError(f"docs/fields.toml: [{kind}] has no word about {', '.join(sorted(in_code - in_words))}")
    if in_words - in_code:
        raise StaleError(f"docs/fields.toml: [{kind}] has words about nothing: {', '.join(sorted(in_words - in_code))}")


def _fields(definitions: dict[str, Any], name: str, before: str) -> Iterator[tuple[str, str]]:
    """Give (path, type) of each field, going down into objects; the reasons are explained once, at the top."""
    for key, field in definitions[name]["properties"].items():
        if key.endswith("_reason"):
            continue
        if key in WINDOWS and key != WINDOWS[0]:
            continue
        path = before + (ANY_WINDOW if key in WINDOWS else key)
        inner = field.get("$ref", "").rpartition("/")[2]
        if inner:
            yield from _fields(definitions, inner, f"{path}.")
        elif "additionalProperties" in field and "anyOf" in field["additionalProperties"]:
            yield path, "object or null, by product"
            inner = next(one["$ref"] for one in field["additionalProperties"]["anyOf"] if "$ref" in one)
            yield from _fields(definitions, inner.rpartition("/")[2], f"{path}.PRODUCT.")
        else:
            yield path, _type(field)


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "additionalProperties" in field:
        return f"object of {_type(field['additionalProperties'])}s"
    if "items" in field:
        return f"array of {_type(field['items'])}s"
    return str(field["type"])


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def write(path: Path, text: str) -> bool:
    """Write a file unless it says so already; tell whether it was written."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def difference(path: Path, text: str) -> list[str]:
    """Show what would change in a file; nothing when it is as it should be."""
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    name = path.relative_to(DOCS.parent).as_posix()
    return list(difflib.unified_diff(old, text.splitlines(), name, f"{name} (from the code)", lineterm=""))


def main() -> int:
    """Write, or with --check compare."""
    try:
        texts = {REFERENCE / name: text for name, text in pages().items()}
    except StaleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if "--check" not in sys.argv[1:]:
        for path in (path for path, text in texts.items() if write(path, text)):
            print(f"wrote {path.relative_to(DOCS.parent).as_posix()}")
        return 0
    stale = [line for path, text in texts.items() for line in difference(path, text)]
    print("\n".join([*stale, "", "hint: make docs"]) if stale else "", end="\n" if stale else "", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
