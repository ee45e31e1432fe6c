"""Readers of a lake that may be away: what is live, and the end, do not wait for them."""

import asyncio
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from coinbase_insights.errors import NoTableError, StorageError
from coinbase_insights.serve import readers
from coinbase_insights.serve.readers import Look, Readers
from site_of import SilentStore, Site, serving


def test_no_more_read_at_a_time_than_may_and_all_get_their_answer() -> None:
    reading, most = [0], [0]

    def work() -> int:
        reading[0] += 1
        most[0] = max(most[0], reading[0])
        time.sleep(0.002)
        reading[0] -= 1
        return 7

    async def ask() -> list[int]:
        those = Readers(asyncio.Event(), 2)
        return await asyncio.gather(*(those.read(work) for _ in range(20)))

    assert (asyncio.run(ask()), most[0] <= 2) == ([7] * 20, True)


def test_what_a_reader_raises_is_raised() -> None:
    def work() -> None:
        raise NoTableError("There is none.")

    with pytest.raises(NoTableError, match="There is none"):
        asyncio.run(Readers(asyncio.Event(), 1).read(work))


def test_at_the_end_whoever_waits_for_a_read_that_hangs_or_for_a_slot_is_told() -> None:
    hanging = threading.Event()

    async def ask() -> list[object]:
        ended = asyncio.Event()
        those = Readers(ended, 1)
        asked = [asyncio.create_task(those.read(hanging.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        ended.set()
        return list(await asyncio.gather(*asked, return_exceptions=True))

    found = asyncio.run(ask())
    hanging.set()

    assert [type(each) for each in found] == [StorageError] * 3


def test_who_asks_no_longer_keeps_the_slot_until_the_read_is_done() -> None:
    hanging = threading.Event()

    async def ask() -> bool:
        those = Readers(asyncio.Event(), 1)
        gone = asyncio.create_task(those.read(hanging.wait))
        await asyncio.sleep(0)
        gone.cancel()
        other = asyncio.create_task(those.read(lambda: True))
        await asyncio.wait({gone, other}, timeout=0.05)
        waited = not other.done()
        hanging.set()
        return waited and await other

    assert asyncio.run(ask())


def test_however_many_ask_one_look_at_the_lake_answers_them_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise StorageError("There is no lake.")

    async def ask_twice() -> list[str]:
        looking = Look(asyncio.Event(), look)
        found = await asyncio.gather(*(looking.trouble() for _ in range(20)))
        found.append(await looking.trouble())
        monkeypatch.setattr(readers, "REMEMBERED", 0.0)
        return [*found, await looking.trouble()]

    assert asyncio.run(ask_twice()) == ["There is no lake."] * 21 + [""]
    assert looks == [0, 1]


def test_a_look_that_hangs_is_waited_for_once_and_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PATIENCE", 0.05)
    hanging, looks = threading.Event(), list[int]()

    def look() -> None:
        looks.append(0)
        hanging.wait()

    async def ask_often() -> list[str]:
        looking = Look(asyncio.Event(), look)
        found = [await looking.trouble() for _ in range(50)]
        hanging.set()
        return found

    began = time.monotonic()
    assert asyncio.run(ask_often()) == ["the lake does not answer"] * 50
    assert (len(looks), time.monotonic() - began < 1.0) == (1, True)


def test_a_lake_that_never_answers_holds_up_neither_what_is_live_nor_the_end(silent_store: SilentStore) -> None:
    with serving("--demo", "--lake", silent_store.lake) as site:
        asked = [ask(site, path) for path in ("/api/lake", "/api/bars", "/api/scores", "/api/gaps", "/api/lake")]
        with site.stream("ETH-USD") as frames:
            next(frames)
        began = time.monotonic()
        assert site.json("/api/products")["has_lake"]
        took = time.monotonic() - began
        ended = end(site)
        for line in asked:
            line.close()

    assert (ended.code, took < 1.0, ended.took < 3.0) == (0, True, True)
    assert "Exception" not in ended.said


def test_a_file_that_never_comes_does_not_hold_up_the_end(built: str, tmp_path: Path) -> None:
    lake = shutil.copytree(built, tmp_path / "lake")
    for part in (lake / "bars").glob("*.parquet"):
        part.unlink()
        os.mkfifo(part)

    with serving("--lake", str(lake)) as site:
        asked = ask(site, "/api/lake")
        assert site.json("/api/products")["has_lake"]
        ended = end(site)
        asked.close()

    assert (ended.code, ended.took < 3.0) == (0, True)
    assert "Exception" not in ended.said


class Ended(NamedTuple):
    code: int
    took: float
    said: str


def ask(site: Site, path: str) -> socket.socket:
    """Ask, and do not wait for the answer."""
    line = socket.create_connection(("127.0.0.1", site.port))
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
    return line


def end(site: Site) -> Ended:
    began = time.monotonic()
    site.process.send_signal(signal.SIGTERM)
    assert site.process.stderr is not None
    said = site.process.stderr.read()
    return Ended(site.process.wait(10), time.monotonic() - began, said)
