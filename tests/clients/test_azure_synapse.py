"""Azure Synapse's own library reads the pipeline and its trigger, and knows every word of them."""

import subprocess
from pathlib import Path

import pytest

from clients.test_clients import PROGRAMS, ROOT, environment

FILES = ROOT / "cloud" / "synapse"
pytestmark = pytest.mark.timeout(600)  # making an environment takes a minute


def unknown_words(folder: Path) -> str:
    command = [str(environment("azure-ai-ml")), str(PROGRAMS / "azure_synapse.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_every_word_is_known() -> None:
    assert unknown_words(FILES) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('"sparkPool"', '"sparkPol"'), ('"concurrency"', '"concurency"'), ('"WebActivity"', '"WebActvity"'),
     ('"retry"', '"retries"'), ('"recurrence"', '"recurence"'), ('"referenceName"', '"refName"')],
)  # fmt: skip
def test_a_misspelled_word_would_be_noticed(right: str, wrong: str, tmp_path: Path) -> None:
    for path in FILES.iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace(right, wrong))

    assert unknown_words(tmp_path) != ""
