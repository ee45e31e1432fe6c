"""Quotes of the past, as columns: from recordings, and from 5-second grids in Parquet."""

from collections.abc import Callable, Iterator
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
from ..quote import MOST_UNITS, Quote
from ..show.summary import summary

GRID_DECIMALS = 4
"""Of the prices of a grid, which are floating-point there: at least as fine as any tick among them."""
NEEDED = ("ts", "mid", "seg")
OPTIONAL = ("bid", "ask", "obi")
LATEST = 1e11
"""Seconds since 1970; beyond, they are no seconds but milliseconds."""


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
        units = [(quote, 10 ** (self.unit_decimals - quote.decimals)) for quote, _ in self._rows]
        both = [sizes(quote) for quote, _ in self._rows]
        return History(
            self.product_id,
            self.unit_decimals,
            [quote.time for quote, _ in self._rows],
            [quote.bid * unit for quote, unit in units],
            [quote.ask * unit for quote, unit in units],
            [bid for bid, _ in both],
            [ask for _, ask in both],
            [heard_until for _, heard_until in self._rows],
        )


def histories(path: Path, channel: str, tell: Callable[[str], None] | None = None) -> Iterator[History]:
    """Give the history of each product in a recording, a folder of recordings, or a grid.

    `tell` a person what became of the messages. Raises RecordingError when there is nothing that can be read as one.
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
    if tell is not None:
        tell(summary(pipe.counts))
    for product in pipe.products.values():
        if isinstance(product, Collector):
            yield product.columns()


def grid(path: Path) -> History:
    """Read a grid: columns ts (seconds), mid, perhaps bid, ask and imbalance (obi), and seg, new after each gap.

    Raises RecordingError, naming the column and its first bad row, for anything that is no price or no time.
    """
    columns = _columns(path)
    times = _times(path, columns["ts"])
    breaks = np.flatnonzero(np.diff(columns["seg"])) + 1
    heard_until = np.full(len(times), NEVER, dtype=np.int64)
    heard_until[breaks] = times[breaks - 1]
    bids, asks = _prices(path, columns)
    return History(path.stem, GRID_DECIMALS, times, bids, asks, *_balance(path, columns), heard_until)


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    """Read the columns that are used, as floats; NaN where a value is missing."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise RecordingError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}.") from error
    names = [name for name in (*NEEDED, *OPTIONAL) if name in table.column_names or name in NEEDED]
    columns = {name: _numbers(path, table, name) for name in names}
    if not len(table):
        raise RecordingError(f"There is no quote in {path}.", "It has the columns of a grid and no row.")
    _refuse(path, "seg", ~np.isfinite(columns["seg"]), columns["seg"], "is no number")
    return columns


def _numbers(path: Path, table: pa.Table, name: str) -> NDArray[Any]:
    found = table.column_names.count(name)
    if found != 1:
        raise _no_grid(path, f"it has no column {name}" if not found else f"it has {found} columns {name}")
    column = table.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise _no_grid(path, f"its column {name} holds {column.type}, not numbers")
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _times(path: Path, seconds: NDArray[Any]) -> NDArray[Any]:
    bad = ~((seconds >= 0.0) & (seconds < LATEST))
    _refuse(path, "ts", bad, seconds, "is no time in seconds since 1970")
    times = np.round(seconds * 1e6).astype(np.int64)
    _refuse(path, "ts", np.diff(times, prepend=-1) <= 0, seconds, "is not after the row before it")
    return times


def _prices(path: Path, columns: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give bids and asks in units; where a grid has only mid-prices, both are the mid-price."""
    mid = columns["mid"]
    _units(path, "mid", mid)
    sides = [columns.get(name, mid) for name in ("bid", "ask")]
    filled = [np.where(np.isnan(side), mid, side) for side in sides]
    bid, ask = _units(path, "bid", filled[0]), _units(path, "ask", filled[1])
    _refuse(path, "ask", ask < bid, filled[1], "is below the bid")
    return bid, ask


def _units(path: Path, name: str, prices: NDArray[Any]) -> NDArray[Any]:
    units = np.round(prices * 10**GRID_DECIMALS)
    highest, lowest = MOST_UNITS / 10**GRID_DECIMALS, 10**-GRID_DECIMALS
    bad = ~((units >= 1.0) & (units <= MOST_UNITS))
    _refuse(path, name, bad, prices, f"is no price between {lowest:.{GRID_DECIMALS}f} and {highest:.0f}")
    return np.asarray(units, dtype=np.int64)


def _balance(path: Path, columns: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give sizes that have the imbalance of the grid; 0 where it tells none."""
    imbalance = columns.get("obi")
    if imbalance is None:
        return np.zeros(len(columns["mid"])), np.zeros(len(columns["mid"]))
    _refuse(path, "obi", np.abs(imbalance) > 1.0, imbalance, "is not between -1 and 1")
    imbalance = np.nan_to_num(imbalance, nan=0.0)
    return (1.0 + imbalance) / 2.0, (1.0 - imbalance) / 2.0


def _refuse(path: Path, name: str, bad: NDArray[Any], values: NDArray[Any], what: str) -> None:
    """Raise the error for the first bad row, if there is one."""
    if bad.any():
        row = int(bad.argmax())
        raise _no_grid(path, f"in column {name}, row {row} (the first is 0), {float(values[row]):.15g} {what}")


def _no_grid(path: Path, what: str) -> RecordingError:
    return RecordingError(f"{path} is no 5-second grid: {what}.", "It needs the columns ts, mid and seg.")
