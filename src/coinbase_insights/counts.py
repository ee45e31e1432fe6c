"""What has become of every message, so that none is lost in silence. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from .quote import Bad, Event, Missed, Other, Quote, Stale

MOST_KINDS = 50
"""Names of kinds of messages that are counted one by one."""


@dataclass(slots=True)
class Counts:
    """What has come in since the start, by what became of it."""

    received: int = 0
    """Messages; each is counted in exactly one of the next four."""
    good: int = 0
    duplicates: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    """By reason."""
    other: Counter[str] = field(default_factory=Counter)
    """Fine, but not about our prices; by kind."""
    quotes: int = 0
    """Folded."""
    before_start: int = 0
    """Quotes of the time before the start: shown as last known, not folded."""
    missed: int = 0
    """Messages that the exchange sent, by its own count, and that did not reach us."""
    reconnects: int = 0
    gaps: int = 0
    """Times that the line was down, or a message was lost."""

    def add(self, outcomes: list[Event]) -> None:
        """Count a message by what it says; of several things that it says, one decides."""
        outcome = outcomes[0] if len(outcomes) == 1 else max(outcomes, key=_weight)
        if isinstance(outcome, Quote):
            self.good += 1
        elif isinstance(outcome, Bad):
            self.bad[outcome.reason] += 1
        elif isinstance(outcome, Stale):
            self.duplicates += 1
        elif isinstance(outcome, Other):
            kind = outcome.kind[:40]
            self.other[kind if kind in self.other or len(self.other) < MOST_KINDS else "others"] += 1
        else:
            self.good += 1


def _weight(outcome: Event) -> int:
    """Which of several things that one message says decides what the message is counted as: the highest."""
    if isinstance(outcome, Missed):
        return 0
    if isinstance(outcome, Other | Stale):
        return 1 if isinstance(outcome, Other) else 2
    return 4 if isinstance(outcome, Bad) else 3
