"""The application: what is answered at which address. Knows the board and the lake; opens no port."""

import logging
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..engine.insight import rfc3339
from ..errors import InsightsError, NoTableError, StorageError, UsageError
from ..exposition import CONTENT_TYPE, exposition
from ..show.view import View
from .asked import SHOWN, TYPES, NoPageError, choice_of, product_asked_for, product_of
from .board import Board
from .frame import frame
from .openapi import openapi
from .readers import Look, Readers

if TYPE_CHECKING:
    from .history import History

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "/history.js": ("history.js", "text/javascript; charset=utf-8"),
    "/lightweight-charts.mjs": ("lightweight-charts.mjs", "text/javascript; charset=utf-8"),
    "/licences.txt": ("licences.txt", "text/plain; charset=utf-8"),
}
MOST_VIEWERS = 500
MOST_READERS = 2
"""Questions to the lake that are answered at a time; the others wait, and what is live does not."""
EVENT = b"data: %b\n\n"
_encode = msgspec.json.Encoder().encode
logger = logging.getLogger(__name__)


def application(board: Board, history: "History | None", *, has_live: bool = True) -> Starlette:
    """Make the application; `has_live` tells whether the board will ever show anything."""
    answers = Answers(board, history, has_live)
    routes = [
        Route("/api/products", answers.products),
        Route("/api/lake", answers.lake),
        Route("/api/insights/{product_id}", answers.insight),
        Route("/api/chart/{product_id}", answers.chart),
        Route("/api/stream", answers.stream),
        Route("/api/openapi.json", answers.openapi),
        *(Route(f"/api/{name}", answers.table, name=name) for name in SHOWN),
        Route("/healthz", answers.healthz),
        Route("/readyz", answers.readyz),
        Route("/metrics", answers.metrics),
        *(Route(path, answers.page) for path in PAGE),
    ]
    handlers: dict[Any, Any] = {InsightsError: _said, 404: _nowhere}
    return Starlette(routes=routes, exception_handlers=handlers)


async def _said(_: Request, error: Exception) -> Response:
    """Answer with what is wrong, as the command line would say it."""
    if not isinstance(error, InsightsError):
        raise error
    statuses = ((NoPageError, 404), (UsageError, 400), (NoTableError, 404), (StorageError, 503))
    status = next((status for kind, status in statuses if isinstance(error, kind)), 500)
    return JSONResponse({"error": error.message, "hint": error.hint}, status)


async def _nowhere(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "there is nothing here", "hint": "see /api/openapi.json"}, 404)


def _no_lake() -> Response:
    return JSONResponse({"error": "no lake is served", "hint": "start with: serve --lake LAKE"}, 404)


def _not_followed() -> Response:
    return JSONResponse({"error": "this product is not followed here", "hint": "see /api/products"}, 404)


class Answers:
    """What is answered."""

    def __init__(self, board: Board, history: "History | None", has_live: bool) -> None:
        """Keep what is asked."""
        self._has_live = has_live
        self._board = board
        self._history = history
        self._readers = Readers(board.ended, MOST_READERS)
        self._look = None if history is None or has_live else Look(board.ended, history.products)
        folder = files("coinbase_insights").joinpath("serve/page")
        self._page = {path: (folder.joinpath(name).read_bytes(), kind) for path, (name, kind) in PAGE.items()}

    async def page(self, request: Request) -> Response:
        """One of the files of the page."""
        body, kind = self._page[request.url.path]
        return Response(body, media_type=kind)

    async def products(self, _: Request) -> Response:
        """All products in a line each, and the state of the line: what is known already, and no lake is asked for."""
        view = self._board.view
        has = {"has_live": self._has_live, "has_lake": self._history is not None}
        return _json({"live": None if view is None else frame(view), **has})

    async def lake(self, _: Request) -> Response:
        """The products that the lake has bars of, or why it cannot be read."""
        if self._history is None:
            return _no_lake()
        try:
            return _json({"products": await self._readers.read(self._history.products), "trouble": None})
        except StorageError as error:  # What is live is shown nevertheless.
            return _json({"products": [], "trouble": error.message})

    async def insight(self, request: Request) -> Response:
        """The newest insight of a product, as a JSON line of `run` has it."""
        view, product = self._board.view, self._board.product(product_of(request))
        if view is None or product is None:
            return _not_followed()
        found = {"state": view.state, "is_live": is_fresh(view), "now": rfc3339(view.now), "insight": product.insight}
        return _json(found)

    async def chart(self, request: Request) -> Response:
        """The points of a product's charts, oldest first."""
        product_id = product_of(request)
        points = self._board.points(product_id)
        if not points and self._board.product(product_id) is None:
            return _not_followed()
        return _json({"points": points})

    async def stream(self, request: Request) -> Response:
        """A frame a few times a second, as server-sent events."""
        if not self._has_live:
            hint = "start with: serve -p PRODUCT, --from or --demo"
            return JSONResponse({"error": "nothing live is served", "hint": hint}, 404)
        if self._board.viewers >= MOST_VIEWERS:
            return JSONResponse({"error": f"{MOST_VIEWERS} pages look already", "hint": "close one"}, 503)
        product_id = product_asked_for(request.query_params)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return Frames(self._board, product_id)

    async def table(self, request: Request) -> Response:
        """Rows of a table of the lake."""
        name = request.url.path.removeprefix("/api/")
        choice = choice_of(name, request.query_params)
        if self._history is None:
            return _no_lake()
        known = request.headers.get("if-none-match", "")
        tag, page = await self._readers.read(partial(self._history.answer, choice, known))
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if page is None:
            return Response(status_code=304, headers=headers)
        if page.following is not None:
            following = request.url.include_query_params(after=page.following).remove_query_params("token")
            headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        if choice.output != "json":
            headers["Content-Disposition"] = f'attachment; filename="{name}.{choice.output}"'
        return Response(page.body, media_type=TYPES[choice.output], headers=headers)

    async def openapi(self, _: Request) -> Response:
        """What can be asked, described for programs."""
        return _json(openapi())

    async def healthz(self, _: Request) -> Response:
        """Whether the process is there."""
        return Response("ok\n", media_type="text/plain")

    async def readyz(self, __: Request) -> Response:
        """Whether what is shown is fresh; where it is only a lake, whether that can be read."""
        trouble = "" if not self._has_live or is_fresh(self._board.view) else "no fresh data"
        if self._look is not None:
            trouble = await self._look.trouble()
        if trouble:
            logger.warning("not ready: %s", trouble)
        return Response("not ready\n" if trouble else "ready\n", 503 if trouble else 200, media_type="text/plain")

    async def metrics(self, _: Request) -> Response:
        """What there is to count, for Prometheus."""
        return Response(metrics(self._board), media_type=CONTENT_TYPE)


class Frames(StreamingResponse):
    """Frames for a viewer, who counts from the first step on: of a burst of them, too, none is one too many."""

    def __init__(self, board: Board, product_id: str) -> None:
        """Send nothing yet."""
        self._board = board
        events = (EVENT % frame async for frame in board.stream(product_id))
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send as long as the viewer looks."""
        self._board.viewers += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._board.viewers -= 1


def is_fresh(view: View | None) -> bool:
    """Tell whether what is shown holds now; not that of a recording which has ended."""
    return view is not None and view.is_live and view.state != "ENDED"


def metrics(board: Board) -> str:
    """Write what there is to count."""
    view = board.view
    rows = (
        ("messages_total", "counter", "Messages received since the start.", view.received if view else 0),
        ("quotes_total", "counter", "Quotes folded since the start.", view.quotes if view else 0),
        ("missed_total", "counter", "Messages that did not reach us.", view.missed if view else 0),
        ("reconnects_total", "counter", "Connections made anew.", view.reconnects if view else 0),
        ("live", "gauge", "Whether the figures hold now.", int(is_fresh(view))),
        ("viewers", "gauge", "Pages that look.", board.viewers),
        ("frames_total", "counter", "Frames made for pages.", board.frames),
    )
    return exposition(rows)


def _json(value: object) -> Response:
    return Response(_encode(value), media_type="application/json")
