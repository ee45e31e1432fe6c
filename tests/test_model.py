"""A model's folder: numbers that are checked, files that are ours, and nothing that is run."""

import hashlib
import json
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights.engine.model import Model
from coinbase_insights.engine.product import Product
from coinbase_insights.errors import ModelError, UsageError
from coinbase_insights.lake.build import build
from coinbase_insights.lake.tables import INSIGHTS
from coinbase_insights.message import Item, Message, Opened
from coinbase_insights.models.find import model_for
from coinbase_insights.models.folder import open_model, read_model
from coinbase_insights.models.registry import register, write_files
from coinbase_insights.models.scoring import forecast_at
from coinbase_insights.models.train import HeldOut, model_to_train, train
from coinbase_insights.pipe import Pipe
from coinbase_insights.quote import Quote, read_quote
from lakes import lake_of, long_walk, pulled, rows
from test_compiled import by_name

Trained = tuple[str, list[Item], dict[str, bytes]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A lake in which a model was trained, what was collected after that, and the model's files."""
    folder = tmp_path_factory.mktemp("trained")
    items = long_walk(3.5)
    lake = lake_of(folder, items[: len(items) // 2])
    build(lake, "ticker", "tilt")
    model = model_to_train("tilt", 1, "tilt")
    _, files = register(lake, model, train(lake, model, HeldOut(0.2)))
    return lake, [items[0], *items[len(items) // 2 :]], files


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    write_files(str(tmp_path / "model"), trained[2])
    return tmp_path / "model"


def test_what_was_learned_comes_back_to_the_last_bit(trained: Trained, folder: Path) -> None:
    learned = train(trained[0], model_to_train("tilt", 1, "tilt"), HeldOut(0.2)).learned

    assert open_model(folder).learned == dict(learned)
    assert open_model(folder).name == "tilt/1"


@pytest.mark.parametrize(
    "name", ["python_model.pkl", "model.pickle", "code/evil.py", "artifacts/x.joblib", ".hidden", "code/a/b/c.pkl"]
)
def test_a_file_that_is_none_of_a_models_is_refused_however_the_folder_is_named(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(print))

    for where in (str(folder), f"file://{folder}"):
        with pytest.raises(ModelError, match="is refused: it holds"):
            model_for(where, None)


def test_a_champion_with_a_file_that_is_none_of_a_models_is_refused(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, pulled(8.0))
    build(lake, "ticker", "tilt")
    model = model_to_train("tilt", 1, "tilt")
    register(lake, model, train(lake, model, HeldOut(0.2)))
    planted = tmp_path / "_models" / "tilt" / "1" / "artifacts" / "deep" / "python_model.pkl"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(pickle.dumps(print))

    with pytest.raises(ModelError, match="is refused: it holds"):
        model_for(lake, None)


def test_mlflow_is_given_the_forecast_that_the_pipe_makes_at_its_first_quote(trained: Trained, folder: Path) -> None:
    model = open_model(folder)
    until = model.learned["ETH-USD"].until
    at = f"{np.datetime64(until + 1, 'us')}Z"
    prices = {"best_bid": "2000.01", "best_bid_size": "3.5", "best_ask": "2000.04", "best_ask_size": "0.25"}
    text = {"type": "ticker", "sequence": 7, "product_id": "ETH-USD", "time": at, "price": "1", **prices}
    items: list[Item] = [Opened(until * 1000, "ws://x"), Message(until * 1000 + 2000, json.dumps(text).encode())]

    pipe = Pipe(channel="ticker", product=lambda name, forecaster: Product(name, forecaster, model.new_state(name)))
    found = [product.insight() for item in items for product in pipe.take(item)]
    (insight,) = found + [product.insight() for product in pipe.finish()]
    quote = read_quote("ETH-USD", 0, None, *prices.values())
    assert isinstance(quote, Quote)
    mid, forecast, low, high = forecast_at(model, quote)

    assert insight.forecast.value != insight.mid_price == 2000.025
    assert (mid, forecast) == (insight.mid_price, insight.forecast.value)
    assert (low, high) == (insight.forecast.low, insight.forecast.high)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "artifacts").symlink_to(tmp_path)

    with pytest.raises(ModelError, match="is refused"):
        open_model(folder)


def test_coefficients_that_were_changed_are_refused(folder: Path) -> None:
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"pull": 0.5', '"pull": 0.6'))

    with pytest.raises(ModelError, match="is not what was trained"):
        open_model(folder)


def test_a_model_that_was_not_written_to_its_end_is_none(folder: Path) -> None:
    (folder / "card.json").unlink()

    with pytest.raises(ModelError, match="not whole"):
        open_model(folder)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_stands_in_a_card_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_model("a folder", ["model.json", "card.json"], {"model.json": b"{}", "card.json": data}.__getitem__)


@given(st.data())
def test_whatever_stands_in_a_model_is_read_or_refused(trained: Trained, data: st.DataObject) -> None:
    text = bytearray(trained[2]["model.json"])
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    card = json.loads(trained[2]["card.json"]) | {"digest": hashlib.sha256(text).hexdigest()}
    files = {"model.json": bytes(text), "card.json": json.dumps(card).encode()}

    with suppress(ModelError):
        assert read_model("a folder", files, files.__getitem__).forecaster in ("last", "tilt")


@pytest.mark.parametrize(
    ("name", "value"), [("beta", 1e9), ("beta", "1"), ("sigma", -1.0), ("fast_seconds", -5.0), ("until", 1.5)]
)
def test_a_coefficient_that_no_training_gives_is_refused(name: str, value: object, trained: Trained) -> None:
    files = dict(trained[2])
    model, card = json.loads(files["model.json"]), json.loads(files["card.json"])
    model["products"]["ETH-USD"][name] = value
    files["model.json"] = json.dumps(model).encode()
    card["digest"] = hashlib.sha256(files["model.json"]).hexdigest()
    files["card.json"] = json.dumps(card).encode()

    with pytest.raises(ModelError, match=r"cannot be used: in model\.json"):
        read_model("a folder", files, files.__getitem__)


def test_live_and_built_insights_with_a_model_are_equal_bit_for_bit(
    trained: Trained, folder: Path, tmp_path: Path
) -> None:
    model, items = open_model(folder), trained[1]
    lake = lake_of(tmp_path / "lake", items)
    build(lake, "ticker", model)

    live = played(items, model)

    made = rows(lake, INSIGHTS)
    assert set(made.forecaster) == {"tilt/1"}
    for product_id, insights in live.items():
        found = made[made.product_id == product_id].to_dict("records")
        assert found[0]["band"] > 0.0  # At once; whoever begins with nothing needs a minute.
        for row, insight in zip(found, insights, strict=True):
            for name, value in insight.items():
                assert repr(float(row[name])) == repr(float("nan") if value is None else float(value)), name


def played(items: list[Item], model: Model) -> dict[str, list[dict[str, Any]]]:
    def product(product_id: str, forecaster: str) -> Product:
        return Product(product_id, forecaster, model.new_state(product_id))

    live: dict[str, list[dict[str, Any]]] = {}
    pipe = Pipe(channel="ticker", product=product)
    for item in items:
        for each in pipe.take(item):
            live.setdefault(each.product_id, []).append(by_name(each.insight()))
    return live


def test_what_was_built_with_one_model_does_not_go_on_with_another(
    trained: Trained, folder: Path, tmp_path: Path
) -> None:
    lake = lake_of(tmp_path / "lake", trained[1])
    build(lake, "ticker", open_model(folder))

    with pytest.raises(UsageError, match="built with the model tilt/1, not tilt"):
        build(lake, "ticker", "tilt")
    with pytest.raises(UsageError, match="built with the forecaster tilt, not the model tilt/1"):
        build(trained[0], "ticker", open_model(folder))


def test_a_model_says_its_forecaster_itself(folder: Path) -> None:
    with pytest.raises(UsageError, match="--forecaster last is not that of the model tilt/1"):
        model_for(str(folder), "last")


def test_run_begins_with_a_model_and_says_so(folder: Path, shared_data: Path) -> None:
    recording = shared_data / "advanced_2026-04-05_BTC-USD_ticker.rec"
    words = ("run", "--from", str(recording), "--speed", "max", "--channel", "ticker", "--format", "json")

    done = typed(*words, "--model", str(folder))

    lines = map(json.loads, done.stdout.splitlines())
    first = next(line for line in lines if line["type"] == "insight")
    assert (done.returncode, first["forecast"]["low"]) == (0, None)
    assert "the model tilt/1 has learned of BTC-USD, ETH-USD" in done.stderr
    assert "has learned up to a later time than BTC-USD begins at" in done.stderr


def test_run_and_build_find_the_champion_of_a_lake(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, pulled(8.0))
    build(lake, "ticker", "tilt")
    model = model_to_train("tilt", 1, "tilt")
    register(lake, model, train(lake, model, HeldOut(0.2)))

    assert model_for(lake, None) == model_for(f"file://{lake}", None) == open_model(tmp_path / "_models" / "tilt" / "1")


def test_a_planted_pickle_is_refused_before_anything_is_read(folder: Path) -> None:
    (folder / "python_model.pkl").write_bytes(pickle.dumps(print))

    done = typed("run", "-p", "ETH-USD", "--model", str(folder))

    assert done.returncode == 2
    assert "python_model.pkl" in done.stderr


def typed(*words: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "coinbase_insights", *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_train_writes_a_model_and_tells_how_good_it_is(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", long_walk(1.0))
    build(lake, "ticker", "tilt")

    done = typed("train", lake, "--held-out", "20m", "--to", str(tmp_path / "model"), "--format", "json")

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["product_id"] for line in done.stdout.splitlines()] == ["BTC-USD", "ETH-USD", "*"]
    assert "tilt/1 is not the champion" in done.stderr
    assert open_model(tmp_path / "model") == open_model(Path(lake) / "_models" / "tilt" / "1")
