"""The forecast in one row: the price, its 90 % band, how good such forecasts were, how often the band held.

Where there is no room for all of it, the row is said in fewer words; nothing is cut in the middle of one.
"""

from collections.abc import Iterator

from ..engine.insight import Insight, Skill
from .numbers import NOTHING, clock_of, figure
from .row import LABEL, PLAIN, VALUE, Row
from .windows import Columns

_WORDS = {"better": "better than", "worse": "worse than", "same": "same as", "too few scored": "too few scored"}
_GAP = ("   ", PLAIN)
_STYLES = {"better": "green", "worse": "yellow", "same": PLAIN, "too few scored": LABEL}


def verdict(skill: Skill, than: str = "nothing changing") -> str:
    """Say in words whether the forecast beats "nothing changes"."""
    words = _WORDS[skill.verdict]
    return words if skill.verdict == "too few scored" else f"{words} {than}"


def forecast_row(insight: Insight | None, decimals: int, columns: Columns, width: int) -> Row:
    """Write the row as fully as it fits; without an insight that holds now, say what it waits for."""
    if insight is None:
        return Row(" Forecast", LABEL).up_to(columns.now, NOTHING, LABEL).add("   ").add("waiting for data", LABEL)
    for row in _ways(insight, decimals, columns):
        if row.width <= width:
            break
    return row


def _ways(insight: Insight, decimals: int, columns: Columns) -> Iterator[Row]:
    """Every way to say it, from the longest to the shortest."""
    at = f"at {clock_of(insight.forecast.target_time)}"
    full, short = _verdict_piece(insight.skill, "nothing changing"), _verdict_piece(insight.skill, "no change")
    value, band, held = figure(insight.forecast.value, decimals), _band(insight, decimals), _held(insight)

    def say(label: str, *pieces: tuple[str, str]) -> Row:
        row = Row(f" {label}", LABEL).up_to(columns.now, value, VALUE)
        for text, style in pieces:
            row.add(text, style)
        return row

    yield say("Forecast", band, (f"   {at}, ", LABEL), full, (f"   {held[0]}", LABEL))
    for label in (f"Forecast {at}", "Forecast"):
        if len(label) < columns.label_width:
            for text in held:
                yield say(label, band, _GAP, full, (f"   {text}", LABEL))
            if insight.forecast.high is None:
                yield say(label, band, (f"   {held[0]}", LABEL))
            yield say(label, band, _GAP, full)
            yield say(label, band, _GAP, short)
    yield say("Forecast", band)
    yield say("Forecast")


def _verdict_piece(skill: Skill, than: str) -> tuple[str, str]:
    return verdict(skill, than), _STYLES[skill.verdict]


def _band(insight: Insight, decimals: int) -> tuple[str, str]:
    """Half the width of the band; nothing while it is not known."""
    high = insight.forecast.high
    return ("" if high is None else f" ± {figure(high - insight.forecast.value, decimals)}"), PLAIN


def _held(insight: Insight) -> tuple[str, str]:
    """How often the band held, or why there is none: at length, and in short."""
    rate = insight.band_hit_rate
    if insight.forecast.high is None:
        why = insight.forecast.high_reason or "not known"
        return f"band {why}", str(why)
    if rate.value is None:
        return str(rate.value_reason or "no band came due"), "band not scored"
    share = f"{100 * rate.value:.0f} %"
    return f"band held {share} of {rate.count:,}", f"held {share}"
