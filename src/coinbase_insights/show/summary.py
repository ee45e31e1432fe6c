"""What became of all messages, in a line."""

from ..counts import Counts
from .numbers import counted


def summary(counts: Counts) -> str:
    """Say in a line how many messages came, how many quotes were folded, and what happened to the others."""
    parts = [counted(counts.quotes, "quote"), f"{counts.missed} missed", counted(counts.reconnects, "reconnect")]
    return f"{counted(counts.received, 'message')}: {', '.join(parts + left_out(counts))}"


def left_out(counts: Counts) -> list[str]:
    """Say what was about prices and was not folded, and why; nothing where nothing was left out."""
    parts = []
    if counts.before_start:
        parts.append(f"{counts.before_start:,} from before the start")
    if counts.duplicates:
        parts.append(counted(counts.duplicates, "duplicate"))
    if counts.bad:
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in counts.bad.most_common(5))
        parts.append(f"{counts.bad.total():,} bad: {reasons}")
    return parts
