"""What the API's own description allows and what it does not, tried a thousand times: no answer breaks its word."""

import re
import subprocess
from pathlib import Path

import pytest

from clients.test_clients import environment
from coinbase_insights.lake.build import build
from lakes import lake_of, long_walk
from site_of import serving

pytestmark = pytest.mark.timeout(600)


def test_a_thousand_requests_find_no_server_error_and_no_broken_promise(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, long_walk(1.0))
    build(lake, "ticker", "tilt")
    with serving("--from", lake, "--channel", "ticker", "--speed", "max", "--lake", lake) as site:
        command = [
            environment("schemathesis").with_name("schemathesis"), "run", f"http://{site.host}/api/openapi.json",
            "--exclude-path", "/api/stream", "--checks", "all", "--phases", "examples,coverage,fuzzing",
            "--max-examples", "150", "--workers", "2", "--seed", "1", "--generation-deterministic",
        ]  # fmt: skip
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, check=False)

    counted = re.search(r"([0-9,]+) generated", done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
    assert counted is not None
    assert int(counted[1].replace(",", "")) >= 1000
