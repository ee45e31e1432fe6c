"""What every command that runs for long needs: to hear that it should end, and to do slow work beside the loop."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar, cast

T = TypeVar("T")
STALE_AFTER = 15.0
"""Seconds without any message after which what keeps them is not ready."""
LATE_AFTER = 300.0
"""Seconds that messages may wait, and none lands, until it is not ready."""
LAST_LANDING = 1.2
"""Seconds that the lake gets at the end; the rest lands at the next start."""
BACKGROUND = "in the background"
"""The name of threads whose end nobody waits for."""
SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


def end_at_signals(exit_codes: Mapping[int, int]) -> None:
    """From now on, end the program with one of these codes at a signal, wherever it is.

    It may be in a library that does not come back for minutes, and until then Python calls no handler of ours.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    for number in exit_codes:
        signal.signal(number, lambda *_: None)  # With one, its number is written at once, whatever Python does.
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        with told:
            os._exit(exit_codes[heard.recv(1)[0]])

    threading.Thread(target=wait, daemon=True).start()


async def next_signal() -> str:
    """Wait for Ctrl-C or one of the system's ways to end a program, and name it.

    What follows is the end, and short: until then a second Ctrl-C still breaks it off, other signals change nothing.
    """
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[str] = loop.create_future()
    for number, name in SIGNALS.items():
        loop.add_signal_handler(number, _settle, signalled, name)
    try:
        return await signalled
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            if signalled.done() and not signalled.cancelled() and number != signal.SIGINT:
                signal.signal(number, signal.SIG_IGN)


def _settle(signalled: "asyncio.Future[str]", name: str) -> None:
    if not signalled.done():
        signalled.set_result(name)


async def until_signal(seconds: float | None) -> None:
    """Wait so long, or for ever, or until a signal says stop."""
    try:
        async with asyncio.timeout(seconds):
            await next_signal()
    except TimeoutError:
        return


async def race(works: Iterable[Coroutine[object, object, object]], seconds: float | None) -> None:
    """Run them all until the first ends or the time is over, and end the others; what one of them raised is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


def within(seconds: float, work: Callable[[], T]) -> T:
    """Do blocking work, but wait for it no longer than that. Raises what it raises, and TimeoutError."""

    async def wait() -> T:
        async with asyncio.timeout(seconds):
            return await in_background(work)

    return asyncio.run(wait())


async def in_background(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that does not hold up the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is handed on to whoever awaits, a panic of Rust too
            problem = error
        with suppress(RuntimeError):  # The program has ended meanwhile.
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, daemon=True, name=BACKGROUND).start()
    return await future


def leave_background(exit_code: int) -> None:
    """End the program at once if work is left in the background: a library broken off at it could hang or abort."""
    if any(thread.name == BACKGROUND for thread in threading.enumerate()):
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(exit_code)
