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
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from confluent_kafka import Producer

from broker import Broker
from coinbase_insights.errors import StorageError
from coinbase_insights.log.group import Group, Position
from coinbase_insights.log.kafka import Address, Reader
from coinbase_insights.log.sharing import LINES
from coinbase_insights.log.topic_line import item_of
from coinbase_insights.pipe import Pipe
from coinbase_insights.show.lines import to_json
from site_of import Site, serving

pytestmark = pytest.mark.timeout(180)
PRODUCTS = [f"P{number}-USD" for number in range(200)]


class Market:
    """A quote of each product each second, sent to a topic as a collector sends it, until the context ends."""

    def __init__(self, where: Address, states: Address) -> None:
        """Begin when there is something in each of the states' partitions."""
        self._where, self._states = where, states
        self.sequence = 0
        """Of the last quote."""
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Market":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _send(self) -> None:
        wait_for(lambda: all(ends(self._states, share) for share in range(8)))  # All begin with the first quote.
        producer = Producer({"bootstrap.servers": self._where.servers})
        while not self._is_over.is_set():
            for number, product_id in enumerate(PRODUCTS):
                self.sequence += 1
                sequence = self.sequence
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

    def has_shown(self, sequence: int) -> bool:
        return any(line["sequence"] == sequence for _, line in self.shown[-400:])

    def wait(self) -> None:
        self.process.wait()
        self._thread.join()


@contextmanager
def member(where: Address, group: str, *more: str) -> Iterator[Member]:
    words = ["run", "--from", f"kafka://{where.servers}/{where.topic}", "--group", group, "--channel", "ticker"]
    command = [sys.executable, "-m", "coinbase_insights", *words, *more, "--format", "json"]
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
        for offset, line in reader.read(1000, 0.2):
            low = offset + 1
            for product in pipe.take(item_of(line)):
                insight = json.loads(to_json(product.insight(pipe.counts.missed, pipe.counts.reconnects)))
                found[insight["product_id"], insight["sequence"]] = insight
    reader.close()
    return found


def check(where: Address, members: list[Member], missing: int) -> list[tuple[float, dict[str, Any]]]:
    """Every figure is that of a single process, none twice, and no more are missing; give all in their order."""
    truth = expected(where)
    lines = sorted((each for found in members for each in found.shown), key=lambda each: each[0])
    shown = [(line["product_id"], line["sequence"]) for _, line in lines]
    assert len(set(shown)) == len(shown)
    assert [line for _, line in lines if line != truth[line["product_id"], line["sequence"]]] == []
    assert len(truth) - len(shown) <= missing
    return lines


def test_one_of_two_is_killed_and_the_other_goes_on_with_its_products(broker: Broker) -> None:
    where, states = broker.topic("raw"), broker.topic("raw.desk", 8)
    with member(where, "desk") as first:
        with Market(where, states) as market:
            wait_for(lambda: len(first.products()) == 200)
            with member(where, "desk") as second:
                wait_for(lambda: 0 < len(second.products()) < 200)
                wait_for(lambda: len(first.products()) + len(second.products()) == 200)
                wait_for(lambda: len(second.shown) > 500)
                second.process.kill()
                second.wait()
            wait_for(lambda: len(first.products()) == 200)
        wait_for(lambda: first.has_shown(market.sequence))
        first.process.send_signal(signal.SIGTERM)
        first.wait()

    lines = check(where, [first, second], LINES)  # Those that it was about to show when it was killed.
    for product_id in PRODUCTS:
        times = [at for at, line in lines if line["product_id"] == product_id]
        assert max(after - before for before, after in pairwise(times)) < 10.0


def test_whatever_becomes_of_the_members_and_the_broker_no_figure_is_wrong_or_shown_twice(broker: Broker) -> None:
    where, states = broker.topic("rough"), broker.topic("rough.desk", 8)
    with member(where, "desk") as first, Market(where, states) as market:
        with member(where, "desk") as second:
            wait_for(lambda: 0 < len(second.products()) < 200)
            second.process.send_signal(signal.SIGSTOP)
            wait_for(lambda: len(first.products()) == 200)
            second.process.send_signal(signal.SIGCONT)
            wait_for(lambda: 0 < len(first.products()) < 200)
            first.process.send_signal(signal.SIGTERM)
            first.wait()
            wait_for(lambda: len(second.products()) == 200)
            broker.kill()
            broker.start()
            before = len(second.shown)
            wait_for(lambda: len(second.shown) > before + 1000)
            second.process.send_signal(signal.SIGTERM)
            second.wait()
        with member(where, "desk") as third:
            wait_for(lambda: len(third.products()) == 200)
            market.end()
            wait_for(lambda: third.has_shown(market.sequence))
            third.process.send_signal(signal.SIGTERM)
            third.wait()

    check(where, [first, second, third], 0)


def test_a_share_whose_messages_the_topic_has_forgotten_begins_anew(broker: Broker) -> None:
    where, states = broker.topic("short"), broker.topic("short.desk", 8)
    with Market(where, states):
        with member(where, "desk") as first:
            wait_for(lambda: len(first.products()) == 200)
            first.process.send_signal(signal.SIGTERM)
            first.wait()
        end = ends(where, 0)
        wait_for(lambda: ends(where, 0) > end)
        broker.forget(where, ends(where, 0))
        with member(where, "desk") as second:
            wait_for(lambda: len(second.products()) == 200)

    assert_begins_anew(first, second)


def test_who_folds_by_other_rules_goes_on_with_nothing_of_what_was_kept(broker: Broker) -> None:
    where, states = broker.topic("rules"), broker.topic("rules.desk", 8)
    with Market(where, states):
        with member(where, "desk") as first:
            wait_for(lambda: len(first.products()) == 200)
            first.process.send_signal(signal.SIGTERM)
            first.wait()
        with member(where, "desk", "--forecaster", "last") as second:
            wait_for(lambda: len(second.products()) == 200)

    assert_begins_anew(first, second)


def test_what_is_kept_may_be_larger_than_a_message(broker: Broker) -> None:
    where, data = broker.topic("large"), Random(1).randbytes(1_300_000)
    broker.topic("large.desk", 1)
    first = Group(where, "desk", lambda _: Position(data, 7), lambda _: None)
    wait_for(lambda: is_given(first))
    wait_for(lambda: first.take(0, None, 7))
    first.close()
    second = Group(where, "desk", lambda _: Position(b"", 0), lambda _: None)
    wait_for(lambda: is_given(second))

    kept = second.kept(0)
    second.close()
    assert kept is not None
    assert (kept.data == data, kept.shown) == (True, 7)


def test_pages_of_a_group_show_a_share_each_and_the_one_that_stays_shows_all(broker: Broker) -> None:
    where, states = broker.topic("pages"), broker.topic("pages.desk", 8)
    words = ("--from", f"kafka://{where.servers}/{where.topic}", "--group", "desk", "--channel", "ticker")

    def shown(site: Site) -> set[str]:
        live = site.json("/api/products")["live"]
        return set() if live is None else {each["product_id"] for each in live["products"]}

    with serving(*words) as first, Market(where, states):
        wait_for(lambda: len(shown(first)) == 200)
        with serving(*words) as second:
            wait_for(lambda: 0 < len(shown(second)) < 200 and shown(first) == {*PRODUCTS} - shown(second))
            (elsewhere, *_) = shown(second)
            status, _, _ = first.ask(f"/api/insights/{elsewhere}")
            notes = first.json("/api/products")["live"]["notes"]
        wait_for(lambda: len(shown(first)) == 200)
        newest = first.json(f"/api/insights/{elsewhere}")["insight"]

    assert status == 404
    assert notes == ["The group desk shares the products; those of its other members are not here."]
    assert newest == expected(where)[elsewhere, newest["sequence"]]


def assert_begins_anew(first: Member, second: Member) -> None:
    """The second has nothing of what the first knew, and shows no figure that it has shown."""
    shown = [(line["product_id"], line["sequence"]) for found in (first, second) for _, line in found.shown]
    firsts = {line["product_id"]: line for _, line in reversed(second.shown)}
    assert len(set(shown)) == len(shown)
    assert {line["mid_price_mean"]["15m"]["count"] for line in firsts.values()} == {1}


def is_given(group: Group) -> bool:
    group.poll()
    return bool(group.given)


def ends(states: Address, share: int) -> int:
    reader = Reader(states, share)
    try:
        return reader.range()[1]
    except StorageError:  # It was made a moment ago.
        return 0
    finally:
        reader.close()
