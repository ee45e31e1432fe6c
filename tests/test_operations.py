"""What the page for operators tells to type is typed, word for word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from broker import free_port
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.verify import verify

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"


def lines_of(lake: Path) -> list[str]:
    """What was collected, in its order."""
    raw = Raw(str(lake))
    return [row["message"] for part in raw.parts() for row in raw.read(part).to_pylist()]


@pytest.mark.timeout(120)
def test_after_the_restore_all_is_there_that_was_there_before_the_accident(tmp_path: Path) -> None:
    (drill,) = re.findall(r"^```bash\n(coinbase_insights simulate.*?)^```$", PAGE.read_text(), re.M | re.S)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-e", "-c", drill.replace("8765", str(free_port()))],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "NOT WHOLE" in done.stdout
    before, after = lines_of(tmp_path / "as-it-was"), lines_of(tmp_path / "lake")
    assert len(lines_of(tmp_path / "backup")) < len(before)
    assert after[: len(before)] == before
    assert verify(str(tmp_path / "lake"), tmp_path / "lake" / "journal").is_whole
