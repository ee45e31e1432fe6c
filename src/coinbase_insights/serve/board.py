"""The newest of everything, for any number of pages at once.

A page is not sent each quote, but what stands a few times a second: a slow one misses frames and holds up nobody.
Each frame is made and encoded once, however many look at it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

import msgspec

from ..engine.product import Product
from ..pipe import Pipe
from ..show.view import View
from .frame import Frame, Point, frame, point

POINTS = 3600
"""Of the charts of one product, one a second at most: an hour and more."""
SECOND = 1_000_000
_encode = msgspec.json.Encoder().encode


class Board:
    """A sink of `run`, that pages look at."""

    draws = False

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.view: View | None = None
        self.frames = 0
        """Frames since the start."""
        self.viewers = 0
        self._changed: set[str] = set()
        self._points: dict[str, deque[Point]] = {}
        self._encoded: dict[str, bytes] = {}
        self._next = asyncio.Event()
        self.has_ended = False

    @property
    def is_changed(self) -> bool:
        """Whether a quote has come since the last frame."""
        return bool(self._changed)

    def insight(self, product: Product, pipe: Pipe) -> None:
        """A quote of this product was folded; the next frame shows it."""
        self._changed.add(product.product_id)

    def state(self, view: View, pipe: Pipe) -> None:
        """Show another state at once."""
        self.show(view)

    def draw(self, view: View) -> None:
        """Nothing: `show` does."""

    def show(self, view: View) -> None:
        """Let all pages see this."""
        for product in view.products:
            if product.insight is not None and product.product_id in self._changed:
                self._add(product.product_id, point(product.insight))
        self._changed.clear()
        self._encoded.clear()
        self.view = view
        self.frames += 1
        seen, self._next = self._next, asyncio.Event()
        seen.set()

    def end(self) -> None:
        """Let every page know that there is no more to come."""
        self.has_ended = True
        self._next.set()

    def _add(self, product_id: str, newest: Point) -> None:
        points = self._points.setdefault(product_id, deque(maxlen=POINTS))
        if points and points[-1].time // SECOND == newest.time // SECOND:
            points.pop()
        points.append(newest)

    def points(self, product_id: str) -> list[Point]:
        """Give what the charts show of a product, oldest first."""
        return list(self._points.get(product_id, ()))

    def frame(self, product_id: str) -> Frame | None:
        """Give the newest frame for whoever looks at this product; None before the first."""
        return None if self.view is None else frame(self.view, product_id)

    def encoded(self, product_id: str) -> bytes:
        """Give it as JSON, made once for all."""
        if product_id not in self._encoded:
            self._encoded[product_id] = _encode(self.frame(product_id))
        return self._encoded[product_id]

    async def stream(self, product_id: str) -> AsyncGenerator[bytes]:
        """Give the newest frame, and each time that there is another one the newest again, until the end."""
        self.viewers += 1
        try:
            while not self.has_ended:
                waiting = self._next
                if self.view is not None:
                    yield self.encoded(product_id)
                await waiting.wait()
        finally:
            self.viewers -= 1
