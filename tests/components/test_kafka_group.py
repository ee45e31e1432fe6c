"""A consumer group at scale: several processes, 200 products, and every figure that of a single one."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from broker import JARS, Broker
from confluent_kafka import Producer

from coinbase_insights.log.kafka import Address, Reader, item_of
from coinbase_insights.pipe import Pipe
from coinbase_insights.show.lines import to_json

pytestmark = pytest.mark.timeout(180)
PRODUCTS = [f"P{number}-USD" for number in range(200)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if not JARS.is_dir():
        pytest.skip("there is no Kafka: `make components` brings it with Maven")
    made = Broker(tmp_path_factory.mktemp("kafka"))
    made.start()
    yield made
    made.kill()


class Market:
    """A quote of each product each second, sent to a topic as a collector sends it, until the context ends."""

    def __init__(self, where: Address) -> None:
        self._where = where
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Market":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _send(self) -> None:
        producer, sequence = Producer({"bootstrap.servers": self._where.servers}), 0
        while not self._is_over.is_set():
            for number, product_id in enumerate(PRODUCTS):
                sequence += 1
                at = datetime.now(UTC)
                bid = 100 + number + (sequence * 7919 % 100) / 100
                text = (
                    f'{{"type":"ticker","sequence":{sequence},"product_id":"{product_id}","price":"1",'
                    f'"time":"{at.isoformat()}","best_bid":"{bid:.2f}","best_bid_size":"1.5",'
                    f'"best_ask":"{bid + 0.01:.2f}","best_ask_size":"0.5"}}'
                )
                stamp = b"%d" % (int(at.timestamp() * 1e6) * 1000)
                producer.produce(self._where.topic, text.encode(), product_id, 0, headers=[("received_at", stamp)])
            producer.flush()
            self._is_over.wait(1.0)


class Member:
    """A process of the group, and what it has shown: the time at which, and the line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.shown: list[tuple[float, dict[str, Any]]] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = json.loads(line)
            if found["type"] == "insight":
                self.shown.append((time.monotonic(), found))

    def products(self) -> set[str]:
        return {line["product_id"] for _, line in self.shown[-400:]}

    def wait(self) -> None:
        self.process.wait()
        self._thread.join()


@contextmanager
def member(where: Address, group: str) -> Iterator[Member]:
    words = ["run", "--from", f"kafka://{where.servers}/{where.topic}", "--group", group, "--channel", "ticker"]
    command = [sys.executable, "-m", "coinbase_insights", *words, "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = Member(process)
            yield found
        finally:
            process.kill()
            found.wait()


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def expected(where: Address) -> dict[tuple[str, int], dict[str, Any]]:
    """What a single process says of all that is in the topic."""
    reader, pipe, found = Reader(where), Pipe(channel="ticker"), {}
    low, high = reader.range()
    reader.seek(low)
    while low < high:
        for low, line in reader.read(1000, 0.2):
            for product in pipe.take(item_of(line)):
                insight = json.loads(to_json(product.insight(pipe.counts.missed, pipe.counts.reconnects)))
                found[insight["product_id"], insight["sequence"]] = insight
            low += 1
    reader.close()
    return found


def test_one_of_two_is_killed_and_the_other_goes_on_with_its_products(broker: Broker) -> None:
    where = broker.topic("raw")
    broker.topic("raw.desk", 8)
    shares = [Reader(Address(where.servers, "raw.desk"), number) for number in range(8)]
    with member(where, "desk") as first:
        wait_for(lambda: all(share.range()[1] for share in shares))
        with Market(where):
            wait_for(lambda: len(first.products()) == 200)
            with member(where, "desk") as second:
                wait_for(lambda: 0 < len(second.products()) < 200)
                wait_for(lambda: len(first.products()) + len(second.products()) == 200)
                time.sleep(5)
                second.process.kill()
                second.wait()
                wait_for(lambda: len(first.products()) == 200)
                time.sleep(5)
        time.sleep(1)
        first.process.send_signal(signal.SIGTERM)
        first.wait()

    truth = expected(where)
    lines = sorted(first.shown + second.shown, key=lambda each: each[0])
    shown = [(line["product_id"], line["sequence"]) for _, line in lines]
    assert len(set(shown)) == len(shown)
    from collections import Counter
    print(Counter(k for _, line in lines for k in line if line[k] != truth[line["product_id"], line["sequence"]].get(k, "GONE")), len(lines))
    for _, line in lines[:2]+lines[-2:]: print({k: (line[k], truth[line["product_id"], line["sequence"]].get(k)) for k in line if line[k] != truth[line["product_id"], line["sequence"]].get(k)})
    assert [line for _, line in lines if line != truth[line["product_id"], line["sequence"]]] == []
    print("not shown", len(truth) - len(shown), "of", len(truth))
    for product_id in PRODUCTS:
        times = [at for at, line in lines if line["product_id"] == product_id]
        assert max(b - a for a, b in zip(times, times[1:])) < 10.0
