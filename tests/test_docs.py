"""The docs say what the program does: nothing is missing or stale, and what they tell people to type exists."""

import json
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer import Context
from typer.main import get_command

from coinbase_insights.cli import app
from coinbase_insights.feed import Timing
from coinbase_insights.quote import is_product_id
from coinbase_insights.show.lines import schema
from coinbase_insights.simulator.faults import parse_faults
from coinbase_insights.simulator.product import CHARACTERS
from frames import START, at, heartbeat, ticker

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN_LATER = {"docs/performance.md", "docs/reliability.md"}
WORDS = {
    word
    for words in re.findall(r'"enum": \[([^\]]*)\]', json.dumps(schema()))
    for word in re.findall(r'"([^"]*)"', words)
}
"""Words that the contract lists."""
GROUP: Any = get_command(app)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def options_of(command: Any) -> set[str]:
    context = Context(command, info_name="x")
    return {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def typed_commands(page: Path) -> Iterator[list[str]]:
    """Every `coinbase_insights ...` of a page, as words, from its blocks of shell and from its running text."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line
        for block in (*blocks(page, "console"), *blocks(page, "ini"))
        for line in block.replace("\\\n", " ").splitlines()
    ]
    lines += re.findall(r"`(coinbase_insights [^`]*)`", text)
    for line in lines:
        start = line.find("coinbase_insights ")
        if start < 0 or line.startswith(("$ git", "$ cd")) or "COMMAND" in line:
            continue
        part = re.sub(r"\$\([^)]*\)", "X", line[start:]).replace("'", "" if line.startswith("ExecStart") else "'")
        words = shlex.split(part, comments=True)
        yield words[1 : next((at for at, word in enumerate(words) if word in ("|", ">", ">>")), None)]


@pytest.mark.parametrize("name", sorted(GROUP.commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
    documented = set(
        re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(re.findall(r"^\| `([^`]*)`", section, re.MULTILINE)))
    )
    assert documented >= {option for option in options_of(GROUP.commands[name]) if option.startswith("-")}


def test_the_reference_is_what_the_code_says() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False, timeout=50
    )
    assert check.returncode == 0, check.stderr


def test_a_stale_reference_is_shown_as_a_difference() -> None:
    page = ROOT / "docs/reference/commands.md"
    difference = runpy.run_path(str(ROOT / "docs/generate.py"))["difference"]
    assert difference(page, page.read_text(encoding="utf-8")) == []
    assert "+and one line more" in difference(page, page.read_text(encoding="utf-8") + "and one line more\n")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    )
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if page_name(target) in WRITTEN_LATER and not target.exists():
            continue
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("field", [field.name for field in fields(Timing) if field.name != "close"])
def test_the_design_knows_how_long_the_feed_waits(field: str) -> None:
    section = (ROOT / "docs/design.md").read_text(encoding="utf-8").split("## What it does when things go wrong")[1]
    assert f"{getattr(Timing(), field):g} s" in section.split("\n## ")[0]


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_what_people_are_told_to_type_exists(page: Path) -> None:
    for words in typed_commands(page):
        name = next((word for word in words if not word.startswith("-")), None)
        before = words[: words.index(name)] if name else words
        assert set(before) <= options_of(GROUP), words
        if name is None:
            continue
        assert name in GROUP.commands, words
        given = [word for word in words[words.index(name) :] if re.fullmatch(r"-\w|--[\w-]+", word)]
        assert set(given) <= options_of(GROUP.commands[name]), words
        if name == "demo":
            assert {word for word in words if is_product_id(word)} <= {product.product_id for product in CHARACTERS}, (
                words
            )
        if "--faults" in given and words[words.index("--faults") + 1] != "WORD WORD":
            parse_faults(words[words.index("--faults") + 1])


def test_the_readme_and_the_tutorial_have_something_to_type() -> None:
    typed = [words[0] for page in ("README.md", "docs/tutorial.md") for words in typed_commands(ROOT / page)]
    assert {"run", "demo", "backtest", "products"} <= set(typed)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_make_knows_what_people_are_told_to_make(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = "\n".join(blocks(page, "console")) + "\n".join(
        re.findall(r"`(make [^`]*)`", page.read_text(encoding="utf-8"))
    )
    for made in re.findall(r"(?:^|\$ )make ((?:[a-z0-9-]+ ?)+)", text, re.MULTILINE):
        assert set(made.split()) <= targets, made


def test_the_picture_of_the_screen_loads_nothing() -> None:
    svg = (ROOT / "docs/screen.svg").read_text(encoding="utf-8")
    assert not re.search(r"@font-face|@import|url\((?!#)|(?:href|src)=", svg)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_python_example_compiles(page: Path) -> None:
    for number, block in enumerate(blocks(page, "python")):
        compile(block, f"{page_name(page)}, block {number}", "exec")


def test_the_first_python_example_runs(tmp_path: Path) -> None:
    (tmp_path / "eth.rec").write_bytes(recording())
    example = next(block for block in blocks(ROOT / "docs/how-to.md", "python") if "read(Path" in block)
    run = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50
    )
    assert run.returncode == 0, run.stderr
    assert "quotes=240" in run.stdout


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def recording() -> bytes:
    """Twenty minutes of one product: a quote each 5 s, a heartbeat each second, a line lost, and some rubbish."""
    lines = []
    for second in range(1200):
        stamp = int((START.timestamp() + second + 0.05) * 1e9)
        messages = [json.dumps(heartbeat(second // 5, time=at(second)))]
        if second % 5 == 0:
            messages.append(json.dumps(ticker(second // 5, time=at(second + 0.001))))
        if second == 600:
            messages += ["#lost closed by the exchange, code 1001", "#opened ws://127.0.0.1"]
        if second % 300 == 7:
            messages += ["not JSON", '{"type":"unheard_of"}']
        lines += [f"{stamp}\t{message}\n" for message in messages]
    return "".join(lines).encode()


def json_lines(path: Path, *more: str) -> list[dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-m", "coinbase_insights", "run", "--from", path, "--speed", "max", "--format", "json", *more],
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_every_line_of_a_replay_follows_the_contract(tmp_path: Path, validator: Any) -> None:
    (tmp_path / "eth.rec").write_bytes(recording())
    lines = json_lines(tmp_path / "eth.rec")
    assert sum(line["type"] == "insight" for line in lines) == 240
    assert lines[-1]["type"] == "status"
    assert lines[-1]["state"] == "ENDED"
    for line in lines:
        validator.validate(line)
        refuse_null_without_reason(line)


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("exchange_2026-04-05_BTC-USD_ticker_batch_derived", "ticker_batch"),
        ("exchange_2025-11-12_BTC-USD_ticker", "ticker"),
        ("exchange_2021-04-17_10_products", "ticker"),
        ("exchange_2021-04-17_10_products", "level2"),
        ("advanced_2026-04-05_BTC-USD_ticker", "ticker"),
        ("advanced_2026-08-09_BTC_ETH_all_channels", "level2"),
    ],
)
def test_every_line_of_real_recordings_follows_the_contract(
    name: str, channel: str, shared_data: Path, validator: Any
) -> None:
    lines = json_lines(shared_data / f"{name}.rec", "--channel", channel)
    assert any(line["type"] == "insight" for line in lines)
    for line in {shape(line): line for line in lines}.values():
        validator.validate(line)
        refuse_null_without_reason(line)


def shape(value: object) -> str:
    """What the contract can tell of a value; lines of one shape are all good or all bad."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shape(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(sorted({shape(inner) for inner in value}))}]"
    return value if isinstance(value, str) and value in WORDS else type(value).__name__


def refuse_null_without_reason(value: dict[str, Any]) -> None:
    """Hold an object and all in it to the promise that what is absent says why."""
    for key, inner in value.items():
        if key == "last_known":
            assert (all(inner.values()) and inner) or value["last_known_reason"]
        elif inner is None:
            assert value[f"{key}_reason"], key
        elif isinstance(inner, dict):
            refuse_null_without_reason(inner)
        elif not key.endswith("_reason"):
            assert f"{key}_reason" not in value, key
