"""How long the feed waits for what; every constant of time in one place, so that tests can run ten times faster."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, all by the monotonic clock."""

    open_timeout: float = 10.0
    """For the connection and its handshake."""
    stall: float = 15.0
    """Without a whole message (heartbeats come each second) the line is taken for dead."""
    quiet: float = 60.0
    """Heartbeats but no quote: after this the subscription is sent once more, for the exchange may have lost it."""
    ack: float = 10.0
    """For the answer to the subscription."""
    give_up: float = 30.0
    """At the start, if the feed never came up; later it is tried for ever."""
    backoff_first: float = 0.5
    backoff_most: float = 6.4
    """Between two attempts; a quote is back 7 s after the exchange is, however long it was away."""
    attempt_interval: float = 1.25
    """At the least between two attempts: no more than 8 in any 10 s, even when each brings a quote."""
    close: float = 0.5
    """For the exchange to say goodbye when we leave."""

    def scaled(self, factor: float) -> "Timing":
        """Give the same with all times multiplied."""
        return Timing(**{field.name: getattr(self, field.name) * factor for field in fields(self)})
