"""Azure ML's own library reads the files of cloud/azureml, and the job's command trains here as it would there."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from clients.test_clients import PROGRAMS, ROOT, environment
from coinbase_insights.lake.build import build
from coinbase_insights.models.folder import open_model
from coinbase_insights.models.scoring import INPUTS
from lakes import lake_of, long_walk

FILES = ROOT / "cloud" / "azureml"
pytestmark = pytest.mark.timeout(600)  # making an environment takes a minute


def read_by_azure(folder: Path) -> "subprocess.CompletedProcess[str]":
    python = environment("azure-ai-ml")
    command = [str(python), str(PROGRAMS / "azure_ml.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def understood() -> dict[str, Any]:
    done = read_by_azure(FILES)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_files_fit_together(understood: dict[str, Any]) -> None:
    assert understood["environment"] == f"{understood['environment_name']}@latest"
    assert understood["scheduled"] == understood["command"]
    assert understood["scheduled_on"] == "abfss://said"
    assert understood["deployed_to"] == understood["endpoint"]
    assert understood["deployed"].split(":")[:-1] == [understood["registers"]]
    assert understood["registers_as"] == "mlflow_model"
    assert (Path(understood["code"]) / "coinbase_insights" / "__main__.py").is_file()


def test_a_misspelled_word_would_be_noticed(tmp_path: Path) -> None:
    for path in FILES.iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("compute:", "computer:"))

    assert "computer" in read_by_azure(tmp_path).stderr


def test_the_command_of_the_job_trains_and_leaves_a_model(understood: dict[str, Any], tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", long_walk(1.0))
    build(lake, "ticker", "tilt")
    given = {f"inputs.{name}": value for name, value in understood["inputs"].items()}
    given |= {"inputs.lake": lake, "outputs.model": str(tmp_path / "model")}
    command = re.sub(r"\$\{\{([a-z._]+)\}\}", lambda found: given[found[1]], understood["command"])

    python, *words = shlex.split(command)
    subprocess.run([sys.executable, *words], cwd=understood["code"], check=True, capture_output=True)

    assert python == "python"
    assert open_model(tmp_path / "model").name == "tilt/1"


def test_the_environment_has_what_the_lock_has(understood: dict[str, Any]) -> None:
    (pins,) = (each["pip"] for each in understood["conda"]["dependencies"] if isinstance(each, dict))
    locked = set(re.findall(r"^([a-z-]+==[0-9.]+)", (ROOT / "requirements" / "dev.txt").read_text(), re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["lake"]]
    assert set(pins) <= locked
    assert [pin.partition("==")[0] for pin in pins] == sorted(re.split(r"[>;]", each)[0] for each in needed)


def test_what_asks_the_endpoint_has_the_columns_of_the_model() -> None:
    asked = json.loads((FILES / "ask.json").read_text())["input_data"]
    assert tuple(asked["columns"]) == INPUTS
    assert all(len(row) == len(INPUTS) for row in asked["data"])
