"""Many small parts made into few large ones, while the lake is being written; no row changes its offset.

Parts of one log that follow each other are joined until they are large enough. A part is joined again only with at
least as many rows as it has itself, so each row is written anew a handful of times at the most.
"""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from .delta import Delta
from .parts import Part

LARGE_ROWS = 500_000
"""A part of so many rows is left alone."""
LARGE_BYTES = 16 * 2**20
"""And so is one of so many bytes, for whoever reads it holds it."""
GROUP_ROWS, GROUP_BYTES = 50_000, 32 * 2**20
FEWEST = 10
"""Parts that are worth to be joined."""


def compact(raw: Delta) -> int:
    """Join what should be joined; give the number of parts that are fewer now. Raises as `Raw.land`."""
    fewer = 0
    while run := worth_joining(raw.parts(), raw.sizes()):
        raw.replace(run, _grouped(raw, run))
        fewer += len(run) - 1
    return fewer


def worth_joining(parts: Sequence[Part], sizes: Mapping[str, int]) -> list[Part]:
    """Choose the parts to join next, of one log and without a hole between them; none if it is not worth it."""
    for start, first in enumerate(parts):
        run = _following(parts, start, sizes)
        if len(run) >= FEWEST and 2 * first.rows <= run[-1].end - first.first:
            return run
    return []


def _following(parts: Sequence[Part], start: int, sizes: Mapping[str, int]) -> list[Part]:
    """Give the parts from one on that make one large part at the most."""
    run, size = [parts[start]], sizes.get(parts[start].name, 0)
    for part in parts[start + 1 :]:
        is_next = part.log == run[-1].log and part.first == run[-1].end
        size += sizes.get(part.name, 0)
        if not is_next or part.end - run[0].first > LARGE_ROWS or size > LARGE_BYTES:
            break
        run.append(part)
    return run


def _grouped(raw: Delta, parts: Sequence[Part]) -> Iterator[pa.Table]:
    """Give the rows of all parts in groups large enough to be compressed well, and few enough to be held at once."""
    held: list[pa.Table] = []
    for part in parts:
        for table in raw.groups(part):
            held.append(table)
            is_large = sum(each.nbytes for each in held) >= GROUP_BYTES
            if is_large or sum(len(each) for each in held) >= GROUP_ROWS:
                yield pa.concat_tables(held).combine_chunks()
                held.clear()
    if held:
        yield pa.concat_tables(held).combine_chunks()
