"""Where values lie on an axis, and where its ticks stand."""

import doctest
from math import ulp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights.show import axis
from coinbase_insights.show.axis import Axis, logarithmic, of_time, plain, written

DAY = 86_400_000_000
START = 1_763_659_695_000_000
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(axis).failed == 0


@given(numbers, st.floats(1e-6, 1e6))
def test_a_plain_axis_holds_its_values_and_has_a_handful_of_ticks(low: float, width: float) -> None:
    made = plain("x", low, low + width)
    slack = 1e-6 * width + 4 * ulp(abs(low) + width)
    assert made.low - slack <= low
    assert low + width <= made.high + slack
    assert 2 <= len(made.ticks) <= 9
    assert [at for at, _ in made.ticks] == sorted({at for at, _ in made.ticks})


@given(st.floats(1e-3, 1e3), st.floats(1.0, 1e6))
def test_a_logarithmic_axis_has_its_ticks_within(low: float, factor: float) -> None:
    made = logarithmic("x", low, low * factor)
    assert all(-1e-6 <= made.part(at) <= 1 + 1e-6 for at, _ in made.ticks)
    assert made.part(made.low) == 0.0
    assert made.part(made.high) == pytest.approx(1.0)


@given(st.integers(0, 4 * 10**15), st.integers(0, 3000 * DAY))
def test_an_axis_of_time_has_a_few_ticks_within(first: int, length: int) -> None:
    made = of_time(first, first + length)
    assert len(made.ticks) <= 7
    assert all(made.low <= at <= made.high for at, _ in made.ticks)


def test_days_are_named_by_their_date_and_hours_by_the_clock() -> None:
    assert [text for _, text in of_time(START, START + 4 * DAY).ticks] == ["21 Nov", "22 Nov", "23 Nov", "24 Nov"]
    assert [text for _, text in of_time(START, START + DAY // 2).ticks] == ["18:00", "21:00", "21 Nov", "03:00"]
    assert written(START) == "2025-11-20 17:28"


def test_nothing_lies_outside_an_axis() -> None:
    assert [Axis("x", 0.0, 10.0, ()).part(value) for value in (-5.0, 2.5, 99.0)] == [0.0, 0.25, 1.0]
