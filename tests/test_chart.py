"""The chart: where the dots are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights.show.chart import Points, bars, chart, sparkline

histories = st.lists(st.tuples(st.floats(0.0, 1000.0), st.floats(1e-8, 1e8)), max_size=200).map(
    lambda points: sorted(points, key=lambda point: -point[0])
)


def test_nothing_to_draw() -> None:
    assert chart((), 10, 4) is None
    assert sparkline((), 10) is None


def test_a_price_that_does_not_change_is_a_line_in_the_middle() -> None:
    drawn = chart([(900.0, 5.0)], 4, 3)
    assert drawn is not None
    assert drawn.rows == ["    ", "⠤⠤⠤⠤", "    "]
    assert (drawn.low, drawn.high) == (5.0, 5.0)


def test_a_step_is_joined() -> None:
    drawn = chart([(900.0, 1.0), (450.0, 2.0)], 4, 2)
    assert drawn is not None
    assert drawn.rows == ["  ⡏⠉", "⣀⣀⠇ "]


def test_a_line_that_is_down_ends_where_it_was_last_known() -> None:
    drawn = chart([(900.0, 1.0), (500.0, 1.0)], 4, 1, until_now=False)
    assert drawn is not None
    assert drawn.rows[0].rstrip() == drawn.rows[0][:2]


def test_a_spike_between_two_dots_is_seen() -> None:
    drawn = chart([(900.0, 1.0), (451.0, 1.0), (450.5, 9.0), (450.2, 1.0)], 4, 2)
    assert drawn is not None
    assert drawn.high == 9.0


def test_a_price_before_the_window_holds_at_its_beginning() -> None:
    drawn = sparkline([(950.0, 1.0), (450.0, 2.0)], 4)
    assert drawn is not None
    assert drawn.rows == ["▁▁██"]


@given(histories, st.integers(1, 60), st.integers(1, 20), st.booleans())
def test_a_chart_is_as_large_as_asked_for(points: Points, width: int, height: int, until_now: bool) -> None:
    drawn = chart(points, width, height, until_now)
    if drawn is not None:
        assert [len(row) for row in drawn.rows] == [width] * height
        assert any(row.strip() for row in drawn.rows)


@given(histories, st.integers(1, 60), st.booleans())
def test_every_price_of_the_15_minutes_is_in_its_column(points: Points, columns: int, until_now: bool) -> None:
    drawn = bars(points, columns, until_now)
    for age, value in points:
        if age <= 900.0:
            assert any(bar and bar.low <= value <= bar.high for bar in drawn)


@pytest.mark.parametrize("height", [1, 4, 16])
def test_a_rise_fills_every_row(height: int) -> None:
    drawn = chart([(900.0 - second, float(second)) for second in range(900)], 40, height)
    assert drawn is not None
    assert all(row.strip() for row in drawn.rows)
