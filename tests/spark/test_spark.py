"""Builds on real Sparks, each in an environment of its own, beside the same build here. `make spark` runs this."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coinbase_insights.lake.build import build
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.journal import read
from coinbase_insights.models.folder import open_model
from coinbase_insights.models.registry import register, write_files
from coinbase_insights.models.train import HeldOut, model_to_train, train
from lakes import all_rows, assert_same, lake_of, long_walk
from test_figures import RECORDINGS

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "building.py"
EARLIER = datetime(2026, 4, 4, tzinfo=UTC)
SPARKS = ("3.5", "4.1")
pytestmark = pytest.mark.timeout(600)  # Spark starts slowly, and compiles the rules once

Halves = tuple[Path, Path]


def on_spark(version: str, *words: str, **variables: str) -> str:
    """Run a program in the environment of this Spark; give what it prints."""
    python = ROOT / ".venv-spark" / version / "bin" / "python"
    environment = {**os.environ, **variables}
    done = subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def built_on_spark(version: str, *lakes: tuple[str, str]) -> list[dict[str, Any]]:
    words = [word for lake in lakes for word in lake]
    told: list[dict[str, Any]] = json.loads(on_spark(version, str(PROGRAM), *words).splitlines()[-1])
    return told


def replace(source: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(source, folder)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Halves:
    """A lake of which half is in raw, and the same one with all of it; nothing is built."""
    folder = tmp_path_factory.mktemp("halves")
    items = long_walk(3.5, products=("ETH-USD", "BTC-USD", "SOL-USD"))
    first, both = folder / "first", folder / "both"
    lake_of(first, items[: len(items) // 2])
    lake_of(both, items)
    return first, both


@pytest.mark.parametrize("version", SPARKS)
def test_the_tables_of_every_recording_are_those_of_the_local_engine(
    version: str, shared_data: Path, tmp_path: Path
) -> None:
    lakes = []
    for number, (name, channel) in enumerate(RECORDINGS):
        lake_of(tmp_path / f"{number}", list(read(shared_data / name)))
        shutil.copytree(tmp_path / f"{number}", tmp_path / f"{number}-here")
        lakes.append((str(tmp_path / f"{number}"), channel))

    told = built_on_spark(version, *lakes)

    for (lake, channel), found in zip(lakes, told, strict=True):
        build(f"{lake}-here", channel, "tilt")
        assert found["version"].startswith(version)
        assert found["rows"]["quotes"] == found["rows"]["insights"] > 0
        assert_same(all_rows(lake), all_rows(f"{lake}-here"))


def test_whichever_engine_goes_on_where_another_ended_the_tables_are_the_same(halves: Halves, tmp_path: Path) -> None:
    first, both = halves
    lakes = [tmp_path / name for name in ("spark first", "here first", "at once")]
    for lake, begun in zip(lakes, (first, first, both), strict=True):
        shutil.copytree(begun, lake)
    build(str(lakes[1]), "ticker", "tilt")
    told = built_on_spark("3.5", (str(lakes[0]), "ticker"))
    assert told[0]["made"]["insights"] > 500
    for lake in lakes[:2]:
        replace(both / "raw", lake / "raw")  # It has grown meanwhile.

    build(str(lakes[0]), "ticker", "tilt")
    *_, twice = built_on_spark("4.1", *((str(lake), "ticker") for lake in (lakes[1], lakes[2], lakes[2])))

    assert not any(twice["made"].values())
    whole = all_rows(str(lakes[2]))
    assert len(whole["scores"]) > 5
    for lake in lakes:
        assert_same(all_rows(str(lake)), whole)
        assert verify(str(lake), None).is_whole


def test_killed_between_two_commits_it_makes_the_same_rows_once_more(halves: Halves, tmp_path: Path) -> None:
    lake, before = tmp_path / "lake", tmp_path / "before"
    shutil.copytree(halves[0], lake)
    build(str(lake), "ticker", "tilt")
    shutil.copytree(lake, before)
    replace(halves[1] / "raw", lake / "raw")
    build(str(lake), "ticker", "tilt")
    whole = all_rows(str(lake))
    for name in ("bars", "scores"):  # As if it had been killed when insights were committed, and these not.
        replace(before / name, lake / name)
    shutil.copytree(before / "_memory", lake / "_memory", dirs_exist_ok=True)

    told = built_on_spark("4.1", (str(lake), "ticker"))

    assert told[0]["made"]["insights"] == 0
    assert_same(all_rows(str(lake)), whole)


@pytest.mark.parametrize("version", SPARKS)
def test_the_notebook_for_azure_builds_a_lake(version: str, halves: Halves, tmp_path: Path) -> None:
    lake, here = tmp_path / "lake", tmp_path / "here"
    shutil.copytree(halves[0], lake)
    shutil.copytree(halves[0], here)
    build(str(here), "ticker", "tilt")
    cells = json.loads((ROOT / "spark" / "build.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    notebook = tmp_path / "notebook.py"
    notebook.write_text("\n".join(cell for cell in code if not cell.startswith("%")))

    on_spark(version, str(notebook), COINBASE_INSIGHTS_LAKE=str(lake), COINBASE_INSIGHTS_CHANNEL="ticker")

    assert_same(all_rows(str(lake)), all_rows(str(here)))


def test_the_script_builds_a_lake(halves: Halves, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(halves[0], lake)

    said = on_spark("3.5", "spark/build.py", str(lake), "ticker")

    assert re.search(r"[0-9,]+ new insights", said)


def test_the_command_builds_a_lake_with_a_model_as_the_local_engine_does(halves: Halves, tmp_path: Path) -> None:
    lake, here, before, folder = (tmp_path / name for name in ("lake", "here", "before", "model"))
    shutil.copytree(halves[0], lake)
    shutil.copytree(halves[0], here)
    lake_of(before, long_walk(0.5, start=EARLIER))
    build(str(before), "ticker", "tilt")
    model = model_to_train("tilt", 1, "tilt")
    _, files = register(str(before), model, train(str(before), model, HeldOut(0.2)))
    write_files(str(folder), files)

    command = ("-m", "coinbase_insights", "build", str(lake), "--channel", "ticker", "--engine", "spark")
    on_spark("4.1", *command, "--master", "local[1]", "--model", str(folder))

    build(str(here), "ticker", open_model(folder))
    assert set(all_rows(str(lake))["insights"].forecaster) == {"tilt/1"}
    assert_same(all_rows(str(lake)), all_rows(str(here)))
