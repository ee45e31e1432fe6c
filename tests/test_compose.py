"""compose.yaml says what our commands take, names nothing that there is not, and lets nobody in."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.main import get_command

from broker import PROPERTIES
from coinbase_insights.cli import app
from composed import ROOT, Service, composed, services

GROUP: Any = get_command(app)
SERVICES = services()
OURS = [service for service in SERVICES.values() if service.is_ours]
COMMANDS = [service for service in OURS if service.is_command]
LISTENS = {"simulator": 8765, "broker": 9092, "store": 10000, "warehouse": 5432, "page": 8080}
PLACES = re.compile(r"(?:ws|http|kafka|postgresql)://(?:\w+@)?(\w+)(?::(\d+))?|--bootstrap-server=(\w+):(\d+)")


def named(service: Service) -> str:
    return service.name


def typed(service: Service) -> Mapping[str, Any]:
    """What our command line makes of a service's words."""
    command = GROUP.commands[service.words[0]]
    found: Mapping[str, Any] = command.make_context(service.words[0], service.words[1:]).params
    return found


@pytest.mark.parametrize("service", COMMANDS, ids=named)
def test_every_line_is_one_that_our_commands_take(service: Service) -> None:
    assert typed(service)


def test_the_whole_picture_is_there() -> None:
    assert [service.words[0] for service in COMMANDS] == ["simulate", "ingest", "ingest", "build", "publish", "serve"]
    assert {name for name, service in SERVICES.items() if not service.is_command} == {
        "broker", "topic", "store", "container", "warehouse"
    }  # fmt: skip


@pytest.mark.parametrize("service", SERVICES.values(), ids=named)
def test_nothing_may_do_more_than_it_must(service: Service) -> None:
    assert service.said["cap_drop"] == ["ALL"]
    assert service.said["security_opt"] == ["no-new-privileges:true"]
    assert service.said.get("read_only", False) is (service.name not in ("broker", "topic"))
    assert all(port.startswith("127.0.0.1:") for port in service.said.get("ports", []))
    assert not {"privileged", "network_mode", "pid", "devices"} & set(service.said)


def test_whoever_is_spoken_to_is_there_and_listens_at_that_port() -> None:
    for service in SERVICES.values():
        for found in PLACES.finditer(" ".join([*service.words, *service.variables.values()])):
            host, port = found[1] or found[3], found[2] or found[4]
            if host not in ("0", "127"):
                assert int(port or LISTENS[host]) == LISTENS[host], (service.name, found[0])
    assert typed(SERVICES["simulator"])["port"] == LISTENS["simulator"]
    assert typed(SERVICES["page"])["port"] == LISTENS["page"]
    assert f"--blobPort={LISTENS['store']}" in SERVICES["store"].words


def test_every_health_is_asked_where_it_is_told() -> None:
    asked = {
        name: service.said["healthcheck"]["test"] for name, service in SERVICES.items() if "healthcheck" in service.said
    }
    ports = {name: re.search(r"127\.0\.0\.1:(\d+)", words[-1]) for name, words in asked.items() if words[1] == "python"}
    ours = {name: typed(SERVICES[name])["health_port"] for name in ("collector", "lander", "builder", "publisher")}
    told = {"simulator": 8765, **ours, "page": 8080}
    assert {name: found and int(found[1]) for name, found in ports.items()} == told
    for words in asked.values():
        assert words[0] == "CMD"
        if words[1] == "python":
            compile(words[3], "healthcheck", "exec")


def test_every_volume_and_file_is_there_and_used() -> None:
    whole = composed()
    mounted = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.said.get("volumes", [])]
    assert sorted(mounted) == sorted(whole["volumes"])
    used = {config["source"] for service in SERVICES.values() for config in service.said.get("configs", [])}
    assert used == set(whole["configs"])
    assert all((ROOT / config["file"]).is_file() for config in whole["configs"].values())


def test_whoever_is_waited_for_can_become_what_is_waited_for() -> None:
    for service in SERVICES.values():
        for name, wanted in service.said.get("depends_on", {}).items():
            other = SERVICES[name].said
            is_once = other["restart"] == "on-failure"
            assert is_once is (wanted["condition"] == "service_completed_successfully")
            assert wanted["condition"] != "service_healthy" or "healthcheck" in other


def test_the_journal_lies_in_a_volume_and_what_is_landed_is_what_was_sent() -> None:
    collector, lander = typed(SERVICES["collector"]), typed(SERVICES["lander"])
    (volume,) = SERVICES["collector"].said["volumes"]
    assert Path(volume.partition(":")[2]) in Path(collector["journal"]).parents
    assert collector["to"] == lander["source"]
    assert f"--topic={collector['to'].rpartition('/')[2]}" in SERVICES["topic"].words
    lakes = {
        lander["to"],
        typed(SERVICES["builder"])["lake"],
        typed(SERVICES["publisher"])["lake"],
        typed(SERVICES["page"])["lake"],
    }
    (lake,) = lakes
    assert lake.split("/")[2] == SERVICES["container"].words[0]
    channels = {typed(SERVICES[name])["channel"] for name in ("collector", "builder", "page")}
    assert len(channels) == 1


def test_the_broker_is_the_one_that_tests_start() -> None:
    written = PROPERTIES.format(port=9092, controller=9093, data="/var/lib/kafka/data").split()
    tested = dict(line.split("=", 1) for line in written)
    shipped = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["broker"].variables.items()
        if name != "KAFKA_HEAP_OPTS"
    }
    for name in ("listeners", "advertised.listeners"):
        assert tested.pop(name).count(":9092") == shipped.pop(name).count(":9092") == 1
    assert shipped == tested


def test_images_have_the_versions_that_are_tested() -> None:
    project = "{http://maven.apache.org/POM/4.0.0}"
    kafka = ElementTree.parse(ROOT / "requirements/kafka/pom.xml").find(f".//{project}dependency/{project}version")
    azurite = json.loads((ROOT / "requirements/azurite/package.json").read_text())["dependencies"]["azurite"]
    assert kafka is not None
    assert SERVICES["broker"].said["image"] == f"apache/kafka:{kafka.text}"
    assert SERVICES["store"].said["image"].endswith(f"/azurite:{azurite}")
    assert all(":" in service.said["image"] for service in SERVICES.values() if not service.is_ours)


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "COINBASE_INSIGHTS_TOKEN"])
def test_no_secret_is_written_in_it_and_none_may_be_missing(name: str) -> None:
    given = {"POSTGRES_PASSWORD": "a", "COINBASE_INSIGHTS_TOKEN": "b"}
    del given[name]
    with pytest.raises(KeyError, match=name):
        composed(given)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/.env" in ignored
