"""The exchange's clock, whatever ours says and whoever lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinbase_insights.clock import BEAT, TOLERANCE, Clock

NOON = 1_795_348_800_000_000
HOUR = 3600 * BEAT


def test_the_first_heartbeat_tells_the_start() -> None:
    clock = Clock()
    assert clock.start is None
    assert clock.heard(NOON, NOON + 50_000)
    assert clock.heard(NOON + BEAT, NOON + BEAT + 50_000)
    assert clock.start == NOON - BEAT


@pytest.mark.parametrize("off", [-24 * HOUR, -HOUR, HOUR, 24 * HOUR])
def test_our_own_clock_may_be_wrong(off: int) -> None:
    clock = Clock()
    assert not clock.heard(NOON, NOON + off)
    assert clock.heard(NOON + BEAT, NOON + BEAT + off)
    assert clock.start == NOON - BEAT
    assert clock.believes(NOON + 2 * BEAT, NOON + 2 * BEAT + off)
    assert not clock.believes(NOON + HOUR, NOON + 3 * BEAT + off)


@pytest.mark.parametrize("lie", [-24 * HOUR, -2 * TOLERANCE, 2 * TOLERANCE, 24 * HOUR])
def test_a_first_heartbeat_that_lies_does_not_tell_the_start(lie: int) -> None:
    clock = Clock()
    assert not clock.heard(NOON + lie, NOON)
    assert clock.heard(NOON + BEAT, NOON + BEAT)
    assert clock.start == NOON


@pytest.mark.parametrize("lie", [-HOUR, HOUR])
def test_a_quote_that_lies_before_the_first_heartbeat_does_not_tell_the_start(lie: int) -> None:
    clock = Clock()
    clock.believes(NOON + lie, NOON)
    assert clock.heard(NOON + BEAT, NOON + BEAT)
    assert clock.start == NOON


def test_one_message_that_lies_is_not_believed_and_changes_nothing() -> None:
    clock = Clock()
    clock.heard(NOON, NOON)
    assert not clock.believes(NOON + 10 * HOUR, NOON + 1)
    assert not clock.heard(NOON + 20 * HOUR, NOON + 2)
    assert clock.believes(NOON + BEAT, NOON + BEAT)
    assert clock.heard(NOON + BEAT, NOON + BEAT)


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_our_clock_that_is_set_is_followed_by_the_second_heartbeat(jump: int) -> None:
    clock = Clock()
    clock.heard(NOON, NOON)
    assert clock.heard(NOON + BEAT, NOON + BEAT + jump)
    assert clock.heard(NOON + 2 * BEAT, NOON + 2 * BEAT + jump)
    assert clock.believes(NOON + 3 * BEAT, NOON + 3 * BEAT + jump)
    assert clock.start == NOON - BEAT


def test_without_heartbeats_a_second_quote_confirms_a_first() -> None:
    clock = Clock()
    assert not clock.believes(NOON + HOUR, NOON)
    assert clock.believes(NOON + HOUR + BEAT, NOON + BEAT)
    assert clock.believes(NOON + HOUR + 2 * BEAT, NOON + 2 * BEAT)


def test_with_heartbeats_quotes_alone_cannot_move_the_clock() -> None:
    clock = Clock()
    clock.heard(NOON, NOON)
    assert [clock.believes(NOON + HOUR + n * BEAT, NOON + n * BEAT) for n in range(1, 5)] == [False] * 4


@given(st.integers(-(10**15), TOLERANCE))
def test_a_quote_of_the_past_is_believed(age: int) -> None:
    clock = Clock()
    clock.heard(NOON, NOON)
    assert clock.believes(NOON + BEAT + age, NOON + BEAT)
