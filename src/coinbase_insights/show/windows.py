"""The rows of windows: mid-price, forecast errors and counts, now and over 1, 5 and 15 minutes.

Here it is decided where the columns of the whole screen stand; that depends on its width and on how long the prices
are, never on the state of the line.
"""

from typing import NamedTuple

from ..engine.insight import ErrorMeans, Insight, Means
from .numbers import NOTHING, figure
from .row import LABEL, PLAIN, VALUE, Row

_LONG = ("Mid-price", "  quotes used", "Forecast error", "  if nothing changed", "  forecasts scored")
_SHORT = ("Mid-price", "  quotes", "Forecast error", "  no change", "  scored")
_NAMES = ("1 min", "5 min", "15 min")
_ERROR_ROW = 2


class Columns(NamedTuple):
    """Where the figures stand: the current one first, then the windows; each ends where the next begins."""

    labels: tuple[str, ...]
    label_width: int
    cell: int
    windows: tuple[int, ...]

    @property
    def now(self) -> int:
        """The column before which the current value ends."""
        return self.label_width + self.cell


class Cells(NamedTuple):
    """The five rows as text: the current value, then 1, 5 and 15 minutes."""

    mid_price: tuple[str, ...]
    quotes: tuple[str, ...]
    error: tuple[str, ...]
    baseline: tuple[str, ...]
    scored: tuple[str, ...]

    @property
    def any_error(self) -> bool:
        """Whether there is at least one forecast error to show."""
        return any(text != NOTHING for text in self.error)


def columns_for(cells: Cells, width: int) -> Columns:
    """Choose the widest layout that holds every figure; windows go only where a price is too long for the screen."""
    need = 1 + max(len(text) for row in cells for text in row)
    if need <= 14 and width >= 77:
        return Columns(_LONG, 21, 14, (0, 1, 2))
    for windows in ((0, 1, 2), (0, 2), (2,)):
        cell = min(max(14, need), (width - 15) // (1 + len(windows)))
        if need <= cell:
            return Columns(_SHORT, 15, cell, windows)
    return Columns(_SHORT, 15, max(1, min(need, width - 15)), ())


def cells_of(insight: Insight | None, decimals: int, live: bool) -> Cells:
    """Write the figures with so many decimals; the current ones only when they may be shown as current."""
    if insight is None:
        nothing, zeros = (NOTHING,) * 4, ("", "0", "0", "0")
        return Cells(nothing, zeros, nothing, nothing, zeros)
    means = insight.mid_price_mean
    errors, baseline = insight.forecast_error_mean, insight.baseline_error_mean
    return Cells(
        (_now(insight.mid_price, decimals, live), *_means(means, means, decimals)),
        ("", *_counts(means)),
        (_now(insight.forecast_error, decimals, live), *_means(errors, means, decimals)),
        (_now(insight.baseline_error, decimals, live), *_means(baseline, means, decimals)),
        ("", *_counts(errors)),
    )


def _now(value: float | None, decimals: int, live: bool) -> str:
    return figure(value if live else None, decimals)


def _means(values: Means | ErrorMeans, windows: Means, decimals: int) -> tuple[str, ...]:
    return (
        figure(values.one.value, decimals, windows.one.full),
        figure(values.five.value, decimals, windows.five.full),
        figure(values.fifteen.value, decimals, windows.fifteen.full),
    )


def _counts(values: Means | ErrorMeans) -> tuple[str, ...]:
    return f"{values.one.count:,}", f"{values.five.count:,}", f"{values.fifteen.count:,}"


def window_rows(cells: Cells, columns: Columns, why_no_error: str) -> list[Row]:
    """Lay the rows out under their heads; when there is no error at all, say why in place of the windows."""
    heads = _placed(Row(), ("now", *_NAMES), columns, LABEL)
    rows = [_window_row(label, texts, columns) for label, texts in zip(columns.labels, cells, strict=True)]
    if not cells.any_error:
        row = Row(f" {columns.labels[_ERROR_ROW]}", LABEL).up_to(columns.now, NOTHING, LABEL)
        rows[_ERROR_ROW] = row.add("   ").add(why_no_error, LABEL)
    return [heads, *rows]


def _window_row(label: str, texts: tuple[str, ...], columns: Columns) -> Row:
    return _placed(Row(f" {label}", LABEL), texts, columns, LABEL if label.startswith(" ") else PLAIN)


def _placed(row: Row, texts: tuple[str, ...], columns: Columns, style: str) -> Row:
    row.up_to(columns.now, texts[0], LABEL if style == LABEL or texts[0] == NOTHING else VALUE)
    for place, window in enumerate(columns.windows, 1):
        text = texts[1 + window]
        row.up_to(columns.now + place * columns.cell, text, LABEL if text == NOTHING else style)
    return row
