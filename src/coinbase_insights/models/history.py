"""Quotes of the past, as columns: from recordings, and from 5-second grids in Parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..engine.product import Product, sizes
from ..engine.state import NEVER
from ..errors import RecordingError
from ..log.journal import read
from ..pipe import Pipe
from ..quote import Quote

GRID_DECIMALS = 4
"""Of the prices of a grid, which are floating-point there: at least as fine as any tick among them."""


class History(NamedTuple):
    """The quotes of one product in their order; columns of one length, as `engine.fold.Columns` has them."""

    product_id: str
    decimals: int
    times: Any
    bids: Any
    asks: Any
    bid_sizes: Any
    ask_sizes: Any
    heard_until: Any


class Collector(Product):
    """Keeps the quotes of a product instead of folding them."""

    def __init__(self, product_id: str, forecaster: str) -> None:
        """As Product."""
        super().__init__(product_id, forecaster)
        self._rows: list[tuple[Quote, int]] = []
        self._heard_until = NEVER

    def update(self, quote: Quote, received_at: int) -> None:
        """Keep one quote, and where the line was last heard if it was down before."""
        self._rows.append((quote, self._heard_until))
        self._heard_until = NEVER

    def break_line(self, heard_until: int) -> None:
        """Remember the gap for the next quote."""
        if self._rows and self._heard_until == NEVER:
            self._heard_until = heard_until

    def columns(self) -> History:
        """Give what was kept, all prices in units of the finest that came."""
        units = [(quote, 10 ** (self.decimals - quote.decimals)) for quote, _ in self._rows]
        both = [sizes(quote) for quote, _ in self._rows]
        return History(
            self.product_id,
            self.decimals,
            [quote.time for quote, _ in self._rows],
            [quote.bid * unit for quote, unit in units],
            [quote.ask * unit for quote, unit in units],
            [bid for bid, _ in both],
            [ask for _, ask in both],
            [heard_until for _, heard_until in self._rows],
        )


def histories(path: Path, channel: str) -> Iterator[History]:
    """Give the history of each product in a recording, a folder of recordings, or a grid.

    Raises RecordingError when there is nothing that can be read as one.
    """
    if path.suffix == ".parquet":
        yield grid(path)
        return
    pipe = Pipe(channel=channel, product=Collector)
    for item in read(path):
        for _ in pipe.take(item):
            pass
    for _ in pipe.finish():
        pass
    for product in pipe.products.values():
        if isinstance(product, Collector):
            yield product.columns()


def grid(path: Path) -> History:
    """Read a grid: columns ts (seconds), mid or bid and ask, sizes or imbalance (obi), and seg, new after each gap."""
    try:
        columns = {name: column.to_numpy() for name, column in zip(*_columns(pq.read_table(path)), strict=True)}
        times = np.round(columns["ts"] * 1e6).astype(np.int64)
        segments = columns["seg"]
    except (OSError, KeyError, ValueError) as error:
        raise RecordingError(
            f"{path} is no 5-second grid: {error}.", "It needs the columns ts, mid and seg."
        ) from error
    breaks = np.flatnonzero(np.diff(segments)) + 1
    heard_until = np.full(len(times), NEVER, dtype=np.int64)
    heard_until[breaks] = times[breaks - 1]
    bids, asks = _prices(columns)
    imbalance = np.nan_to_num(columns.get("obi", np.full(len(times), np.nan)), nan=0.0)
    known = columns.get("obi") is not None
    balance = ((1.0 + imbalance) / 2.0, (1.0 - imbalance) / 2.0) if known else (0.0 * imbalance, 0.0 * imbalance)
    return History(path.stem, GRID_DECIMALS, times, bids, asks, *balance, heard_until)


def _columns(table: pa.Table) -> tuple[list[str], list[Any]]:
    return table.column_names, table.columns


def _prices(columns: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give bids and asks in units; where a grid has only mid-prices, both are the mid-price."""
    mid = columns["mid"]
    sides = [columns.get(name, mid) for name in ("bid", "ask")]
    bid, ask = (np.round(np.where(np.isnan(side), mid, side) * 10**GRID_DECIMALS).astype(np.int64) for side in sides)
    return bid, ask
