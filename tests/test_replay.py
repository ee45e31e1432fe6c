"""A recording played again, in order and at its pace; the clock of these tests moves only when somebody waits."""

import asyncio
import selectors
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from coinbase_insights.errors import RecordingError
from coinbase_insights.log.journal import encode, read
from coinbase_insights.log.replay import replay
from coinbase_insights.message import Item, Message, Opened


class Patient(selectors.DefaultSelector):
    """Never waits, but moves the clock on by as much as it should have waited."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.patient = Patient()
        super().__init__(self.patient)

    def time(self) -> float:
        return self.patient.now


def heard(path: Path, speed: float, busy: float = 0.0) -> list[tuple[float, Item]]:
    """Each item with the time at which it was given; `busy` is how long the taker needs for each."""

    async def listen() -> list[tuple[float, Item]]:
        loop = asyncio.get_running_loop()
        items = []
        async for item in replay(read(path), speed):
            items.append((round(loop.time() - 1000.0, 3), item))
            if busy:
                await asyncio.sleep(busy)
        return items

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(listen())


def recording(folder: Path, *seconds: float) -> Path:
    path = folder / "a.rec"
    start = 1_795_352_400_000_000_000
    items = [Message(start + round(second * 1e9), b"%d" % n) for n, second in enumerate(seconds)]
    path.write_bytes(b"".join(encode(item) for item in items))
    return path


def numbers(items: list[tuple[float, Item]]) -> list[int]:
    return [int(item.data) for _, item in items if isinstance(item, Message)]


@pytest.mark.parametrize(("speed", "times"), [
    (1.0, [0, 1, 1.5, 61.5]), (10.0, [0, 0.1, 0.15, 6.15]), (0.5, [0, 2, 3, 123]), (float("inf"), [0, 0, 0, 0]),
])  # fmt: skip
def test_messages_come_in_their_order_and_at_their_pace(tmp_path: Path, speed: float, times: list[float]) -> None:
    items = heard(recording(tmp_path, 0, 1, 1.5, 61.5), speed)
    assert [time for time, _ in items] == times
    assert numbers(items) == [0, 1, 2, 3]


def test_a_taker_that_is_late_is_not_kept_waiting_as_well(tmp_path: Path) -> None:
    items = heard(recording(tmp_path, 0, 1, 2, 10), 1.0, busy=2.5)
    assert [time for time, _ in items] == [0, 2.5, 5, 10]


def test_a_stamp_that_goes_back_is_given_at_once_and_in_its_place(tmp_path: Path) -> None:
    items = heard(recording(tmp_path, 5, 3, 6), 1.0)
    assert [time for time, _ in items] == [0, 0, 1]
    assert numbers(items) == [0, 1, 2]


def test_others_may_run_while_it_is_played_at_full_speed(tmp_path: Path) -> None:
    path = recording(tmp_path, *range(2000))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def listen() -> int:
        task = asyncio.create_task(other())
        count = len([item async for item in replay(read(path), float("inf"))])
        task.cancel()
        return count

    assert asyncio.run(listen()) == 2000
    assert turns >= 4


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="There is no recording"):
        heard(tmp_path / "a.rec", 1.0)


def test_whoever_watches_does_not_wait_for_where_it_is_kept() -> None:
    answers = threading.Event()

    def slow() -> Iterator[Item]:
        assert answers.wait(30)
        yield Opened(1, "ws://x")

    async def watch() -> Item:
        coming = asyncio.ensure_future(anext(replay(slow(), 1.0)))
        await asyncio.sleep(0)
        assert not coming.done()
        answers.set()
        return await coming

    assert asyncio.run(watch()) == Opened(1, "ws://x")


def test_what_came_before_damage_is_played_and_then_the_damage_is_told() -> None:
    def torn() -> Iterator[Item]:
        yield Opened(1, "ws://x")
        raise RecordingError("torn")

    async def listen() -> AsyncGenerator[Item]:
        async for item in replay(torn(), 1.0):
            yield item

    async def look() -> list[Item]:
        heard = listen()
        found = [await anext(heard)]
        with pytest.raises(RecordingError, match="torn"):
            await anext(heard)
        return found

    assert asyncio.run(look()) == [Opened(1, "ws://x")]
