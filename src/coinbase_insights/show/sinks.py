"""The three sinks of `run`: the screen, plain lines, JSON lines."""

import sys
from typing import TextIO

from ..counts import Counts
from ..engine.insight import rfc3339
from ..engine.product import Product
from ..pipe import Pipe
from .lines import Status, last_known, line, status_line, to_json
from .safe import safe
from .terminal import Terminal
from .view import View


class Screen:
    """Draws in the terminal."""

    draws = True

    def __init__(self, terminal: Terminal) -> None:
        """The terminal is opened and closed by whoever made it."""
        self._terminal = terminal

    def insight(self, product: Product, pipe: Pipe) -> None:
        """Nothing: the next drawing shows it."""

    def state(self, view: View, pipe: Pipe) -> None:
        """Nothing: the next drawing shows it."""

    def draw(self, view: View) -> None:
        """Draw."""
        self._terminal.draw(view)


class Lines:
    """Writes a line a quote to stdout, and one for each change of state to stderr."""

    draws = False

    def __init__(self, out: TextIO | None = None, talk: TextIO | None = None) -> None:
        """Write to the two standard streams unless others are given."""
        self._out = out or sys.stdout
        self._talk = talk or sys.stderr

    def insight(self, product: Product, pipe: Pipe) -> None:
        """Write the quote's line."""
        text = line(product.insight(pipe.counts.missed, pipe.counts.reconnects), product.decimals)
        self._out.write(text + "\n")
        self._out.flush()

    def state(self, view: View, pipe: Pipe) -> None:
        """Write the new state."""
        self._talk.write(status_line(view.now, view.state, view.detail) + "\n")
        self._talk.flush()

    def draw(self, view: View) -> None:
        """Nothing: lines are not drawn again."""


class JsonLines:
    """Writes a JSON object a quote, and one for each change of state, to stdout."""

    draws = False

    def __init__(self, out: TextIO | None = None) -> None:
        """Write to stdout unless another stream is given."""
        self._out = (out or sys.stdout).buffer

    def insight(self, product: Product, pipe: Pipe) -> None:
        """Write the insight."""
        self._write(to_json(product.insight(pipe.counts.missed, pipe.counts.reconnects)))

    def state(self, view: View, pipe: Pipe) -> None:
        """Write the state and everything counted so far."""
        self._write(to_json(status(view, pipe.counts, pipe)))

    def draw(self, view: View) -> None:
        """Nothing: lines are not drawn again."""

    def _write(self, text: bytes) -> None:
        self._out.write(text + b"\n")
        self._out.flush()


def status(view: View, counts: Counts, pipe: Pipe) -> Status:
    """Make the JSON object for a state of the line."""
    known = {product.product_id: last_known(pipe.last_known.get(product.product_id)) for product in view.products}
    fields = {} if all(known.values()) and known else {"last_known_reason": "no quote has come yet"}
    return Status(
        v=1,
        time=rfc3339(view.now),
        state=view.state,
        detail=safe(view.detail),
        product_ids=tuple(known),
        last_known=known,
        received=counts.received,
        bad=dict(counts.bad),
        duplicates=counts.duplicates,
        other={safe(kind): count for kind, count in counts.other.items()},
        missed=counts.missed,
        reconnects=counts.reconnects,
        gaps=counts.gaps,
        **fields,
    )
