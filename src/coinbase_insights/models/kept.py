"""The quotes of a lake as histories, product after product, whatever its size."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from ..lake.build import by_product
from ..lake.delta import Delta
from ..lake.folding import whole_history
from ..lake.tables import QUOTES
from .history import History

AT_ONCE = 4_000_000
"""Quotes that are held at a time: about 500 MB. A single product with more is held alone."""


def is_lake(source: str) -> bool:
    """Tell whether this is a lake, and neither a recording nor a grid: an address, or a folder with Delta tables."""
    return "://" in source or any(Path(source).glob("*/_delta_log"))


def lake_histories(lake: str) -> Iterator[History]:
    """Give the history of each product in the lake's quotes, by name.

    Raises StorageError when there is no such table, or when it is damaged.
    """
    table = Delta(lake, QUOTES)
    end = table.landed(QUOTES.name)
    counts: Counter[str] = Counter()
    for rows in table.rows(0, end):
        counts.update({product_id: len(found) for product_id, found in by_product(rows)})
    for names in shares(counts):
        held: dict[str, list[pa.Table]] = {name: [] for name in names}
        for rows in table.rows(0, end):
            for product_id, found in by_product(rows):
                if product_id in held:
                    held[product_id].append(found)
        for name in names:
            decimals, columns = whole_history(pa.concat_tables(held.pop(name)))
            yield History(name, decimals, *columns)


def shares(counts: Counter[str]) -> Iterable[list[str]]:
    """Give the products in lists that can be held at once, by name."""
    names, quotes = list[str](), 0
    for name in sorted(counts):
        if names and quotes + counts[name] > AT_ONCE:
            yield names
            names, quotes = [], 0
        names.append(name)
        quotes += counts[name]
    if names:
        yield names
