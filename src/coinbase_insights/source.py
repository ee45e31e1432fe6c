"""What gives messages, as whoever watches them needs it."""

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .message import Item
    from .show.view import LineState
    from .watch import Watch


class Source(NamedTuple):
    """Messages, and what is said of where they come from."""

    items: "Callable[[Watch], AsyncGenerator[Item]]"
    live_state: "LineState" = "LIVE"
    """What stands there while it gives messages."""
    speed: str = ""
    """How fast it is, where that is said."""
    check: Callable[[], list[str]] | None = None
    """Run beside it: what it raises ends all, what it gives are notes for a person."""
    rest_url: str = ""
    """Where its products are listed; empty where they are not."""
