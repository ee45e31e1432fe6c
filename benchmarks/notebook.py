"""The way it was first done, in a notebook: for each message a row more, a new regression, and the means anew."""

import time

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

MESSAGES = 10
LENGTHS = ("1min", "5min", "15min")


def microseconds(history: int) -> float:
    """CPU time for one message when there are so many rows of history, 5 seconds apart."""
    steps = np.random.default_rng(1).integers(-30, 31, history)
    times = pd.date_range("2026-04-05", periods=history, freq="5s", tz="UTC")
    table = pd.DataFrame({"mid_price": 67_000.0 + np.cumsum(steps) / 100, "spread": 0.01}, index=times)
    least = float("inf")
    for _ in range(MESSAGES):
        began = time.process_time()
        table = _message(table, table.index[-1] + pd.Timedelta("5s"))
        least = min(least, time.process_time() - began)
    return least * 1e6


def _message(table: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Append, refit on everything, forecast, average."""
    row = pd.DataFrame({"mid_price": [table["mid_price"].iloc[-1]], "spread": [0.01]}, index=[now])
    table = pd.concat([table, row])
    seconds = ((table.index - table.index[0]) / pd.Timedelta("1s")).to_numpy().reshape(-1, 1)
    model = LinearRegression().fit(seconds, table["mid_price"].to_numpy())
    forecast = model.predict(seconds[-1:] + 60.0)[0]
    means = [table["mid_price"].resample(length, origin="end").mean().iloc[-1] for length in LENGTHS]
    assert np.isfinite([forecast, table["spread"].max(), *means]).all()
    return table
