"""The forecasters: the mid-price 60 seconds ahead, and the band in which it will lie nine times out of ten.

`last`: nothing changes. `trend`: a straight line through all mid-prices since the start. `tilt`: the last mid-price,
moved by the imbalance of the two sizes as far as that has helped before. What `tilt` and the band need to know is
learned on the marks (learn.py); between marks they follow every quote.
"""

from math import exp

from .state import (
    BAND_FACTOR,
    BETA,
    COUNT,
    FIRST_MID2,
    FIRST_TIME,
    FORECASTER,
    IMBALANCE,
    MID,
    MID2,
    PULL,
    SIGMA,
    TILT,
    TREND,
    TREND_BOTH,
    TREND_MID,
    TREND_TIME,
    TREND_TIMES,
    UNIT2,
    USUAL_IMBALANCE,
    State,
)  # fmt: skip

HORIZON_SECONDS = 60.0
LARGEST_PULL = 20.0
"""Basis points."""
LARGEST_TILT = 4.0
NOT_A_NUMBER = float("nan")


def forecast(state: State, time: int, spread: int) -> float:
    """The mid-price expected 60 seconds after `time`, in the quote currency."""
    forecaster = state.whole[FORECASTER]
    if forecaster == TILT:
        return tilt(state, spread)
    if forecaster == TREND:
        return trend(state, time)
    return state.real[MID]


def trend(state: State, time: int) -> float:
    """The straight line of least squares through all (time, mid-price) since the start, 60 seconds ahead."""
    real = state.real
    seconds = (time - state.whole[FIRST_TIME]) / 1e6 + HORIZON_SECONDS
    slope = real[TREND_BOTH] / real[TREND_TIMES] if real[TREND_TIMES] > 0.0 else 0.0
    return state.whole[FIRST_MID2] / real[UNIT2] + (real[TREND_MID] + slope * (seconds - real[TREND_TIME]))


def learn_trend(state: State, time: int, mid2: int) -> None:
    """Take one more point into the line: means and centred sums, which do not lose digits (Welford 1962)."""
    real = state.real
    count = float(state.whole[COUNT])
    from_mean = (time - state.whole[FIRST_TIME]) / 1e6 - real[TREND_TIME]
    mid_price = (mid2 - state.whole[FIRST_MID2]) / real[UNIT2]
    step = from_mean / count
    real[TREND_TIME] += step
    real[TREND_TIMES] += from_mean * (from_mean - step)
    real[TREND_MID] += (mid_price - real[TREND_MID]) / count
    real[TREND_BOTH] += from_mean * (mid_price - real[TREND_MID])


def tilt(state: State, spread: int) -> float:
    """M exp((u / 2 + beta z) / 1e4): half the way (`pull`) to the larger size within the spread, and what was learned.

    u = 1e4 i spread / (2 m) in basis points, within 20 either way; i the imbalance of the sizes (0 without sizes).
    """
    real = state.real
    imbalance = real[IMBALANCE]
    if imbalance == 0.0:
        return real[MID]
    pull = 1e4 * imbalance * (spread / state.whole[MID2])
    if pull > LARGEST_PULL:
        pull = LARGEST_PULL
    elif pull < -LARGEST_PULL:
        pull = -LARGEST_PULL
    return real[MID] * exp((real[PULL] * pull + real[BETA] * usual_tilt(real)) / 1e4)


def usual_tilt(real: list[float]) -> float:
    """z: the imbalance in units of its usual size, within 4 either way; 0 while that is not known."""
    if real[USUAL_IMBALANCE] <= 0.0:
        return 0.0
    z = real[IMBALANCE] / real[USUAL_IMBALANCE]
    if z > LARGEST_TILT:
        return LARGEST_TILT
    if z < -LARGEST_TILT:
        return -LARGEST_TILT
    return z


def band(state: State, spread: int) -> float:
    """Half the width of the 90 % band, in the quote currency; NaN until a minute of returns is known.

    m q sigma, sigma being at least the spread.
    """
    real = state.real
    sigma = real[SIGMA]
    if sigma != sigma:
        return NOT_A_NUMBER
    relative_spread = 2.0 * spread / state.whole[MID2]
    return real[MID] * real[BAND_FACTOR] * (relative_spread if relative_spread > sigma else sigma)
