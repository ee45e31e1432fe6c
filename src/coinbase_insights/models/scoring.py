"""What MLflow loads a model with: quotes in a frame in, forecasts in a frame out, by the very rules that run live.

It is named in the file MLmodel, and copied into the model's folder with all that it needs of ours. A forecast is the
one that `run --model` makes at the first quote after what was learned; it knows of no quote before it.
Format: mlflow.org/docs/latest/ml/model, "Custom Python models", with a loader module instead of a pickle.
"""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.model import Model
from ..engine.state import MID
from ..engine.update import update
from ..quote import Bad, Quote, cut_size, read_quote
from .folder import open_model

if TYPE_CHECKING:
    import pandas as pd

INPUTS = ("product_id", "best_bid", "best_bid_size", "best_ask", "best_ask_size")
OUTPUTS = ("mid_price", "forecast", "low", "high")


class Served:
    """The model as MLflow asks it."""

    def __init__(self, model: Model) -> None:
        """Keep the model; nothing else is ever remembered."""
        self._model = model

    def predict(self, quotes: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Give the forecast at each quote; where no band is known None stands for it, since JSON has no NaN.

        Raises ValueError for a row that is no quote, with its number and why.
        """
        rows = [self._row(number, *row) for number, row in enumerate(quotes[list(INPUTS)].itertuples(index=False))]
        found = type(quotes)(rows, columns=list(OUTPUTS))
        is_known = found.notna()
        return found if is_known.to_numpy().all() else found.astype(object).where(is_known, None)

    def _row(self, number: int, product_id: str, *sides: float | None) -> tuple[float, ...]:
        found = read_quote(product_id, 0, None, *(_text(value) for value in sides))
        if isinstance(found, Bad):
            raise ValueError(f"row {number} (the first is 0) is no quote: {found.reason}")
        return forecast_at(self._model, found)


def forecast_at(model: Model, quote: Quote) -> tuple[float, float, float, float]:
    """Give mid-price, forecast, and low and high of its band (NaN where none is known) at a first quote."""
    state = model.new_state(quote.product_id, quote.decimals)
    learned = model.learned.get(quote.product_id)
    sizes = [0.0 if size is None else float(cut_size(size)) for size in (quote.best_bid_size, quote.best_ask_size)]
    known = sizes if all(sizes) else [0.0, 0.0]
    update(state, 0 if learned is None else learned.until + 1, quote.bid, quote.ask, *known)
    forecast, band = state.forecasts[0], state.bands[0]
    return state.real[MID], forecast, forecast - band, forecast + band


def _text(value: float | None) -> str | None:
    """Write a number as the exchange would, in plain decimals; None where there is none."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    return f"{Decimal(repr(float(value))):f}".removesuffix(".0")


def _load_pyfunc(path: str) -> Served:
    """Load the model of a folder; MLflow calls this by its name. Raises ModelError."""
    return Served(open_model(Path(path)))
