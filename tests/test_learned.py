"""What one forecaster has learned, another one may begin with: but never on the time that it was learned from."""

from math import isnan

import pytest

from coinbase_insights.engine.state import COUNT, Parameters, State, learned, load, new_state, save
from coinbase_insights.engine.update import update

SECOND = 1_000_000


def play(state: State, seconds: range) -> list[float]:
    """A price that follows the tilt of the book; gives each forecast."""
    forecasts = []
    for second in seconds:
        bid_size = 1.0 + (second // 30 % 2)
        price = 100_000 + second // 30 % 2 * 40 + second % 7
        update(state, second * SECOND, price, price + 2, bid_size, 3.0 - bid_size)
        slot = (state.whole[COUNT] - 1) & (len(state.times) - 1)
        forecasts.append(state.forecasts[slot])
    return forecasts


def test_a_forecaster_that_begins_with_what_was_learned_has_a_band_at_once() -> None:
    teacher = new_state(decimals=2)
    play(teacher, range(3000))
    pupil = new_state(decimals=2, learned=learned(teacher))

    play(pupil, range(3000, 3001))

    assert pupil.bands[0] > 0.0
    assert pupil.forecasts[0] == pytest.approx(1000.41, abs=0.5)


def test_nothing_learned_is_used_on_the_time_it_was_learned_from() -> None:
    teacher = new_state(decimals=2)
    play(teacher, range(3000))
    pupil, other = new_state(decimals=2, learned=learned(teacher)), new_state(decimals=2)

    assert play(pupil, range(100, 1000)) == play(other, range(100, 1000))


def test_what_was_learned_long_ago_weighs_next_to_nothing() -> None:
    teacher = new_state(decimals=2)
    play(teacher, range(3000))
    month = 30 * 86_400
    pupil, other = new_state(decimals=2, learned=learned(teacher)), new_state(decimals=2)

    late = play(pupil, range(month, month + 900))[-1]

    assert late == pytest.approx(play(other, range(month, month + 900))[-1], rel=1e-7)


def test_parameters_change_what_they_say() -> None:
    usual, held = new_state(decimals=2), new_state(decimals=2, parameters=Parameters(ridge=1e12, pull=0.0))

    play(usual, range(600))
    forecasts = play(held, range(600))

    assert forecasts[-1] == pytest.approx(held.mids[599 & (len(held.mids) - 1)] / 200, rel=1e-9)
    assert usual.forecasts != held.forecasts


def test_nothing_is_known_of_the_move_before_a_minute_has_passed() -> None:
    assert isnan(learned(new_state()).sigma)


def test_a_state_of_another_version_is_refused() -> None:
    saved = save(new_state())

    with pytest.raises(ValueError, match="another version"):
        load(saved._replace(real=saved.real[:-1]))
