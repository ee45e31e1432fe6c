"""What `azd up` would make, checked without Azure: every name in it is one that Azure, Bicep or we ourselves have.

Nothing here can show that a deployment works: whether a region has room, names are free, or Azure says yes.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer import Context
from typer.main import get_command

from coinbase_insights.cli import app
from coinbase_insights.lake.tables import BARS, TABLES

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
ENVIRONMENT = ROOT / ".venv-infra"

pytestmark = pytest.mark.timeout(300)  # the first question to each type takes some seconds, once


def check(folder: Path) -> str:
    """Give every finding, a line each."""
    program = [str(ENVIRONMENT / "bin/python"), "-m", "check", str(folder)]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=path)
    assert done.returncode == bool(done.stdout), done.stderr
    return done.stdout


def scan(folder: Path) -> dict[str, Any]:
    """Give what checkov says."""
    flags = ["--framework", "bicep", "--skip-download", "-o", "json"]
    program = [str(ENVIRONMENT / "bin/checkov"), "-d", str(folder), *flags]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    results: dict[str, Any] = json.loads(done.stdout)["results"]
    return results


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of all that is checked, to plant a mistake in."""
    shutil.copy(ROOT / "azure.yaml", tmp_path)
    return shutil.copytree(INFRA, tmp_path / "infra")


def plant(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_azure_bicep_and_we_have_every_name() -> None:
    assert check(INFRA) == ""


MISTAKES = {
    "a resource type": ("lake", "Storage/storageAccounts@", "Storage/storageAcounts@", "no resource type"),
    "an API version": ("lake", "storageAccounts@2025-01-01", "storageAccounts@2025-01-11", "is another"),
    "a property": ("lake", "kind: 'StorageV2'", "kinds: 'StorageV2'", "account has no property kinds"),
    "a nested property": ("lake", "isHnsEnabled", "isHnsEnable", "no property isHnsEnable"),
    "a property in a list": ("warehouse", "storageSizeGB", "storageSizeGb", "no property storageSizeGb"),
    "a property of Insights": ("app", "category: 'AppServiceConsole", "kategory: 'AppServiceConsole", "kategory"),
    "a property in a loop": ("app", "name: each.key", "nam: each.key", "has no property nam"),
    "a property of a kind": ("stream", "consumerGroupName:", "consumerGroup:", "no property consumerGroup"),
    "a kind": ("stream", "'Microsoft.EventHub/EventHub'", "'Microsoft.EventHub/Hub'", "type must be one of"),
    "a property that is read": ("app", "defaultHostName", "defaultHostname", "no property defaultHostname"),
    "a word": ("lake", "'TLS1_2'", "'TLS12'", "must be one of TLS1_0"),
    "the kind of a value": ("broker", "partitionCount: 1", "partitionCount: '1'", "must be int"),
    "what must be given": ("budget", "    category: 'Cost'\n", "", "lacks category"),
    "what Azure fills in": ("lake", "isHnsEnabled: true", "provisioningState: 'Succeeded'", "filled in by Azure"),
    "a function": ("main", "uniqueString(", "uniqeString(", "Bicep has no function uniqeString"),
    "a symbol": ("lake", "scope: lake", "scope: lak", "nothing is called lak here"),
    "a symbol in a function": ("lake", "id => { id: id,", "id => { id: ids,", "nothing is called ids here"),
    "a symbol in a text": ("lake", "'st${token}'", "'st${tokn}'", "nothing is called tokn here"),
    "a parent": ("stream", "parent: raw", "parent: broker", "the parent of"),
    "what is waited for": ("warehouse", "[database]", "[databas]", "no resource databas to wait for"),
    "a parameter nobody uses": ("lake", "param sku string", "param sku string\nparam spare int = 1", "never used"),
    "a variable nobody uses": ("main", "var token", "var spare = 1\nvar token", "variable spare is never used"),
    "a module": ("main", "'modules/lake.bicep'", "'modules/lakes.bicep'", "no file modules/lakes.bicep"),
    "a module's parameter": ("main", "sku: lakeSku", "skus: lakeSku", "no parameter skus"),
    "a module's missing parameter": ("main", "    sku: lakeSku\n", "", "lake.bicep is not given sku"),
    "the type of a parameter": ("main", "amount: monthlyBudget", "amount: operatorEmail", "amount must be int"),
    "a name in an object": ("apps", "planId: plan.id", "plan: plan.id", "reads common.planId"),
    "an output": ("main", "lake.outputs.url", "lake.outputs.urls", "no output urls"),
    "a name in an output": ("main", "ingest.principalId", "ingest.principal", "has no principal"),
    "a role": ("lake", "roles.storageBlobDataReader", "roles.storageBlobReader", "has no storageBlobReader"),
    "the id of a role": (
        "roles.json",
        "2a2b9908-6ea1",
        "2a2b9908-6ea2",
        "not the published id of storageBlobDataReader",
    ),
    "a role that is not published": ("roles.json", "eventHubsDataSender", "eventHubsDataOwner", "not the published id"),
    "an id written out": ("lake", "name: 'lake'", "name: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'", "written out"),
    "a file that is loaded": ("stream", "../stream.sql", "../streams.sql", "no file ../streams.sql"),
    "a parameter of the deployment": ("main.parameters.json", '"engine"', '"engin"', "no parameter engin"),
    "a service": ("../azure.yaml", "  relay:", "  relais:", "service relais: no app is tagged with it"),
    "a service's folder": ("../azure.yaml", "project: .", "project: src2", "no folder src2"),
    "the syntax": ("fabric", "tier: 'Fabric' }", "tier: 'Fabric'", "this is no Bicep"),
}
"""Where, what is written there, what is planted in its place, and what is said of it."""


def place(file: str) -> str:
    """Give the path of a file of the table; a word is a module."""
    return file if "." in file else "main.bicep" if file == "main" else f"modules/{file}.bicep"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, copy: Path) -> None:
    file, old, new, said = MISTAKES[mistake]
    plant(copy / place(file), old, new)

    assert said in check(copy)


def test_nothing_is_open_without_a_reason() -> None:
    found = scan(INFRA)

    assert found["parsing_errors"] == []
    assert [(each["check_id"], each["file_path"]) for each in found["failed_checks"]] == []


def test_every_exception_is_needed_and_says_why() -> None:
    comments = {
        (f"/{path.relative_to(INFRA)}", number, reason)
        for path in INFRA.rglob("*.bicep")
        for number, reason in re.findall(r"checkov:skip=(\w+): (.+)", path.read_text())
    }
    skipped = {(each["file_path"], each["check_id"]) for each in scan(INFRA)["skipped_checks"]}

    assert {(path, number) for path, number, _ in comments} == skipped
    assert all(len(reason) > 10 for _, _, reason in comments)


def test_an_open_door_is_found(copy: Path) -> None:
    plant(copy / "modules/lake.bicep", "'TLS1_2'", "'TLS1_0'")

    assert [each["check_id"] for each in scan(copy)["failed_checks"]] == ["CKV_AZURE_44"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("broker", "disableLocalAuth: true"),
        ("broker", "partitionCount: 1"),
        ("broker", "empty(yourAddress) ? 'Disabled' : publicNetworkAccess"),
        ("broker", "defaultAction: 'Deny'"),
        ("lake", "allowSharedKeyAccess: false"),
        ("lake", "scope: lake"),
        ("lake", "defaultAction: openLake ? 'Allow' : 'Deny'"),
        ("learning", "allowSharedKeyAccess: false"),
        ("learning", "defaultAction: openLake ? 'Allow' : 'Deny'"),
        ("warehouse", "passwordAuth: 'Disabled'"),
        ("synapse", "azureADOnlyAuthentication: true"),
        ("images", "adminUserEnabled: false"),
        ("apps", "capacity: 1"),
        ("app", "numberOfWorkers: 1"),
        ("app", "WEBSITES_CONTAINER_STOP_TIME_LIMIT: '30'"),
        ("app", "httpsOnly: true"),
    ],
)
def test_no_key_opens_anything_and_one_instance_runs(file: str, line: str) -> None:
    assert line in (INFRA / f"modules/{file}.bicep").read_text()


def test_the_warehouse_does_not_let_in_every_machine_in_azure() -> None:
    assert "'0.0.0.0'" not in (INFRA / "modules/warehouse.bicep").read_text()


def test_the_lake_is_open_to_all_only_for_who_says_so() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert given["openLake"] == {"value": "${OPEN_LAKE=false}"}


def test_nothing_goes_to_power_bi_from_stream_analytics() -> None:
    assert "PowerBI" not in (INFRA / "modules/stream.bicep").read_text()


def test_the_apps_run_commands_that_there_are() -> None:
    commands: Any = get_command(app)
    told = re.findall(r"command: '(.*)'", (INFRA / "modules/apps.bicep").read_text())

    assert len(told) == 5
    for name, *words in (each.split() for each in told):
        known = {option for each in commands.commands[name].get_params(Context(commands)) for option in each.opts}
        assert {word for word in words if word.startswith("-")} <= known


READ_BY_AZURE = {
    "AZURE_CLIENT_ID",  # learn.microsoft.com/python/api/overview/azure/identity-readme
    "WEBSITE_DISABLE_OVERLAPPED_RECYCLING",
    "WEBSITES_CONTAINER_STOP_TIME_LIMIT",  # learn.microsoft.com/azure/app-service/reference-app-settings
    "WEBSITES_ENABLE_APP_SERVICE_STORAGE",
    "WEBSITES_PORT",
}


def test_the_apps_are_given_settings_that_somebody_reads() -> None:
    commands: Any = get_command(app)
    told = re.findall(r"(COINBASE_INSIGHTS_\w+):", (INFRA / "modules/apps.bicep").read_text())
    for_azure = re.findall(r"^  ([A-Z_]+): ", (INFRA / "modules/app.bicep").read_text(), re.MULTILINE)

    read = {each.envvar for command in commands.commands.values() for each in command.get_params(Context(commands))}
    assert told
    assert {*told} <= read
    assert {*for_azure} == READ_BY_AZURE


def test_the_views_are_the_tables_of_the_lake() -> None:
    views = re.findall(r"CREATE VIEW (\w+) .*\(BULK '(\w+)'", (INFRA / "synapse.sql").read_text())

    assert views == [(table.name, table.name) for table in TABLES]


def test_the_stream_makes_columns_of_bars() -> None:
    names = set(re.findall(r" AS (\w+)(?:,|$)", (INFRA / "stream.sql").read_text(), re.MULTILINE))

    assert names
    assert names <= {column.name for column in BARS.columns}
