"""The broker between the collector and the lake: Apache Kafka, stopped and started, and killed on both sides of it."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from broker import Broker
from coinbase_insights.errors import LockedError, StorageError, UsageError
from coinbase_insights.lake.gaps import gaps
from coinbase_insights.lake.history import collected
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.relay import Relay, relay
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.kafka import Address, Reader, address
from coinbase_insights.log.segments import Segments
from coinbase_insights.log.sending import Sending, following
from coinbase_insights.log.topic_line import item_of
from coinbase_insights.message import Item, Lost, Message, Opened, Unstored
from coinbase_insights.running import race

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> Address:
    return broker.topic(request.node.name.replace("[", "-").replace("]", ""))


def message(number: int) -> Message:
    return Message(10**18 + number, b'{"type":"ticker","product_id":"ETH-USD","sequence":%d}' % number)


def journal_of(folder: Path, items: list[Item]) -> Segments:
    journal = Segments(folder)
    for item in items:
        journal.write(item)
    journal.sync()
    return journal


def drain(topic: Address, lake: Path, until: int) -> Relay:
    work = Relay(topic, Raw(str(lake), create=True))
    deadline = time.monotonic() + 30
    while work.landed < until:
        assert time.monotonic() < deadline
        work.step(0.1)
    return work


def test_what_goes_through_a_topic_is_in_the_lake_byte_for_byte(topic: Address, tmp_path: Path) -> None:
    items: list[Item] = [
        Opened(1, "ws://x"), *map(message, range(500)), Message(10**18, b"\xff\n#"), Unstored(5, 3), Lost(6, "torn")
    ]  # fmt: skip
    journal = journal_of(tmp_path / "journal", items)
    Sending(topic, tmp_path / "journal").land(journal.durable)
    journal.close()
    work = drain(topic, tmp_path / "lake", len(items))
    standing = work.standing()
    work.close()
    assert (standing.landed, standing.waiting, standing.is_ready) == (len(items), 0, True)
    assert list(collected(str(tmp_path / "lake"))) == items
    assert verify(str(tmp_path / "lake"), None).faults == []


def test_a_second_sender_goes_on_where_the_topic_ends(topic: Address, tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [message(number) for number in range(100)])
    Sending(topic, tmp_path).land(40)
    again = Sending(topic, tmp_path)
    again.land(journal.durable)
    journal.close()
    assert Reader(topic).range() == (0, 100)
    assert again.landed == 100


def test_a_journal_that_is_not_the_topics_is_refused_however_long_it_is(topic: Address, tmp_path: Path) -> None:
    old = journal_of(tmp_path / "old", [message(number) for number in range(20)])
    Sending(topic, tmp_path / "old").land(old.durable)
    old.close()
    other = journal_of(tmp_path / "other", [message(number) for number in range(1000, 1050)])

    for until in (10, 20, other.durable):
        with pytest.raises(StorageError, match="it is not the journal of this topic"):
            Sending(topic, tmp_path / "other").land(until)
    other.close()

    assert Reader(topic).range() == (0, 20)


def test_a_new_journal_goes_on_behind_the_topic_whose_journal_was_lost(topic: Address, tmp_path: Path) -> None:
    old = journal_of(tmp_path / "old", [message(number) for number in range(20)])
    Sending(topic, tmp_path / "old").land(old.durable)
    old.close()
    new = Segments(tmp_path / "new", start=following(topic))
    for number in range(20, 30):
        new.write(message(number))
    new.sync()
    new.close()

    Sending(topic, tmp_path / "new").land(new.durable)

    drain(topic, tmp_path / "lake", 30).close()
    assert list(collected(str(tmp_path / "lake"))) == [message(number) for number in range(30)]


def test_a_lake_is_not_gone_on_with_from_another_topic_of_that_name(
    broker: Broker, topic: Address, tmp_path: Path
) -> None:
    old, new = (journal_of(tmp_path / f"{first}", [message(first + n) for n in range(30)]) for first in (0, 1000))
    Sending(topic, tmp_path / "0").land(20)
    drain(topic, tmp_path / "lake", 20).close()
    broker.make_anew(topic)

    for until in (10, 20, 30):
        Sending(topic, tmp_path / "1000").land(until)
        with pytest.raises(StorageError, match="that is not this one"):
            Relay(topic, Raw(str(tmp_path / "lake")))

    old.close()
    new.close()
    assert verify(str(tmp_path / "lake"), None).rows == 20


def test_a_topic_that_has_forgotten_everything_gets_nothing_again_and_a_new_one_gets_all(
    broker: Broker, topic: Address, tmp_path: Path
) -> None:
    journal = journal_of(tmp_path, [message(number) for number in range(100)])
    Sending(topic, tmp_path).land(60)
    broker.forget(topic, 60)
    new = broker.topic("a-new-one")
    for each in (topic, new):
        Sending(each, tmp_path).land(journal.durable)
    journal.close()
    assert (Reader(topic).range(), Reader(new).range()) == ((60, 100), (0, 100))


def test_messages_that_a_topic_has_no_longer_are_one_line_that_says_how_many(
    broker: Broker, topic: Address, tmp_path: Path
) -> None:
    journal = journal_of(tmp_path, [message(number) for number in range(10)])
    Sending(topic, tmp_path).land(journal.durable)
    journal.close()
    broker.forget(topic, 7)
    reader = Reader(topic)
    reader.seek(2)
    lines: list[tuple[int, bytes]] = []
    while len(lines) < 4:
        lines += reader.read(100, 1.0)
    reader.close()

    (at, gone), *rest = [(offset, item_of(line)) for offset, line in lines]
    assert isinstance(gone, Unstored)
    assert (at, gone.count) == (6, 5)
    assert rest == [(number, message(number)) for number in (7, 8, 9)]


def test_row_32_a_broker_that_is_killed_and_started_again_gets_each_line_once(
    broker: Broker, topic: Address, tmp_path: Path
) -> None:
    journal, sending, refused = journal_of(tmp_path, []), Sending(topic, tmp_path), []

    def disturb() -> None:
        for _ in range(2):
            time.sleep(1)
            broker.kill()
            time.sleep(1)
            broker.start()

    trouble = threading.Thread(target=disturb)
    trouble.start()
    number = 0
    while trouble.is_alive() or sending.landed < journal.durable:
        if trouble.is_alive():
            for number in range(number, number + 200):  # noqa: B020 - it goes on counting
                journal.write(message(number))
            number += 1
            journal.sync()
        try:
            sending.land(journal.durable)
        except StorageError as error:
            refused.append(error.message)
        time.sleep(0.05)
    journal.close()
    drain(topic, tmp_path / "lake", journal.end).close()
    assert list(collected(str(tmp_path / "lake"))) == [message(each) for each in range(number)]
    assert number > 1000


def test_a_lander_goes_on_behind_what_the_topic_has_forgotten_and_says_how_much_that_was(
    broker: Broker, topic: Address, tmp_path: Path
) -> None:
    journal, lake = journal_of(tmp_path, [message(number) for number in range(30)]), str(tmp_path / "lake")
    sending = Sending(topic, tmp_path)
    sending.land(10)
    drain(topic, tmp_path / "lake", 10).close()
    sending.land(journal.durable)
    journal.close()
    broker.forget(topic, 25)

    drain(topic, tmp_path / "lake", 30).close()

    kept = [item for item in collected(lake) if isinstance(item, Message)]
    assert kept == [message(number) for number in (*range(10), *range(25, 30))]
    assert sum(gap.messages or 0 for gap in gaps(Raw(lake))) == 15
    assert verify(lake, None).is_whole


def test_a_lander_waits_for_a_lake_that_is_away_and_lands_each_message_once(topic: Address, tmp_path: Path) -> None:
    items: list[Item] = [message(number) for number in range(200)]
    journal, lake = journal_of(tmp_path, items), tmp_path / "lake"
    Sending(topic, tmp_path).land(journal.durable)
    journal.close()
    work, told = Relay(topic, Raw(str(lake), create=True)), list[int]()
    (lake / "raw").rename(tmp_path / "away")
    (lake / "raw").touch()  # Nothing can be written below a file.

    def tell(landed: int) -> None:
        told.append(landed)
        if len(told) == 30:
            assert not work.standing().landed
            (lake / "raw").unlink()
            (tmp_path / "away").rename(lake / "raw")

    async def all_landed() -> None:
        while work.landed < len(items):
            await asyncio.sleep(0.01)

    asyncio.run(race((relay(work, 0.1, None, tell, 0.05), all_landed()), 30))

    assert list(collected(str(lake))) == items
    assert len(told) > 30


def test_a_lander_whose_lake_takes_nothing_is_late_since_it_took_the_last(topic: Address, tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [message(number) for number in range(10)])
    Sending(topic, tmp_path).land(journal.durable)
    journal.close()

    class Full(Raw):
        def land(self, *_: object) -> None:
            raise StorageError("There is no room.")

    work, failed_at = Relay(topic, Full(str(tmp_path / "lake"), create=True)), list[float]()
    while len(failed_at) < 3:
        try:
            work.step(0.0)
        except StorageError:
            failed_at.append(time.monotonic())

    now = time.monotonic()
    assert work.standing().late >= now - failed_at[0]
    work.close()


def test_a_lander_removes_what_nobody_needs_any_more(topic: Address, tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [message(number) for number in range(60)])
    sending = Sending(topic, tmp_path)

    class AtOnce(Raw):
        def clean(self, hours: int = 1) -> None:
            super().clean(hours=0)  # Else it would take an hour to see.

    raw = AtOnce(str(tmp_path / "lake"), create=True)
    work = Relay(topic, raw, clean_every=0.0)
    for until in range(5, 61, 5):
        sending.land(until)
        while work.landed < until:
            work.step(0.0)
    journal.close()
    work.close()

    there = {path.name for path in (tmp_path / "lake/raw").glob("*.parquet")}
    assert there == {part.name for part in raw.parts()}
    assert len(there) < 12


def take_turns(works: list[Relay]) -> None:
    for work in [*works, *works]:
        work.step(60)
        work.commit()


def test_two_that_land_the_same_topic_double_nothing(topic: Address, tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal", [message(number) for number in range(300)])
    Sending(topic, tmp_path / "journal").land(journal.durable)
    journal.close()
    works = [Relay(topic, Raw(str(tmp_path / "lake"), create=True)) for _ in range(2)]
    for work in works:
        while not work._lines:
            work.step(60)
    works[0].commit()
    with suppress(LockedError, StorageError):  # The second is refused, or has committed the very same part.
        take_turns(works)
    drain(topic, tmp_path / "lake", 300).close()
    assert list(collected(str(tmp_path / "lake"))) == [message(number) for number in range(300)]


def test_the_commands_pass_messages_on_and_end_when_they_are_told(topic: Address, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "coinbase_insights"]
    place, lake = f"kafka://{topic.servers}/{topic.topic}", str(tmp_path / "lake")
    with (
        started([*program, "simulate", "--port", "0", "--speed", "20"]) as market,
        started([*program, "ingest", "--from", place, "--to", lake, "--commit-every", "500ms"]) as drain_on,
    ):
        assert market.stderr is not None
        url = market.stderr.readline().split(" ")[2]
        words = ["-p", "ETH-USD", "--channel", "ticker", "--to", place, "--journal", str(tmp_path / "journal")]
        with started([*program, "ingest", *words, "--url", url]) as collector:
            wait_for(lambda: Path(lake, "raw").is_dir() and len(Raw(lake).parts()) > 1)
            collector.send_signal(signal.SIGTERM)
            assert collector.wait(5) == 0
        sent = Reader(topic).range()[1]
        wait_for(lambda: Raw(lake).landed(f"{topic.topic}/0") == sent)
        drain_on.send_signal(signal.SIGTERM)
        assert drain_on.wait(5) == 0
    report = verify(lake, None)
    assert (report.faults, report.rows) == ([], sent)


def test_row_32_a_lander_that_is_killed_at_random_moments_lands_each_message_once(
    topic: Address, tmp_path: Path
) -> None:
    chance, lake = random.Random(1), str(tmp_path / "lake")
    journal, sent = Segments(tmp_path / "journal"), 0
    sending = Sending(topic, tmp_path / "journal")
    words = ["ingest", "--from", f"kafka://{topic.servers}/{topic.topic}", "--to", lake, "--commit-every", "100ms"]
    for _ in range(8):
        with started([sys.executable, "-m", "coinbase_insights", *words]) as lander:
            before, ends_at = landed(lake, topic), None
            while ends_at is None or time.monotonic() < ends_at:
                if ends_at is None and landed(lake, topic) > before:
                    ends_at = time.monotonic() + chance.uniform(0.0, 0.6)
                for _ in range(20):
                    journal.write(message(sent))
                    sent += 1
                journal.sync()
                sending.land(journal.durable)
            lander.kill()
    journal.close()
    drain(topic, tmp_path / "lake", sent).close()
    assert list(collected(lake)) == [message(number) for number in range(sent)]
    assert verify(lake, None).faults == []


def landed(lake: str, topic: Address) -> int:
    return Raw(lake).landed(f"{topic.topic}/0") if Path(lake, "raw/_delta_log").is_dir() else 0


@contextmanager
def started(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_topic_that_cannot_keep_the_order_is_refused(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="has 3 partitions"):
        Reader(broker.topic("three", 3))
    with pytest.raises(StorageError, match="does not exist"):
        Reader(Address(broker.servers, "nothing"))


@pytest.mark.parametrize("url", ["kafka://", "kafka://x", "kafka://x/y/z", "kafka://x:1/a b", "http://x/y"])
def test_what_is_no_topic_is_said(url: str) -> None:
    with pytest.raises(UsageError, match="no address of a topic"):
        address(url)
