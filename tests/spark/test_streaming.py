"""The figures of a topic by Spark Structured Streaming, killed and started again. `make spark` runs this."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from deltalake import DeltaTable

from broker import Broker
from coinbase_insights.log.journal import encode, read
from coinbase_insights.log.kafka import Address
from coinbase_insights.message import Item
from coinbase_insights.pipe import Pipe
from coinbase_insights.show.lines import to_json
from lakes import long_walk

ROOT = Path(__file__).parents[2]
Row = tuple[int, str, str]
pytestmark = pytest.mark.timeout(300)  # Spark starts slowly


def send(where: Address, items: list[Item]) -> None:
    """As a collector sends them."""
    producer = Producer({"bootstrap.servers": where.servers, "enable.idempotence": True})
    for stamp, _, text in (encode(item).rstrip(b"\n").partition(b"\t") for item in items):
        producer.produce(where.topic, text, partition=0, headers=[("received_at", stamp)])
    producer.flush()


def streaming(version: str, where: Address, folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    python = ROOT / ".venv-spark" / version / "bin" / "python"
    places = (str(folder / "live"), str(folder / "checkpoint"))
    command = [str(python), "spark/streaming.py", where.servers, where.topic, *places, *words]
    variables = {**os.environ, "MASTER": "local[1]", "PYSPARK_SUBMIT_ARGS": "--driver-memory 700m pyspark-shell"}
    return subprocess.Popen(command, cwd=ROOT, env=variables, start_new_session=True)


def shown(folder: Path) -> list[Row]:
    """Offset, product and insight of every row."""
    if not (folder / "live" / "_delta_log" / f"{0:020d}.json").exists():
        return []
    rows = DeltaTable(folder / "live").to_pyarrow_table().to_pylist()
    return sorted((row["offset"], row["product_id"], row["insight"]) for row in rows)


def told_by_a_pipe(items: list[Item], channel: str) -> list[Row]:
    pipe, found = Pipe(channel=channel), []
    for offset, item in enumerate(items):
        for product in pipe.take(item):
            insight = product.insight(pipe.counts.missed, pipe.counts.reconnects)
            found.append((offset, product.product_id, to_json(insight).decode()))
    return sorted(found)


@pytest.mark.parametrize(("version", "starts"), [("3.5", 1), ("4.1", 2)])  # 4.1 may stumble once: SPARK-55271
def test_killed_and_started_again_every_figure_is_there_once_and_that_of_the_screen(
    version: str, starts: int, broker: Broker, tmp_path: Path
) -> None:
    items = long_walk(1.2, products=("ETH-USD", "BTC-USD", "SOL-USD"))
    where = broker.topic(f"walk-{version}")
    words = ("--channel", "ticker", "--shares", "2", "--most", "200")
    send(where, items[: len(items) // 2])
    first = streaming(version, where, tmp_path, *words)
    while len(shown(tmp_path)) < 100:
        assert first.poll() is None
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = len(shown(tmp_path))
    send(where, items[len(items) // 2 :])

    ends = [streaming(version, where, tmp_path, *words, "--once").wait() for _ in range(starts)]

    assert ends[-1] == 0
    assert shown(tmp_path) == told_by_a_pipe(items, "ticker")
    assert before < len(shown(tmp_path))


def test_a_recording_has_the_figures_of_the_screen_and_is_not_gone_on_with_in_another_way(
    broker: Broker, shared_data: Path, tmp_path: Path
) -> None:
    items = list(read(shared_data / "exchange_2026-04-05_BTC-USD_ticker_batch_derived.rec"))
    where = broker.topic("recorded")
    send(where, items[:-100])

    assert streaming("3.5", where, tmp_path, "--once").wait() == 0
    assert shown(tmp_path) == told_by_a_pipe(items[:-100], "ticker_batch")

    send(where, items[-100:])
    assert streaming("3.5", where, tmp_path, "--once", "--shares", "2").wait() == 1  # The checkpoint is of one share.
    assert shown(tmp_path) == told_by_a_pipe(items[:-100], "ticker_batch")
