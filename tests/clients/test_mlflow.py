"""MLflow's own scoring server serves a model that was trained here, in an environment without this package."""

import json
import os
import pickle
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.test_clients import environment
from coinbase_insights.lake.build import build
from coinbase_insights.models.folder import open_model
from coinbase_insights.models.registry import register, write_files
from coinbase_insights.models.scoring import forecast_at
from coinbase_insights.models.train import HeldOut, model_to_train, train
from coinbase_insights.quote import Quote, read_quote
from lakes import lake_of, long_walk

pytestmark = pytest.mark.timeout(600)  # making an environment takes a minute
ASKED: list[list[Any]] = [
    ["ETH-USD", 2000.12, 0.5, 2000.13, 3.25],
    ["ETH-USD", 2000.12, None, 2000.13, None],
    ["BTC-USD", 67468.26, 0.00275905, 67469.62, 0.17950856],
    ["DOGE-USD", 0.12345, 100.0, 0.12346, 250.0],
]


@pytest.fixture(scope="module")
def mlflow() -> Path:
    return environment("mlflow").with_name("mlflow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lake = lake_of(tmp_path / "lake", long_walk(1.0))
    build(lake, "ticker", "tilt")
    model = model_to_train("tilt", 1, "tilt")
    _, files = register(lake, model, train(lake, model, HeldOut(0.2)))
    write_files(str(tmp_path / "model"), files)
    return tmp_path / "model"


@pytest.fixture
def server(mlflow: Path, folder: Path) -> Iterator[str]:
    """The address of a server that is up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        serving(mlflow, folder, port), stderr=subprocess.PIPE, text=True, env=bare(mlflow)
    ) as running:
        assert running.stderr is not None
        said = []
        for line in running.stderr:
            said.append(line)
            if "Uvicorn running" in line:
                break
        else:
            pytest.fail("".join(said))
        yield f"http://127.0.0.1:{port}"
        running.terminate()
        running.stderr.close()


def serving(mlflow: Path, folder: Path, port: int) -> list[str | Path]:
    where = ["--host", "127.0.0.1", "--port", str(port)]
    return [mlflow, "models", "serve", "--env-manager", "local", "--model-uri", str(folder), *where]


def bare(mlflow: Path) -> dict[str, str]:
    """An environment in which nothing of ours can be found."""
    return {"PATH": f"{mlflow.parent}:{os.environ['PATH']}", "HOME": os.environ["HOME"], "PYTHONDONTWRITEBYTECODE": "1"}


def ask(server: str, rows: list[list[Any]]) -> Any:
    columns = ["product_id", "best_bid", "best_bid_size", "best_ask", "best_ask_size"]
    body = json.dumps({"dataframe_split": {"columns": columns, "data": rows}}).encode()
    request = urllib.request.Request(f"{server}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response, parse_constant=pytest.fail)["predictions"]  # NaN is no JSON.


def test_the_scoring_server_forecasts_as_we_do(server: str, folder: Path) -> None:
    answers = ask(server, ASKED)

    model = open_model(folder)
    for (product_id, *sides), answer in zip(ASKED, answers, strict=True):
        texts = [None if side is None else f"{side:.8f}".rstrip("0").rstrip(".") for side in sides]
        quote = read_quote(str(product_id), 0, None, *texts)
        assert isinstance(quote, Quote)
        mid_price, forecast, low, high = forecast_at(model, quote)
        assert (answer["mid_price"], answer["forecast"]) == (mid_price, forecast)
        if product_id == "DOGE-USD":  # It has learned nothing of it, and says so.
            assert (answer["low"], answer["high"]) == (None, None)
        else:
            assert (answer["low"], answer["high"]) == (low, high)
            assert low < forecast < high


def test_what_is_no_quote_is_told_to_whoever_asked(server: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(server, [["ETH-USD", 2000.14, 1.0, 2000.13, 1.0]])

    assert refused.value.code == 400
    assert re.search("row 0 .* is no quote", refused.value.read().decode())


def test_a_planted_pickle_is_not_served(mlflow: Path, folder: Path) -> None:
    (folder / "python_model.pkl").write_bytes(pickle.dumps(print))

    done = subprocess.run(
        serving(mlflow, folder, 0), capture_output=True, text=True, check=False, timeout=120, env=bare(mlflow)
    )

    assert done.returncode != 0
    assert "is refused: it holds 'python_model.pkl'" in done.stdout + done.stderr
