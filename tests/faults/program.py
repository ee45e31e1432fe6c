"""The program as a user starts it: a process of its own, with what it writes and how it ends."""

import asyncio
import json
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from exchange import Exchange


class Program:
    """A process; both streams are read in the background, unless `read` says to leave stdout full."""

    def __init__(self, process: asyncio.subprocess.Process, *, read: bool = True) -> None:
        self.process = process
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._news = asyncio.Condition()
        self._readers = [asyncio.create_task(self._read(process.stderr, self.stderr))]
        if read:
            self.read()

    def read(self) -> None:
        """Begin to read stdout."""
        self._readers.append(asyncio.create_task(self._read(self.process.stdout, self.stdout)))

    async def _read(self, stream: asyncio.StreamReader | None, kept: bytearray) -> None:
        while stream is not None and (data := await stream.read(2**16)):
            kept += data
            async with self._news:
                self._news.notify_all()

    async def until(self, text: str, limit: float = 20.0) -> None:
        """Wait until the text stands in one of the streams."""
        wanted = text.encode()
        await self._wait(lambda: wanted in self.stdout or wanted in self.stderr, limit)

    async def quotes(self, count: int, limit: float = 20.0) -> int:
        """Wait until so many quotes stand on stdout, in either format, and give how many do."""
        await self._wait(lambda: self.quoted() >= count, limit)
        return self.quoted()

    def quoted(self) -> int:
        return self.stdout.count(b'"type":"insight"') + self.stdout.count(b" bid ")

    async def _wait(self, condition: Callable[[], bool], limit: float) -> None:
        async with asyncio.timeout(limit), self._news:
            await self._news.wait_for(condition)

    @property
    def insights(self) -> list[dict[str, Any]]:
        """What JSON lines on stdout say; every line must be whole and be JSON."""
        return [line for line in map(json.loads, bytes(self.stdout).splitlines()) if line["type"] == "insight"]

    @property
    def said(self) -> str:
        return self.stderr.decode()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def end(self, limit: float = 20.0) -> int:
        """Wait for the end and give the exit code."""
        async with asyncio.timeout(limit):
            await asyncio.gather(*self._readers)
            return await self.process.wait()


@asynccontextmanager
async def program(*arguments: str, read: bool = True, **environment: str) -> AsyncIterator[Program]:
    """Start it; whatever happens, it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "coinbase_insights", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip
    running = Program(process, read=read)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        if len(running._readers) == 1:
            running.read()
        await running.end()


class Terminal:
    """A pseudo-terminal of 80 x 24, and what is drawn on it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        termios.tcsetwinsize(self.slave, (24, 80))
        self.shown = b""
        self._news = asyncio.Event()

    async def start(self, *arguments: str, read: bool = True) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "coinbase_insights", *arguments,
            stdin=self.slave, stdout=self.slave, stderr=self.slave, env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(self.slave)
        if read:
            self.look()
        return process

    def look(self) -> None:
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def look_away(self) -> None:
        """Read no more, as a terminal does after Ctrl-S."""
        asyncio.get_running_loop().remove_reader(self.master)

    def _read(self) -> None:
        try:
            data = os.read(self.master, 2**16)
        except OSError:
            data = b""
        if not data:
            self.look_away()
        self.shown += data
        self._news.set()

    async def until(self, text: bytes, limit: float = 10.0) -> None:
        async with asyncio.timeout(limit):
            while text not in self.shown:
                self._news.clear()
                await self._news.wait()

    async def rest(self) -> bytes:
        """Close, and give all that was shown."""
        await asyncio.sleep(0.1)
        self.look_away()
        os.close(self.master)
        return self.shown


def run(exchange: Exchange, *arguments: str) -> list[str]:
    """The command line that follows ETH-USD on this exchange."""
    return ["run", "--product-id", "ETH-USD", "--url", exchange.url, *arguments]
