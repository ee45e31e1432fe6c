"""Row 45: nothing is unpickled or evaluated, no secret is told, and only the packages that were meant are installed."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CANARY = "Y2FuYXJ5LXRoYXQtbXVzdC1ub3QtYmUtdG9sZA=="
UNSAFE = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def test_row_45_nothing_is_unpickled_or_evaluated() -> None:
    sources = sorted((ROOT / "src").rglob("*.py"))
    assert len(sources) > 100
    for node in (node for path in sources for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            assert not {each.name.partition(".")[0] for each in node.names} & UNSAFE
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in UNSAFE
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}


@pytest.mark.parametrize("words", [
    ["ingest", "-p", "ETH-USD", "--to", "az://nowhere/lake", "--journal", "journal", "--verbose"],
    ["verify", "az://nowhere/lake"],
    ["ingest", "-p", "ETH-USD", "--to", f"kafka://user:{CANARY}@127.0.0.1:1/topic", "--journal", "journal"],
])  # fmt: skip
def test_row_45_a_key_is_told_to_nobody(words: list[str], tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "AZURE_STORAGE_ACCOUNT_NAME": "nobody",
        "AZURE_STORAGE_ACCOUNT_KEY": CANARY,
        "AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1",
        "AZURE_ALLOW_HTTP": "true",
    }
    command = [sys.executable, "-m", "coinbase_insights", *words]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, check=False, timeout=50)
    assert done.returncode != 0
    said = done.stdout + done.stderr + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Traceback" not in said
    assert CANARY.encode() not in said


def test_row_45_each_package_is_pinned_with_its_hash() -> None:
    for path in (ROOT / "requirements").rglob("*.txt"):
        text = path.read_text().replace("\\\n", " ")
        wanted = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
        assert wanted
        assert all("==" in line and "--hash=sha256:" in line for line in wanted)


def test_row_45_a_package_is_only_installed_when_its_hash_is_the_one_meant() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if " install " in line]
    fetching = [line for line in lines if "pip" in line.lower() and "--no-deps" not in line]
    assert len(fetching) >= 3
    assert all("--require-hashes" in line for line in fetching)
