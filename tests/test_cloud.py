"""The pipelines of Synapse and Fabric: what they name exists, no two builds overlap, and their notebooks run."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[1]
SYNAPSE, FABRIC = ROOT / "cloud" / "synapse", ROOT / "cloud" / "fabric"
PIPELINES = [SYNAPSE / "pipeline.json", FABRIC / "coinbase_insights_hourly.DataPipeline" / "pipeline-content.json"]
Json = dict[str, Any]
VAULT = """
class notebookutils:
    class credentials:
        @staticmethod
        def getSecret(where, secret):
            return f"{secret} of {where}"
"""


def loaded(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    return found


def activities(of: list[Json]) -> list[Json]:
    """All of them, those inside others too."""
    return [each for one in of for each in (one, *activities(one["typeProperties"].get("ifTrueActivities", [])))]


def logical_ids() -> dict[str, str]:
    """The names of Fabric's items by their ids."""
    platforms = [loaded(path) for path in FABRIC.glob("*/.platform")]
    return {each["config"]["logicalId"]: each["metadata"]["displayName"] for each in platforms}


def notebook_of(activity: Json) -> str:
    """The name in spark/ of the notebook that an activity runs."""
    known = activity["typeProperties"]
    name: str = logical_ids()[known["notebookId"]] if "notebookId" in known else known["notebook"]["referenceName"]
    return name.removeprefix("coinbase_insights_")


def cells(name: str) -> list[tuple[list[str], str]]:
    """Tags and text of each cell of code."""
    found = loaded(ROOT / "spark" / f"{name}.ipynb")["cells"]
    code = [each for each in found if each["cell_type"] == "code"]
    return [(each["metadata"].get("tags", []), "".join(each["source"])) for each in code]


def set_by_a_pipeline(notebook: str) -> set[str]:
    ((_, text),) = [cell for cell in cells(notebook) if "parameters" in cell[0]]
    assigned = [each for each in ast.parse(text).body if isinstance(each, ast.Assign)]
    return {target.id for each in assigned for target in each.targets if isinstance(target, ast.Name)}


@pytest.mark.parametrize("path", PIPELINES, ids=["synapse", "fabric"])
def test_no_two_builds_overlap_and_every_step_ends_and_is_tried_again(path: Path) -> None:
    properties = loaded(path)["properties"]
    steps = [each for each in activities(properties["activities"]) if each["type"] != "IfCondition"]
    assert properties["concurrency"] == 1
    assert [each["name"] for each in steps] == ["Build", "Publish", "Refresh"]
    for step in steps:
        assert re.fullmatch(r"0\.0[0-2]:\d\d:00", step["policy"]["timeout"])
        assert step["policy"]["retry"] >= 1


@pytest.mark.parametrize("path", PIPELINES, ids=["synapse", "fabric"])
def test_each_step_waits_for_the_one_before_it(path: Path) -> None:
    steps = loaded(path)["properties"]["activities"]
    assert steps[0]["dependsOn"] == []
    for before, step in pairwise(steps):
        assert step["dependsOn"] == [{"activity": before["name"], "dependencyConditions": ["Succeeded"]}]


@pytest.mark.parametrize("path", PIPELINES, ids=["synapse", "fabric"])
def test_what_is_asked_of_a_pipeline_is_declared_and_used(path: Path) -> None:
    properties = loaded(path)["properties"]
    used = set(re.findall(r"pipeline\(\)\.parameters\.(\w+)", path.read_text()))
    assert used == set(properties["parameters"])


@pytest.mark.parametrize("path", PIPELINES, ids=["synapse", "fabric"])
def test_notebooks_take_what_a_pipeline_gives_them(path: Path) -> None:
    steps = activities(loaded(path)["properties"]["activities"])
    given = {
        notebook_of(each): set(each["typeProperties"]["parameters"]) for each in steps if "Notebook" in each["type"]
    }
    assert set(given) == {"build", "publish"}
    for notebook, names in given.items():
        assert names <= set_by_a_pipeline(notebook)


def test_the_trigger_starts_the_pipeline_each_hour_with_what_it_knows() -> None:
    trigger, pipeline = loaded(SYNAPSE / "trigger.json")["properties"], loaded(SYNAPSE / "pipeline.json")
    (started,) = trigger["pipelines"]
    recurrence = trigger["typeProperties"]["recurrence"]
    assert started["pipelineReference"]["referenceName"] == pipeline["name"]
    assert set(started["parameters"]) <= set(pipeline["properties"]["parameters"])
    assert (recurrence["frequency"], recurrence["interval"]) == ("Hour", 1)


def test_the_schedule_of_fabric_is_hourly_and_off_until_somebody_turns_it_on() -> None:
    ((schedule),) = loaded(PIPELINES[1].with_name(".schedules"))["schedules"]
    assert (schedule["configuration"]["type"], schedule["configuration"]["interval"]) == ("Cron", 60)
    assert not schedule["enabled"]


def test_items_of_fabric_are_named_as_their_folders() -> None:
    for path in FABRIC.glob("*/.platform"):
        metadata = loaded(path)["metadata"]
        assert path.parent.name == f"{metadata['displayName']}.{metadata['type']}"
    assert len(logical_ids()) == 3


def test_power_bi_is_asked_by_the_identity_of_the_workspace() -> None:
    (refresh,) = [e for e in activities(loaded(PIPELINES[0])["properties"]["activities"]) if e["type"] == "WebActivity"]
    asked = refresh["typeProperties"]
    assert asked["method"] == "POST"
    assert asked["authentication"] == {"type": "MSI", "resource": "https://analysis.windows.net/powerbi/api"}
    assert "'https://api.powerbi.com/v1.0/myorg/groups/'" in asked["url"]["value"]


@pytest.mark.parametrize("name", ["build", "publish"])
def test_the_notebooks_of_fabric_are_those_of_spark(name: str) -> None:
    text = (FABRIC / f"coinbase_insights_{name}.Notebook" / "notebook-content.py").read_text()
    code = "\n".join(source for _, source in cells(name))
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(code))
    assert not any(source.startswith("%") for _, source in cells(name))  # a pipeline does not run such cells
    assert (
        runpy.run_path(str(ROOT / "cloud" / "generate.py"))["as_fabric_keeps_it"](
            loaded(ROOT / "spark" / f"{name}.ipynb")
        )
        == text
    )


@pytest.mark.timeout(120)
def test_the_notebook_publishes_a_lake(built: str, tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.py"
    notebook.write_text("\n".join(source for _, source in cells("publish")))
    variables = {"COINBASE_INSIGHTS_LAKE": built, "COINBASE_INSIGHTS_WAREHOUSE": f"duckdb:///{tmp_path}/market.duckdb"}

    subprocess.run([sys.executable, str(notebook)], env={**os.environ, **variables}, check=True)

    with duckdb.connect(f"{tmp_path}/market.duckdb") as database:
        ((rows,),) = database.execute("select count(*) from bars").fetchall()
    assert rows > 100


def test_the_notebook_takes_a_password_from_the_vault_and_ends_with_an_error_where_publish_does(tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.py"
    code = "\n".join(source for _, source in cells("publish"))
    code = code.replace('vault = ""', 'vault = "keys"').replace('secret = ""', 'secret = "word"')
    notebook.write_text(VAULT + code.replace("import subprocess", "print(os.environ['PGPASSWORD'])\nimport subprocess"))
    variables = {"COINBASE_INSIGHTS_LAKE": str(tmp_path), "COINBASE_INSIGHTS_WAREHOUSE": "duckdb:///x.duckdb"}

    done = subprocess.run(
        [sys.executable, str(notebook)], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("word of https://keys.vault.azure.net/\n")
    assert done.returncode == 1
    assert "publish ended with" in done.stderr


NOTES = """#!/bin/sh
for word; do
    printf '%s\t' "$word" >>"$NOTED"
    case $word in @*trigger.json) cp "${word#@}" "$NOTED.trigger" ;; esac
done
echo >>"$NOTED"
[ "$2 $3" != "workspace-package show" ]
"""
"""An `az` that writes down what it is told, and has no package yet."""


@pytest.fixture
def told_to_az(tmp_path: Path) -> Callable[..., list[list[str]]]:
    """Runs what azd runs at the end, with these variables; gives each line that az was told."""

    def run(**outputs: str) -> list[list[str]]:
        (tmp_path / "az").write_text(NOTES)
        (tmp_path / "az").chmod(0o755)
        noted = tmp_path / "noted"
        noted.touch()
        here = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NOTED": str(noted), "PYTHON": sys.executable}
        here["PIP_NO_BUILD_ISOLATION"] = "false"  # pip's word for: without asking the network
        subprocess.run([ROOT / "cloud/after.sh"], env=os.environ | here | outputs, check=True)
        return [line.rstrip("\t").split("\t") for line in noted.read_text().splitlines()]

    return run


SYNAPSE_MADE = {
    "SYNAPSE_WORKSPACE": "syn-x",
    "SYNAPSE_POOL": "spark",
    "AZURE_RESOURCE_GROUP": "rg-market",
    "AZURE_SUBSCRIPTION_ID": "mine",
    "CHANNEL": "ticker",
    "LAKE": "abfss://lake@stx.dfs.core.windows.net/coinbase",
}


def test_azd_gives_synapse_the_wheel_the_notebooks_and_the_pipeline(
    told_to_az: Callable[..., list[list[str]]], tmp_path: Path
) -> None:
    told = told_to_az(**SYNAPSE_MADE)

    assert [" ".join(words[1:3]) for words in told] == [
        "workspace-package show",
        "workspace-package upload",
        "spark pool",
        "spark pool",
        "notebook create",
        "notebook create",
        "pipeline create",
        "trigger stop",
        "trigger create",
        "trigger start",
    ]
    named = {word.removeprefix("coinbase_insights_") for words in told for word in words if word.startswith("coinb")}
    assert {"build", "publish", "hourly"} <= named
    files = [word[1:] for words in told for word in words if word.startswith("@") and not word.startswith("@/")]
    assert files
    assert all((ROOT / file).is_file() for file in files)
    trigger = loaded(tmp_path / "noted.trigger")["properties"]["pipelines"][0]["parameters"]
    assert trigger == {"lake": SYNAPSE_MADE["LAKE"], "pool": "spark", "channel": "ticker"}
    assert all(words[-2:] == ["--subscription", "mine"] for words in told)


def test_azd_gives_azure_machine_learning_its_schedule(told_to_az: Callable[..., list[list[str]]]) -> None:
    told = told_to_az(**{**SYNAPSE_MADE, "SYNAPSE_WORKSPACE": "", "MACHINE_LEARNING_WORKSPACE": "mlw-x"})

    assert [words[:3] for words in told] == [["ml", "environment", "create"], ["ml", "schedule", "create"]]
    assert f"create_job.inputs.lake={SYNAPSE_MADE['LAKE']}" in told[1]
    assert all((ROOT / words[words.index("--file") + 1]).is_file() for words in told)


def test_azd_asks_az_for_nothing_where_there_is_neither(told_to_az: Callable[..., list[list[str]]]) -> None:
    assert told_to_az(SYNAPSE_WORKSPACE="", MACHINE_LEARNING_WORKSPACE="") == []


def test_what_azd_runs_at_the_end_reads_what_the_deployment_puts_out() -> None:
    read = set(re.findall(r"\$\{?([A-Z_]{3,})", (ROOT / "cloud/after.sh").read_text()))
    given = set(re.findall(r"^output (\w+)", (ROOT / "infra/main.bicep").read_text(), re.M))

    assert "run: ./cloud/after.sh" in (ROOT / "azure.yaml").read_text()
    assert read - {"PYTHON", "AZURE_SUBSCRIPTION_ID"} <= given  # azd knows the second


def test_the_pool_of_synapse_gets_the_versions_that_are_tested_on_its_spark() -> None:
    pins = set((ROOT / "cloud/synapse/requirements.txt").read_text().splitlines()[1:])
    locked = set(re.findall(r"^([a-z-]+==[0-9.]+)", (ROOT / "requirements/spark/3.5.txt").read_text(), re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["lake"]]
    assert pins <= locked
    assert sorted(pin.partition("==")[0] for pin in pins) == sorted(re.split(r"[>;]", each)[0] for each in needed)
