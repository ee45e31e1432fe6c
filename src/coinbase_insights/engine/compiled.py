"""The same rules, compiled by numba for long histories; bit for bit equal to the interpreted ones.

Nothing is written twice: every function of the rules is handed to numba as it stands. The machine code is kept in
the user's cache folder under a name made from the rules' own text, so that it can never be older than they are.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import numba
import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from . import fold as fold_module
from . import forecast, learn, score, skill, state, update, window
from .fold import Columns
from .state import State, tidy

RULES = (state.is_tidy, window, skill, score, forecast, learn, update, fold_module)
"""In the order in which they use each other."""
COMPILING = "compiling the rules, once: about 20 s"
"""What whoever must compile them says first."""


def _cache_folder() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    text = b"".join(source.read_bytes() for source in sources)
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(home) / "coinbase_insights" / hashlib.sha256(text).hexdigest()[:16])


def _keeps(folder: str) -> bool:
    """Tell whether machine code can be kept there; a container may have no place that can be written."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _register() -> None:
    for rule in RULES:
        if isinstance(rule, FunctionType):
            register_jitable(rule)
            continue
        for function in vars(rule).values():
            if (
                isinstance(function, FunctionType)
                and function.__module__ == rule.__name__
                and function is not fold_module.fold
            ):
                register_jitable(function)


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]  # numba sets its options at run time.
_register()
# Nothing in the rules makes an array. Without numba's reference counts, which each call would keep for each array of
# the state, they run seven times as fast.
_fold = numba.njit(cache=_keeps(_cache_folder()), nogil=True, _nrt=False)(fold_module.fold)  # type: ignore[call-overload]  # a switch that its stubs lack


def is_compiled() -> bool:
    """Tell whether these rules were compiled before and their machine code kept."""
    return any(Path(str(numba.config.CACHE_DIR)).rglob("*.nbc"))  # type: ignore[attr-defined]  # set at run time


def columns(
    history: Sequence[NDArray[Any] | list[int] | list[float]], *, with_figures: bool = False, waiting: int = 0
) -> Columns:
    """Make the columns for `fold`, with room for the answers.

    `waiting` is the number of forecasts whose time had not come before the first row: there is room for them as well.
    `history` holds times, bids, asks, bid_sizes, ask_sizes and heard_until, as `Columns` has them.
    """
    kinds = (np.int64, np.int64, np.int64, np.float64, np.float64, np.int64)
    quotes = [np.ascontiguousarray(values, dtype=kind) for values, kind in zip(history, kinds, strict=True)]
    rows = len(quotes[0])
    figures = np.full((rows if with_figures else 0, len(fold_module.FIGURES)), np.nan)
    outcomes = [np.full(size, np.nan) for size in (waiting + rows, waiting + rows, rows, rows)]
    return Columns._make([*quotes, *outcomes, figures])


def fold(known: State, quotes: Columns) -> State:
    """Fold all rows into the state and write their answers; give the state, which may have grown."""
    row = 0
    while True:
        arrays = _arrays(known)
        row = _fold(arrays, quotes, row)
        known.whole[:] = [int(value) for value in arrays.whole]
        known.real[:] = [float(value) for value in arrays.real]
        if row == len(quotes.times):
            return known
        known = tidy(known)


def _arrays(known: State) -> State:
    """Give the state as numpy arrays: the two lists copied, the rings as views of the same memory."""
    rings = [
        np.frombuffer(cast("Any", ring), dtype=np.int64 if ring.typecode == "q" else np.float64) for ring in known[2:]
    ]
    numbers: list[Any] = [np.array(known.whole, dtype=np.int64), np.array(known.real, dtype=np.float64)]
    return State(*numbers, *cast("Any", rings))
