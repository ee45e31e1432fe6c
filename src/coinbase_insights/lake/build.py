"""Build the tables of a lake from `raw`: quotes and gaps, and from the quotes insights, bars and scores.

    raw -> quotes, gaps
    quotes -> insights, bars, scores

Both steps go on where the tables end (step.py). A step takes so many rows at a time, writes what it remembers, and
commits to each of its tables how far it was made.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from ..engine.model import Model, untrained
from ..errors import UsageError
from ..wire.label import label
from .analyse import Analysed, analyse, refuse_other
from .delta import Delta
from .gaps import Gap
from .pieces import pieces
from .quotes import Reading
from .raw import Raw
from .step import Progress, Step
from .tables import GAPS, INSIGHTS, QUOTES, schema

BRINGS_QUOTES = {
    ("exchange", "ticker"): ("ticker_batch", "ticker"),
    ("exchange", "level2_batch"): ("level2",),
    ("advanced", "ticker"): ("ticker",),
    ("advanced", "ticker_batch"): ("ticker_batch",),
    ("advanced", "level2"): ("level2",),
}
"""For the labels of messages that bring quotes, the channels that they may have been collected on."""
PIECES = 2
"""Pieces of quotes that are folded between two commits."""


class AtOnce(NamedTuple):
    """How much is taken at a time, which bounds the memory."""

    lines: int = 100_000
    """Rows of raw."""
    rows: int = 100_000
    """Rows of quotes."""


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
    reading = Step(lake, "quotes")
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
    folding, quotes = Step(lake, "insights"), Delta(lake, QUOTES)
    model = forecaster if isinstance(forecaster, Model) else untrained(forecaster)
    _fold(quotes, folding, model, tell, most, quotes.landed(QUOTES.name) if until is None else until)
    return folding.new


def refuse(lake: str, channel: str, log: str | None = None) -> None:
    """Raise what `build` would raise at the first messages, and make nothing."""
    raw, reading, labels = Raw(lake), Reading(channel), set[tuple[str, str]]()
    name = _the_log(raw, log)
    for table in raw.rows(0, min(raw.landed(name), AtOnce().lines), name):
        reading.add(table)
        labels |= set(_labels(table))
    if not len(reading.take()):
        _refuse_other_channel(lake, channel, labels)


def _the_log(raw: Raw, log: str | None) -> str:
    logs = sorted({part.log for part in raw.parts()})
    if log is None and len(logs) == 1:
        return logs[0]
    if log in logs or not logs:  # Nothing has landed yet.
        return log or "journal"
    raise UsageError(
        f"The lake in {raw.url} holds the logs {', '.join(logs)}{'' if log is None else f', and not {log}'}.",
        f"Say which one to build from: --log {logs[0]}",
    )


def _read(raw: Raw, log: str, step: Step, channel: str, tell: Callable[[Progress], None], lines: int) -> None:
    """From raw to quotes and gaps."""
    end = raw.landed(log)
    begun, began = step.done, time.monotonic()
    reading = Reading(channel, step.remembered())
    while step.done < end:
        until = min(step.next or end, step.done + lines)
        gaps: list[Gap] = []
        labels: set[tuple[str, str]] = set()
        for table in raw.rows(step.done, until, log):
            gaps += reading.add(table)
            labels |= set() if step.done else set(_labels(table))
        quotes = reading.take()
        if not step.done and not len(quotes):
            _refuse_other_channel(raw.lake, channel, labels)
        step.commit(until, (quotes, _gaps(gaps)), reading.save())
        tell(Progress("messages", begun, until, end, time.monotonic() - began, counts=reading.counts))
    step.end()


def _refuse_other_channel(lake: str, channel: str, labels: set[tuple[str, str]]) -> None:
    """Raise UsageError where what was collected would give quotes, and not as this channel."""
    others = [each for key, names in BRINGS_QUOTES.items() if key in labels for each in names]
    if others and channel not in others:
        raise UsageError(
            f"The lake in {lake} holds messages of {' or '.join(dict.fromkeys(others))}, and none of {channel}.",
            f"Say which channel was collected: --channel {others[0]}",
        )


def _labels(table: pa.Table) -> Iterator[tuple[str, str]]:
    """Give the feed and the channel of the first message of each channel."""
    channels = table.column("channel")
    for name in channels.drop_null().unique().to_pylist():
        first = table.column("message")[pa.compute.index(channels, name).as_py()].as_py()
        yield label(first.encode()).dialect, name


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
    """From quotes to insights, bars and scores. Insights are written a piece at a time, so that few are held."""
    begun, began = step.done, time.monotonic()
    remembered = step.remembered()
    memories = {} if remembered is None else decode(remembered)
    for memory in memories.values():
        refuse_other(memory, model)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while step.done < end:
            until = min(step.next or end, step.done + most * PIECES)
            folding = Folding(pool, model, memories)
            insights = folding.insights(pieces(quotes.rows(step.done, until), most))
            if step.has(0, until):  # Killed behind the first commit: they are there.
                deque(insights, maxlen=0)
                written = None
            else:
                written = step.made[0].write(INSIGHTS.name, step.ends[0], insights)
            rest = (pa.concat_tables(folding.bars), pa.concat_tables(folding.scores))
            step.commit(until, ([written] if written else [], *rest), encode(memories))
            tell(Progress("quotes", begun, until, end, time.monotonic() - began, tuple(folding.late)))
    step.end()


class Folding:
    """Folds quotes, each product on its own; keeps in `memories` what is remembered of each."""

    def __init__(self, pool: ThreadPoolExecutor, model: Model, memories: dict[str, bytes]) -> None:
        """Begin, or go on from what is remembered."""
        self._pool = pool
        self._model = model
        self._memories = memories
        self.bars: list[pa.Table] = []
        self.scores: list[pa.Table] = []
        self.late: list[str] = []
        """Products that have begun within the time that the model has learned of, and so without it."""

    def insights(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Give the insights of each piece, and gather the rest."""
        for table in tables:
            found = self._analysed(table)
            made = pa.concat_tables(each.insights for each in found)
            self.bars += [each.bars for each in found]
            self.scores += [each.scores for each in found]
            del table, found  # What the next piece needs should not come on top of them.
            pa.default_memory_pool().release_unused()
            yield made

    def _analysed(self, table: pa.Table) -> list[Analysed]:
        works = {
            product_id: self._pool.submit(analyse, product_id, rows, self._model, self._memories.get(product_id))
            for product_id, rows in by_product(table)
        }
        found = {product_id: work.result() for product_id, work in works.items()}
        self._memories.update({product_id: each.memory for product_id, each in found.items()})
        self.late += [product_id for product_id, each in found.items() if each.is_late]
        return list(found.values())


def by_product(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Give the rows of each product, in their order."""
    names = table.column("product_id").combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy()
    for code, product_id in sorted(enumerate(names.dictionary.to_pylist()), key=lambda each: each[1]):
        yield product_id, table.take(pa.array(np.flatnonzero(codes == code)))
