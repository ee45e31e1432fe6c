"""Many small parts made into few large ones, while the lake is being written; no row changes its offset.

Parts of one log that follow each other are joined until they are large enough. A part is joined again only with at
least as many rows as it has itself, so each row is written anew a handful of times at the most.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from .delta import Delta
from .parts import Part

LARGE_ROWS = 500_000
"""A part of so many rows is left alone."""
GROUP_ROWS = 50_000
FEWEST = 10
"""Parts that are worth to be joined."""


def compact(raw: Delta) -> int:
    """Join what should be joined; give the number of parts that are fewer now. Raises as `Raw.land`."""
    fewer = 0
    while run := worth_joining(raw.parts()):
        raw.replace(run, _grouped(raw, run))
        fewer += len(run) - 1
    return fewer


def worth_joining(parts: Sequence[Part]) -> list[Part]:
    """Choose the parts to join next, of one log and without a hole between them; none if it is not worth it."""
    for start, first in enumerate(parts):
        run = _following(parts, start)
        if len(run) >= FEWEST and 2 * first.rows <= run[-1].end - first.first:
            return run
    return []


def _following(parts: Sequence[Part], start: int) -> list[Part]:
    """Give the parts from one on that make one large part at the most."""
    run = [parts[start]]
    for part in parts[start + 1 :]:
        is_next = part.log == run[-1].log and part.first == run[-1].end
        if not is_next or part.end - run[0].first > LARGE_ROWS:
            break
        run.append(part)
    return run


def _grouped(raw: Delta, parts: Sequence[Part]) -> Iterator[pa.Table]:
    """Give the rows of all parts in groups large enough to be compressed well, and few enough to be held at once."""
    held: list[pa.Table] = []
    for part in parts:
        held.append(raw.read(part))
        if sum(len(table) for table in held) >= GROUP_ROWS:
            yield pa.concat_tables(held).combine_chunks()
            held.clear()
    if held:
        yield pa.concat_tables(held).combine_chunks()
