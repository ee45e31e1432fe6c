"""Several processes share the products of a topic: each is folded by one of them, and has the figures of a single one.

All of them read the whole topic, for what time it is and when the line was down is known from all products together.
Whoever gets a share of the products from the group (group.py) goes on from what was kept of it, reads again what has
come since, and shows what comes behind the last message whose figures were shown. Before figures are shown, the group
is told up to where; a member that the broker has given up cannot tell it, and so shows nothing more.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from msgspec import MsgspecError

from ..engine.product import Product
from ..errors import StorageError, UsageError
from ..message import Item
from ..pipe import Pipe
from ..running import in_background
from .group import Group, Kept, Position
from .kafka import WAIT, Address, Reader, logger
from .shares import Shares, decode, recall, remember
from .topic_line import item_of

KEEP_EVERY = 30.0
"""Seconds between two sets of a share."""
LINES = 500
"""Messages to read at once."""


T = TypeVar("T")


def group_name(text: str) -> str:
    """Read the name of a group. Raises UsageError."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", text, re.ASCII) is None:
        raise UsageError(f"{text[:80]!a} is no name of a group.", "Take letters, digits, - and _.")
    return text


class Sharing:
    """A source of items, which keeps the products of a pipe to those that are ours."""

    def __init__(
        self, where: Address, name: str, shares: Shares, new_pipe: Callable[[Shares], Pipe], folded_as: str
    ) -> None:
        """`new_pipe` makes a pipe that folds the products that shares hold; `shares` are kept up to date.

        `folded_as` says by what rules: what was kept by others is not gone on with.
        """
        self._rules = folded_as
        self.pipe = new_pipe(shares)
        self._where, self._name = where, name
        self._shares, self._new_pipe = shares, new_pipe
        self._thread = ThreadPoolExecutor(1)
        self._offset = -1
        """Behind the last message that the pipe has taken; -1 before it is known where to begin."""

    async def items(self, folded: Callable[[Product], None]) -> AsyncGenerator[Item]:
        """Give all messages from now on. `folded` hears of quotes that were not shown while a share changed hands.

        Raises StorageError where there is no topic, or no broker at the start.
        """
        reader = await in_background(partial(Reader, self._where))
        group = await in_background(partial(Group, self._where, self._name, self._remember, self._forget))
        self._shares.count, self._shares.own = group.shares, group.own
        kept_at = time.monotonic()
        try:
            while True:
                for offset, line in await self._next(group, reader, folded):
                    self._offset = offset + 1
                    yield item_of(line)
                if time.monotonic() - kept_at >= KEEP_EVERY:
                    kept_at = time.monotonic()
                    await self._beside(group.keep, group.own)
        finally:
            self._thread.shutdown()  # What it does for the broker takes a moment at the most.
            reader.close()
            group.close()

    async def _next(self, group: Group, reader: Reader, folded: Callable[[Product], None]) -> list[tuple[int, bytes]]:
        """Hear what the group says, and give the next lines, whose figures may be shown. A broker is waited for."""
        try:
            await self._beside(group.poll)
            for share in list(group.given):
                await self._take_up(share, group, reader, folded)
            lines = await self._beside(reader.read, LINES, WAIT) if self._offset >= 0 else []
        except StorageError as error:
            logger.warning("%s", error.message)
            lines = []
        while lines and not await self._beside(group.vouch, lines[-1][0] + 1):
            await asyncio.sleep(WAIT)
        if not lines:
            await asyncio.sleep(WAIT)
        return lines

    async def _take_up(self, share: int, group: Group, reader: Reader, folded: Callable[[Product], None]) -> None:
        """Go on with a share that was given to us, as soon as we are where it was shown up to."""
        kept = await self._beside(group.kept, share)
        shown = 0 if kept is None else kept.shown
        why = None if kept is None else self._unfit(kept, share, (await self._beside(reader.range))[0])
        if why is not None:
            logger.warning("%s: the products of share %d begin anew", why, share)
            kept = None
        if self._offset < 0:
            await self._begin(reader, kept)
        if shown > self._offset:
            return
        since = [] if kept is None else await self._since(decode(kept.data).offset)
        if await self._beside(group.take, share, kept, self._offset) and kept is not None:
            self._catch_up(share, kept, since, folded)

    def _unfit(self, kept: Kept, share: int, oldest: int) -> str | None:
        """Say why what was kept of a share cannot be gone on with; None where it can."""
        try:
            remembered = decode(kept.data)
            recall(self._new_pipe(Shares(self._shares.count, {share})), remembered)
        except (ValueError, MsgspecError):
            return "another version has kept it"
        if remembered.folded_as != self._folded_as():
            return f"it was folded as {remembered.folded_as}, and not as {self._folded_as()}"
        return "what came since it was kept is gone from the topic" if remembered.offset < oldest else None

    def _folded_as(self) -> str:
        return f"{self._rules} in {self._shares.count} shares"

    async def _begin(self, reader: Reader, kept: Kept | None) -> None:
        """Begin where the first share was shown up to, or at the end of the topic where it is a new one."""
        if kept is None:
            self._offset = (await self._beside(reader.range))[1]
        else:
            remembered = decode(kept.data)
            self.pipe.load(remembered.pipe)
            async for _, item in self._between(remembered.offset, kept.shown):
                for _ in self.pipe.take(item):
                    pass
            self._offset = kept.shown
        reader.seek(self._offset)

    async def _since(self, start: int) -> list[tuple[int, Item]]:
        """Read what has come from an offset to where we are, whole: what is told to be shown must be at hand."""
        return [each async for each in self._between(start, self._offset)]

    def _catch_up(
        self, share: int, kept: Kept, since: Sequence[tuple[int, Item]], folded: Callable[[Product], None]
    ) -> None:
        """Bring a share from where it was kept to where we are."""
        pipe = self._new_pipe(Shares(self._shares.count, {share}))
        recall(pipe, decode(kept.data))
        for offset, item in since:
            for product in pipe.take(item):
                if offset >= kept.shown:
                    folded(product)
        self.pipe.products |= pipe.products

    async def _between(self, start: int, end: int) -> AsyncGenerator[tuple[int, Item]]:
        """Read messages of the topic once more, with their offsets."""
        reader = await self._beside(Reader, self._where)
        try:
            reader.seek(start)
            while start < end:
                for offset, line in await self._beside(reader.read, min(LINES, end - start), WAIT):
                    yield offset, item_of(line)
                    start = offset + 1
        finally:
            reader.close()

    async def _beside(self, work: Callable[..., T], *values: object) -> T:
        """Do something that waits for the broker, one at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)

    def _remember(self, share: int) -> Position:
        return Position(remember(self._offset, self.pipe, self._shares, share, self._folded_as()), self._offset)

    def _forget(self, share: int) -> None:
        for name in [name for name in self.pipe.products if self._shares.of(name) == share]:
            del self.pipe.products[name]
