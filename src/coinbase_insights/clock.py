"""The exchange's clock, as far as it can be known from what it sends; ours may be wrong, and messages may lie.

All figures follow the exchange's time. A time more than a minute ahead of where the exchange's clock should be is not
believed, unless the next message confirms it: then it is our own clock that is wrong, or that was set.
"""

import msgspec

TOLERANCE = 60_000_000
"""Microseconds."""
BEAT = 1_000_000
"""Microseconds between heartbeats."""


class ClockMemory(msgspec.Struct):
    """All that a clock remembers."""

    start: int | None
    offset: int
    heard_until: int
    rumour: tuple[int, int] | None


class Clock:
    """How far our clock is ahead of the exchange's, learned from heartbeats, which are sent when they say."""

    def __init__(self) -> None:
        """Believe our own clock until the exchange has spoken."""
        self.start: int | None = None
        """Exchange time (microseconds) that the first heartbeat came after: we began to listen less than a second
        before it. None until one is believed."""
        self._offset = 0
        self.heard_until = 0
        """The newest exchange time that was believed (microseconds); 0 before any."""
        self._rumour: tuple[int, int] | None = None

    def save(self) -> ClockMemory:
        """Give all that it remembers."""
        return ClockMemory(self.start, self._offset, self.heard_until, self._rumour)

    def load(self, memory: ClockMemory) -> None:
        """Go on where another one was saved."""
        self.start, self._offset = memory.start, memory.offset
        self.heard_until, self._rumour = memory.heard_until, memory.rumour

    def heard(self, time: int, received_at: int) -> bool:
        """Take in a heartbeat's time and when it reached us (microseconds). False while it is not believed."""
        first = time
        if abs(received_at - time - self._offset) > TOLERANCE and not self._follows(time):
            rumour = self._rumour
            if rumour is None or not self._is_confirmed(time, received_at):
                self._rumour = (time, received_at)
                return False
            first = min(time, rumour[0])
        if self.start is None:
            self.start = first - BEAT
        self._offset, self.heard_until, self._rumour = received_at - time, time, None
        return True

    def believes(self, time: int, received_at: int) -> bool:
        """Tell whether a quote can be of this time. While there are no heartbeats, a second quote confirms a first."""
        if time > received_at - self._offset + TOLERANCE and not self._follows(time):
            if self.start is not None or not self._is_confirmed(time, received_at):
                self._rumour = (time, received_at)
                return False
            self._offset, self._rumour = received_at - time, None
        self.heard_until = max(self.heard_until, time)
        return True

    def _follows(self, time: int) -> bool:
        """Whether the time is near the last one that was believed: then it is our own clock that was set."""
        return self.start is not None and abs(time - self.heard_until) <= TOLERANCE

    def _is_confirmed(self, time: int, received_at: int) -> bool:
        """Whether the last message that was not believed says the same of the exchange's clock."""
        rumour = self._rumour
        return rumour is not None and abs((received_at - time) - (rumour[1] - rumour[0])) <= TOLERANCE
