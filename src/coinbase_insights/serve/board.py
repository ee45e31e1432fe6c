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
from ..show.view import ProductView, View
from .frame import Point, figures, frame, point

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
        """Pages that look now."""
        self._changed: set[str] = set()
        self._points: dict[str, deque[Point]] = {}
        self._encoded: dict[str, bytes] = {}
        self._next = asyncio.Event()
        self.ended = asyncio.Event()
        """Set when there is no more to come."""

    @property
    def is_changed(self) -> bool:
        """Whether a quote has come since the last frame."""
        return bool(self._changed)

    def insight(self, product: Product, pipe: Pipe) -> None:
        """A quote of this product was folded; the next frame shows it."""
        self._changed.add(product.product_id)
        points = self._points_of(product.product_id)
        if not points or points[-1].time // SECOND < product.time // SECOND:
            points.append(point(product.insight(), pipe.counts.gaps))

    def state(self, view: View, pipe: Pipe) -> None:
        """Show another state at once."""
        self.show(view)

    def draw(self, view: View) -> None:
        """Nothing: `show` does."""

    def show(self, view: View) -> None:
        """Let all pages see this. A product that is no longer in it is with another member of a group."""
        for name in self._names() - {product.product_id for product in view.products}:
            self._points.pop(name, None)
        for product in view.products:
            if product.insight is not None and product.product_id in self._changed:
                self._bring_up(product.product_id, point(product.insight, product.gaps))
        self._changed.clear()
        self._encoded.clear()
        self.view = view
        self.frames += 1
        seen, self._next = self._next, asyncio.Event()
        seen.set()

    def _names(self) -> set[str]:
        return set() if self.view is None else {product.product_id for product in self.view.products}

    def end(self) -> None:
        """Let every page know that there is no more to come."""
        self.ended.set()
        self._next.set()

    def _points_of(self, product_id: str) -> deque[Point]:
        return self._points.setdefault(product_id, deque(maxlen=POINTS))

    def _bring_up(self, product_id: str, newest: Point) -> None:
        """Put the newest point in the place of the one that was first in its second."""
        points = self._points_of(product_id)
        if points and points[-1].time // SECOND == newest.time // SECOND:
            points[-1] = newest

    def points(self, product_id: str) -> list[Point]:
        """Give what the charts show of a product, oldest first."""
        return list(self._points.get(product_id, ()))

    def product(self, product_id: str) -> ProductView | None:
        """Give a product as it was shown last; None where it is not followed, or not yet."""
        products = () if self.view is None else self.view.products
        return next((each for each in products if each.product_id == product_id), None)

    def encoded(self, view: View, product_id: str) -> bytes:
        """Give the newest frame for whoever looks at this product as JSON; what is the same for all is made once."""
        if "" not in self._encoded:
            self._encoded[""] = _encode(frame(view))
        product = self.product(product_id)
        if product is None:
            return self._encoded[""]
        if product_id not in self._encoded:
            self._encoded[product_id] = b"%b%b}" % (
                self._encoded[""][: -len(b"null}")],
                _encode(figures(view, product)),
            )
        return self._encoded[product_id]

    async def stream(self, product_id: str) -> AsyncGenerator[bytes]:
        """Give the newest frame, and each time that there is another one the newest again, until the end."""
        while not self.ended.is_set():
            waiting = self._next
            if self.view is not None:
                yield self.encoded(self.view, product_id)
            await waiting.wait()
