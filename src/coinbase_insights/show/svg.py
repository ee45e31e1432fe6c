"""Pictures for a page: lines and bars as SVG text, small enough to read. Pure: numbers in, text out.

Nothing here names a colour: the page's style sheet does, by the classes `s0` to `s5`, so that a picture fits a light
and a dark page. Every text is escaped.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from .axis import Axis
from .safe import safe

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 86, 454, 14, 244
STYLES = 6
LONGEST_DOTTED = 40
"""Points that are drawn as dots too; more are only a line, with a place to point at."""


class Point(NamedTuple):
    """One value of a line; None leaves a gap."""

    x: float
    y: float | None
    said: str = ""
    """What is shown to whoever points at it."""


class Line(NamedTuple):
    """One line of a picture."""

    style: int
    """0 to 5."""
    points: Sequence[Point]


class Bar(NamedTuple):
    """One bar from zero; None leaves its place empty."""

    value: float | None
    is_sure: bool
    """Whether it is drawn in full colour."""
    said: str


class Frame(NamedTuple):
    """What is around lines or bars."""

    title: str
    description: str
    x: Axis
    y: Axis
    rule: Sequence[tuple[float, float]] = ()
    """Points of a dashed line to compare with."""


def text(words: str) -> str:
    """Make words fit to stand in a page, whoever wrote them."""
    return escape(safe(words))


def line_chart(frame: Frame, lines: Sequence[Line]) -> str:
    """Draw lines, the first in front."""
    return _drawn(frame, [part for line in reversed(lines) for part in _line(frame, line)])


def bar_chart(frame: Frame, bars: Sequence[Bar]) -> str:
    """Draw bars side by side, each over one whole number of the x axis."""
    return _drawn(frame, [_bar(frame, number, bar) for number, bar in enumerate(bars) if bar.value is not None])


def _drawn(frame: Frame, inside: Sequence[str]) -> str:
    rule = " ".join(f"{_x(frame, x):.1f},{_y(frame, y):.1f}" for x, y in frame.rule)
    return "\n".join(
        (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{text(frame.title)}</title><desc>{text(frame.description)}</desc>",
            *_grid(frame),
            *([f'<polyline class="rule" points="{rule}"/>'] if rule else []),
            *inside,
            "</svg>",
        )
    )


def _grid(frame: Frame) -> list[str]:
    parts = []
    for at, words in frame.y.ticks:
        y = _y(frame, at)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>')
        parts.append(f'<text class="end" x="{LEFT - 7}" y="{y + 4:.1f}">{text(words)}</text>')
    for at, words in frame.x.ticks:
        x = _x(frame, at)
        parts.append(f'<path class="tick" d="M{x:.1f} {BOTTOM}v5"/>')
        parts.append(f'<text class="mid" x="{x:.1f}" y="{BOTTOM + 21}">{text(words)}</text>')
    middle = (TOP + BOTTOM) / 2
    return [
        *parts,
        f'<path class="axis" d="M{LEFT} {BOTTOM}H{RIGHT}"/>',
        f'<text class="mid label" x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 8}">{text(frame.x.label)}</text>',
        f'<text class="mid label" transform="translate(13 {middle}) rotate(-90)">{text(frame.y.label)}</text>',
    ]


def _line(frame: Frame, line: Line) -> list[str]:
    """Draw one line, broken where a value is missing, with a place to point at for each value."""
    path, pen = "", "M"
    known = [point for point in line.points if point.y is not None]
    for point in line.points:
        if point.y is None:
            pen = "M"
            continue
        path += f"{pen}{_x(frame, point.x):.1f} {_y(frame, point.y):.1f}"
        pen = "L"
    dot = "dot" if len(known) <= LONGEST_DOTTED else "spot"
    alone = _alone(line.points)
    dots = [
        f'<circle class="{"dot" if point in alone else dot}" cx="{_x(frame, point.x):.1f}" '
        f'cy="{_y(frame, point.y or 0.0):.1f}" r="2.6"><title>{text(point.said)}</title></circle>'
        for point in known
    ]
    return [f'<g class="s{line.style % STYLES}"><path class="line" d="{path}"/>', *dots, "</g>"]


def _alone(points: Sequence[Point]) -> set[Point]:
    """Give the points between two gaps, which no line would show."""
    padded = (None, *(point.y for point in points), None)
    return {point for i, point in enumerate(points) if padded[i] is None and padded[i + 2] is None}


def _bar(frame: Frame, number: int, bar: Bar) -> str:
    value = bar.value or 0.0
    width = (_x(frame, 1.0) - _x(frame, 0.0)) * 0.72
    zero, end = _y(frame, 0.0), _y(frame, value)
    x, y, height = _x(frame, number + 0.5) - width / 2, min(zero, end), max(1.0, abs(end - zero))
    kind = f"bar {'up' if value >= 0 else 'down'} {'sure' if bar.is_sure else 'unsure'}"
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {box}><title>{text(bar.said)}</title></rect>'


def _x(frame: Frame, value: float) -> float:
    return LEFT + frame.x.part(value) * (RIGHT - LEFT)


def _y(frame: Frame, value: float) -> float:
    return BOTTOM - frame.y.part(value) * (BOTTOM - TOP)
