"""Many quotes at once: columns in, columns out, by the same rules, quote after quote."""

from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from .score import band_hit_rate, bands_in, baseline_error_mean, forecast_error_mean, scores_in, skill
from .skill import p_value
from .state import (
    ASK,
    BASE_ERROR,
    BID,
    COUNT,
    ERROR,
    IS_SCORED,
    MATURED,
    MAX_SPREAD,
    MID,
    NEVER,
    UNIT2,
    State,
    is_tidy,
)  # fmt: skip
from .update import break_line, update
from .window import mid_price_mean, quotes_in

NOT_A_NUMBER = float("nan")

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIGURES = (
    "mid_price", "spread", "max_spread", "forecast", "band", "p_value", "skill", "band_hit_rate", "bands_15m",
    "mid_price_mean_1m", "mid_price_mean_5m", "mid_price_mean_15m", "quotes_1m", "quotes_5m", "quotes_15m",
    "forecast_error_mean_1m", "forecast_error_mean_5m", "forecast_error_mean_15m",
    "baseline_error_mean_1m", "baseline_error_mean_5m", "baseline_error_mean_15m",
    "scored_1m", "scored_5m", "scored_15m", "forecast_error", "baseline_error",
)  # fmt: skip
"""The columns of `Columns.figures`, in their order; NaN where there is no figure."""


class Columns(NamedTuple):
    """Quotes of one product in their order, and room for what becomes of them; arrays of one length."""

    times: Any
    """Exchange time, microseconds; 64-bit whole numbers, as the next two and `heard_until`."""
    bids: Any
    asks: Any
    """In the state's units."""
    bid_sizes: Any
    ask_sizes: Any
    """In the base currency; 0 where unknown. Floats, as all that follow."""
    heard_until: Any
    """Where the line was down before this quote: when it was last heard (microseconds); else `state.NEVER`."""
    errors: Any
    """How wrong the forecast made at this quote was; -1 where unscored, NaN where its time has not come.

    It may be longer than the others: then it begins with the forecasts that were waiting for their time before."""
    base_errors: Any
    """The same for "nothing changes"; -1 and NaN where that of the forecast is."""
    forecasts: Any
    bands: Any
    """Half the width of the 90 % band; NaN while it is not known."""
    figures: Any
    """All figures right after each quote: one row a quote, or no row at all when they are not wanted."""


def fold(state: State, columns: Columns, start: int) -> int:
    """Fold the quotes from row `start` on; give the row before which the state must be tidied, or the last plus one."""
    before = state.whole[COUNT] - start
    lead = len(columns.errors) - len(columns.times)
    write_dropped(columns, state.whole[MATURED] - before + lead - 1)
    for row in range(start, len(columns.times)):
        if not is_tidy(state):
            return row
        due = state.whole[MATURED]
        if columns.heard_until[row] != NEVER:
            break_line(state, columns.heard_until[row])
        update(
            state,
            columns.times[row],
            columns.bids[row],
            columns.asks[row],
            columns.bid_sizes[row],
            columns.ask_sizes[row],
        )
        write_outcomes(state, columns, row, due, before - lead)
        if len(columns.figures) > 0:
            write_figures(state, columns.figures[row])
    return len(columns.times)


def write_outcomes(state: State, columns: Columns, row: int, due: int, first: int) -> None:
    """Write the forecast of this quote, and how wrong those were whose time has come with it.

    `first` is the number of the forecast that the errors begin with.
    """
    mask = len(state.times) - 1
    newest = (state.whole[COUNT] - 1) & mask
    columns.forecasts[row] = state.forecasts[newest]
    columns.bands[row] = state.bands[newest]
    for index in range(max(due, first), state.whole[MATURED]):
        error = state.errors[index & mask]
        columns.errors[index - first] = error
        columns.base_errors[index - first] = (
            state.base_errors[index & mask] / state.real[UNIT2] if error >= 0.0 else -1.0
        )


def write_dropped(columns: Columns, newest: int) -> None:
    """Write that the newest row past its time is unscored, if it has no answer: `tidy` gave it up to make room."""
    if newest >= 0 and isnan(columns.errors[newest]):
        columns.errors[newest] = -1.0
        columns.base_errors[newest] = -1.0


def write_figures(state: State, row: "NDArray[Any] | list[float]") -> None:
    """Write every figure in the order of `FIGURES`."""
    unit2 = state.real[UNIT2]
    row[0] = state.real[MID]
    row[1] = 2 * (state.whole[ASK] - state.whole[BID]) / unit2
    row[2] = 2 * state.whole[MAX_SPREAD] / unit2
    slot = (state.whole[COUNT] - 1) & (len(state.times) - 1)
    row[3] = state.forecasts[slot]
    row[4] = state.bands[slot]
    row[5] = p_value(state)
    row[6] = skill(state)
    row[7] = band_hit_rate(state)
    row[8] = bands_in(state)
    for window in range(3):
        row[9 + window] = mid_price_mean(state, window)
        row[12 + window] = quotes_in(state, window)
        row[15 + window] = forecast_error_mean(state, window)
        row[18 + window] = baseline_error_mean(state, window)
        row[21 + window] = scores_in(state, window)
    is_scored = state.whole[IS_SCORED] == 1
    row[24] = state.real[ERROR] if is_scored else NOT_A_NUMBER
    row[25] = state.whole[BASE_ERROR] / unit2 if is_scored else NOT_A_NUMBER
