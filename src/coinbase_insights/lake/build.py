"""Build the tables of a lake from `raw`: quotes and gaps, and from the quotes insights, bars and scores.

    raw -> quotes, gaps
    quotes -> insights, bars, scores

Both steps go on where the tables end. A step takes so many rows at a time, writes what it remembers, and commits to
each of its tables how far it was made. Where it was killed between two commits, the next build makes the same rows
again, up to the same place, and commits them only where they are missing.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from ..engine.model import Model, untrained
from ..errors import StorageError
from .analyse import Analysed, analyse, refuse_other
from .compact import compact
from .delta import Delta, Written
from .gaps import Gap
from .memories import Memories
from .quotes import Reading
from .raw import Raw
from .tables import BARS, GAPS, INSIGHTS, QUOTES, SCORES, Table, schema

COMPACT_AFTER = 10
NEVER_SO_MANY = 2**63
"""More rows than any table has."""


class AtOnce(NamedTuple):
    """How much is taken at a time, which bounds the memory."""

    lines: int = 100_000
    """Rows of raw."""
    rows: int = 100_000
    """Rows of quotes."""


class Progress(NamedTuple):
    """How far a step has come."""

    step: str
    """What is counted."""
    begun: int
    done: int
    of: int
    seconds: float
    """That the rows from `begun` to `done` took."""
    late: tuple[str, ...] = ()
    """Products that have begun within the time that the model has learned of, and so without it."""


class Step:
    """One step of a build: from one table to others, and what it remembers."""

    def __init__(self, lake: str, name: str, made: Sequence[Table]) -> None:
        """Open the tables that it makes, and look how far they are."""
        self.made = [Delta(lake, declared, create=True) for declared in made]
        self._memories = Memories(lake, name)
        self.ends = [table.landed(table.declared.name) for table in self.made]
        """How many rows each table has."""
        self._commits = 0
        self.new = {table.declared.name: 0 for table in self.made}
        """How many rows each table has got."""
        progress = [table.made_until() for table in self.made]
        self.done = min(progress)
        """Rows of its source that are in all of its tables."""
        self.next = max(progress) if max(progress) > self.done else None
        """Where the build before was killed: up to there rows are made once more."""
        if not max(progress):  # What is remembered is of tables that are no more.
            self._memories.forget(NEVER_SO_MANY)

    def remembered(self) -> bytes | None:
        """Give what it remembers of where it ends. Raises DamagedError."""
        return self._memories.read(self.done)

    def commit(self, until: int, rows: Sequence[pa.Table | list[Written]], memory: bytes) -> None:
        """Keep what was made of its source up to a row, rows or written parts; nothing of it is made twice."""
        self._memories.write(until, memory)
        for number, (table, found) in enumerate(zip(self.made, rows, strict=True)):
            if table.made_until() >= until:
                continue
            name, end = table.declared.name, self.ends[number]
            if isinstance(found, list):
                table.name(found, until)
                self.ends[number] = found[-1].part.end if found else end
            else:
                table.land(name, end, [found] if len(found) else [], until)
                self.ends[number] += len(found)
            self.new[name] += self.ends[number] - end
        self._memories.forget(until)
        self.done, self.next = until, None
        self._commits += 1
        if self._commits % COMPACT_AFTER == 0:
            for table in self.made:
                compact(table)


def build(
    lake: str,
    channel: str,
    forecaster: str | Model,
    log: str | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
    at_once: AtOnce | None = None,
) -> dict[str, int]:
    """Bring every table up to what `raw` holds; give how many rows are new. `tell` hears how far it has come.

    `forecaster` is a name or a model; `log` is needed where raw holds several.

    Raises StorageError when there is no lake or when it is damaged, and UsageError when the tables were built of
    another channel, or with another forecaster or model.
    """
    most = at_once or AtOnce()
    return read_quotes(lake, channel, log, tell, most.lines) | fold_quotes(lake, forecaster, tell, most.rows)


def read_quotes(
    lake: str,
    channel: str,
    log: str | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
    most: int = AtOnce().lines,
) -> dict[str, int]:
    """The first step alone: bring quotes and gaps up to what `raw` holds. Raises as `build`."""
    raw = Raw(lake)
    reading = Step(lake, "quotes", (QUOTES, GAPS))
    _read(raw, _the_log(raw, log), reading, channel, tell, most)
    return reading.new


def fold_quotes(
    lake: str,
    forecaster: str | Model,
    tell: Callable[[Progress], None] = lambda _: None,
    most: int = AtOnce().rows,
    until: int | None = None,
) -> dict[str, int]:
    """The second step alone: bring insights, bars and scores up to what `quotes` holds, or up to some row of it."""
    folding, quotes = Step(lake, "insights", (INSIGHTS, BARS, SCORES)), Delta(lake, QUOTES)
    model = forecaster if isinstance(forecaster, Model) else untrained(forecaster)
    _fold(quotes, folding, model, tell, most, until or quotes.landed(QUOTES.name))
    return folding.new


def _the_log(raw: Raw, log: str | None) -> str:
    logs = sorted({part.log for part in raw.parts()})
    if log is None and len(logs) <= 1:
        return logs[0] if logs else "journal"
    if log in logs:
        return str(log)
    raise StorageError(
        f"The lake in {raw.url} holds the logs {', '.join(logs)}{'' if log is None else f', and not {log}'}.",
        f"Say which one to build from: --log {logs[0]}",
    )


def _read(raw: Raw, log: str, step: Step, channel: str, tell: Callable[[Progress], None], lines: int) -> None:
    """From raw to quotes and gaps."""
    end = raw.landed(log)
    begun, began = step.done, time.monotonic()
    reading = Reading(channel, step.remembered())
    while step.done < end:
        until = step.next or min(end, step.done + lines)
        gaps: list[Gap] = []
        for table in raw.rows(step.done, until, log):
            gaps += reading.add(table)
        step.commit(until, (reading.take(), _gaps(gaps)), reading.save())
        tell(Progress("messages", begun, until, end, time.monotonic() - began))


def _gaps(gaps: Sequence[Gap]) -> pa.Table:
    kind = pa.timestamp("us", "UTC")
    columns = [
        [gap.connection for gap in gaps],
        [gap.product_id for gap in gaps],
        pa.array([gap.start for gap in gaps], pa.int64()).cast(kind),
        pa.array([gap.end for gap in gaps], pa.int64()).cast(kind),
        [gap.cause for gap in gaps],
        [gap.messages for gap in gaps],
    ]
    return pa.table(columns, schema=schema(GAPS))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode
"""What the second step remembers: the memory of each product."""


def _fold(quotes: Delta, step: Step, model: Model, tell: Callable[[Progress], None], most: int, end: int) -> None:
    """From quotes to insights, bars and scores, each product on its own."""
    begun, began = step.done, time.monotonic()
    remembered = step.remembered()
    memories = {} if remembered is None else decode(remembered)
    for memory in memories.values():
        refuse_other(memory, model)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while step.done < end:
            until = step.next or min(end, step.done + most)
            table = pa.concat_tables(quotes.rows(step.done, until))
            products = dict(by_product(table))
            works = {
                product_id: pool.submit(analyse, product_id, rows, model, memories.get(product_id))
                for product_id, rows in products.items()
            }
            found: dict[str, Analysed] = {product_id: work.result() for product_id, work in works.items()}
            memories |= {product_id: each.memory for product_id, each in found.items()}
            made = [pa.concat_tables(getattr(each, name) for each in found.values()) for name in MADE]
            step.commit(until, made, encode(memories))
            late = tuple(product_id for product_id, each in found.items() if each.is_late)
            tell(Progress("quotes", begun, until, end, time.monotonic() - began, late))


MADE = ("insights", "bars", "scores")


def by_product(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Give the rows of each product, in their order."""
    names = table.column("product_id").combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy()
    for code, product_id in sorted(enumerate(names.dictionary.to_pylist()), key=lambda each: each[1]):
        yield product_id, table.take(pa.array(np.flatnonzero(codes == code)))
