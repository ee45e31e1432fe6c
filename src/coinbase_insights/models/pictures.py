"""The four pictures of a backtest: error by uptime, skill by hour, the band over time, and the band at other levels."""

from collections.abc import Sequence
from typing import NamedTuple

from ..show.axis import HOUR, Axis, logarithmic, of_time, plain, written
from ..show.page import figure
from ..show.svg import Bar, Frame, Line, Point, bar_chart, line_chart
from .backtest import Judgement
from .curves import Curves, Errors, Held

NEAR = 0.85, 1.25
"""Ratios of errors within these are drawn on a plain axis."""
SURE = 0.05


class Drawn(NamedTuple):
    """One forecaster as it is drawn."""

    style: int
    name: str
    judgement: Judgement
    curves: Curves


def pictures(product: str, drawn: Sequence[Drawn], judged: Drawn | None) -> list[str]:
    """Give the figures of one product as HTML; the skill is that of `judged`."""
    return [
        error_by_uptime(product, drawn),
        *([skill_by_hour(product, judged)] if judged is not None else []),
        coverage_over_time(product, drawn),
        reliability_of_band(product, drawn),
    ]


def error_by_uptime(product: str, drawn: Sequence[Drawn]) -> str:
    """The mean absolute error over that of "nothing changes", the longer a forecaster has been up."""
    bins = [each for one in drawn for each in one.curves.by_uptime if each.ratio is not None]
    ratios = [each.ratio for each in bins if each.ratio is not None] or [1.0]
    lines = [Line(one.style, [_uptime(one.name, each) for each in one.curves.by_uptime]) for one in drawn]
    first = min((_middle(each) for each in bins), default=0.01)
    x = logarithmic("hours since the start", first, max((_middle(each) for each in bins), default=1.0))
    frame = Frame(
        f"Error against uptime, {product}",
        f"Lines from {first:.2g} to {x.high:.2g} hours; ratios of mean absolute errors from {min(ratios):.4g} to "
        f"{max(ratios):.4g}, where 1 is that of “nothing changes”.",
        x,
        _ratio_axis(min(ratios), max(ratios)),
        ((x.low, 1.0), (x.high, 1.0)),
    )
    read = (
        "How wrong each forecaster was, as a multiple of “nothing changes”, by how long it had been running. Below the "
        f"dotted line at 1 is better, above is worse.{' Equal ratios have equal room.' if frame.y.is_log else ''}"
    )
    return figure("Error against uptime", line_chart(frame, lines), read)


def _ratio_axis(low: float, high: float) -> Axis:
    label = "error, × “nothing changes”"
    if low > NEAR[0] and high < NEAR[1]:
        reach = max(1.0 - low, high - 1.0, 0.001)
        return plain(label, 1.0 - reach, 1.0 + reach)
    return logarithmic(label, min(low, NEAR[0]), high * 1.1)


def _uptime(name: str, each: Errors) -> Point:
    if each.ratio is None:
        return Point(_middle(each), None)
    said = f"{name}, {each.low:.3g} to {each.high:.3g} h: {each.ratio:.4g}, {each.scored:,} forecasts"
    return Point(_middle(each), each.ratio, said)


def _middle(each: Errors) -> float:
    return (each.low * each.high) ** 0.5 if each.low else each.high / 2


def skill_by_hour(product: str, one: Drawn) -> str:
    """1 - error / error of "nothing changes", by hour of the day."""
    skills = [None if each.ratio is None else 100 * (1 - each.ratio) for each in one.curves.by_hour]
    known = [skill for skill in skills if skill is not None] or [0.0]
    bars = [_hour(each, skill) for each, skill in zip(one.curves.by_hour, skills, strict=True)]
    frame = Frame(
        f"Skill of {one.name} by hour of the day, {product}",
        f"24 bars, one an hour, from {min(known):.3g} % to {max(known):.3g} %; {len(known)} hours have forecasts.",
        Axis("hour of the day, UTC", 0.0, 24.0, [(at + 0.5, f"{at}") for at in range(0, 24, 3)]),
        plain("skill", min(*known, 0.0, -0.01), max(*known, 0.0, 0.01), " %"),
        ((0.0, 0.0), (24.0, 0.0)),
    )
    read = (
        "How much less wrong than “nothing changes” it was in each hour; bars below zero are hours in which it was "
        "more wrong. Full colour: more than chance (p < 0.05). Of 24 hours without any skill, about one looks so too."
    )
    return figure(f"Skill of {one.name} by hour", bar_chart(frame, bars), read)


def _hour(each: Errors, skill: float | None) -> Bar:
    p = "" if each.p_value is None else f", p = {each.p_value:.2g}"
    said = f"{each.low:02.0f}:00 to {each.high:02.0f}:00: {skill or 0.0:+.3g} %{p}, {each.scored:,} forecasts"
    return Bar(skill, each.p_value is not None and each.p_value < SURE, said)


def coverage_over_time(product: str, drawn: Sequence[Drawn]) -> str:
    """How often the 90 % band held, stretch of time after stretch."""
    known = [each.coverage for one in drawn for each in one.curves.coverage if each.coverage is not None] or [0.9]
    held = drawn[0].curves.coverage
    length = _length(held[0].length)
    x = of_time(held[0].start, held[-1].start + held[-1].length)
    frame = Frame(
        f"Coverage of the 90 % band over time, {product}",
        f"Lines from {written(held[0].start)} to {written(held[-1].start)} UTC, a value each {length}, "
        f"from {100 * min(known):.0f} % to {100 * max(known):.0f} %.",
        x,
        plain("bands that held", min(100 * min(known), 80.0), 100.0, " %"),
        ((x.low, 90.0), (x.high, 90.0)),
    )
    lines = [Line(one.style, [_coverage(one.name, each) for each in one.curves.coverage]) for one in drawn]
    read = (
        f"How often the price came to lie within the 90 % band, for each {length}. A good band stays near the dotted "
        "line at 90 %; far below, it was too narrow. A line is broken where too few forecasts came due."
    )
    return figure("The band over time", line_chart(frame, lines), read)


def _coverage(name: str, each: Held) -> Point:
    middle = each.start + each.length / 2
    if each.coverage is None:
        return Point(middle, None)
    said = f"{name}, {written(each.start)} UTC: {100 * each.coverage:.1f} % of {each.banded:,}"
    return Point(middle, 100 * each.coverage, said)


def _length(microseconds: int) -> str:
    minutes = microseconds * 60 // HOUR
    count, unit = next((minutes // size, unit) for size, unit in UNITS if minutes >= size and minutes % size == 0)
    return unit if count == 1 else f"{count} {unit}s"


UNITS = (24 * 60, "day"), (60, "hour"), (1, "minute")


def reliability_of_band(product: str, drawn: Sequence[Drawn]) -> str:
    """How often bands of other nominal levels would have held."""
    lines = [
        Line(
            one.style,
            [
                Point(100 * level, 100 * share, f"{one.name}: a band for {100 * level:.0f} % held {100 * share:.1f} %")
                for level, share in one.curves.reliability
            ],
        )
        for one in drawn
    ]
    shares = ", ".join(
        f"{100 * share:.0f} % at {100 * level:.0f} %" for level, share in drawn[0].curves.reliability[::2]
    )
    frame = Frame(
        f"Reliability of the band, {product}",
        f"Share of outcomes within the band at levels from 10 to 99 %; {drawn[0].name}: {shares or 'none'}.",
        plain("what the band promises", 0.0, 100.0, " %"),
        plain("what it held", 0.0, 100.0, " %"),
        ((0.0, 0.0), (100.0, 100.0)),
    )
    read = (
        "The 90 % band, made narrower or wider as a normal distribution says, and how often it held then. On the "
        "dotted diagonal promise and truth agree. Above it: more prices lie near the forecast than "
        "a normal distribution says, as they do where a large move comes now and then."
    )
    return figure("Reliability of the band", line_chart(frame, lines), read)
