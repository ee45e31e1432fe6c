"""Who may ask: only this machine, or whoever has the token; and what a browser may do with what it gets.

A page of somebody else's, open in the same browser, can send requests here: by a name of its own that leads here (DNS
rebinding), or from its own origin. Neither gets anything. What is sent may load, frame and talk to nothing but itself.
"""

import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "coinbase_insights_"
"""With the port behind it by which we are called: a browser keeps one jar for all ports of a name."""
OF_PROBES = ("/healthz", "/readyz")
"""What whoever watches over it may ask without the token, by whatever name: they say nothing but yes or no."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


_PORT = re.compile(r":[0-9]{1,5}$", re.ASCII)


class Names(NamedTuple):
    """What a request may call us, in small letters."""

    exact: frozenset[str]
    """As it stands in its header Host."""
    of_any_port: frozenset[str] = frozenset()
    """Those to which it may add any port: it is the name that a page of somebody else's cannot have."""

    def has(self, host: str) -> bool:
        """Tell whether this is one of them."""
        return host in self.exact or _PORT.sub("", host) in self.of_any_port


class Refusal(NamedTuple):
    """Why a request gets nothing."""

    status: int
    error: str
    hint: str = ""


class Gate:
    """Stands before the application."""

    def __init__(self, app: ASGIApp, names: Names, token: str) -> None:
        """An empty token lets everybody in who calls us by one of these names."""
        self._app = app
        self._names = names
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer: ASGIApp = self._app
        if (refusal := self._refusal(scope)) is not None:
            allow = {"Allow": "GET, HEAD"} if refusal.status == 405 else None
            answer = JSONResponse({"error": refusal.error, "hint": refusal.hint}, refusal.status, allow)
        elif self._token and scope["path"] == "/" and "token" in _query(scope):
            answer = self._welcome(Headers(scope=scope))
        await answer(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if self._token and scope["path"] in OF_PROBES and scope["method"] in ("GET", "HEAD"):
            return None
        if not self._names.has(host):
            return Refusal(403, "this is not the name of this server", "if it is one of its names: serve --name NAME")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return Refusal(403, "a page of another origin may not ask")
        is_page = scope["path"] == "/"
        if headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site") and not is_page:
            return Refusal(403, "a page of another origin may not ask")
        if scope["method"] not in ("GET", "HEAD"):
            return Refusal(405, "nothing can be changed here: GET and HEAD are all there is")
        if self._token and not self._has_token(scope, headers):
            return Refusal(401, "a token is needed: ?token=... once in a browser, or Authorization: Bearer ...")
        return None

    def _has_token(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        given = _query(scope).get("token") or [cookie_parser(headers.get("cookie", "")).get(_cookie(headers), "")]
        given = [bearer] if kind.lower() == "bearer" else given
        return all(hmac.compare_digest(each.encode(), self._token.encode()) for each in given)

    def _welcome(self, headers: Headers) -> Response:
        """Keep the token in a cookie, and out of the address; lax, so that a link in somebody's wiki leads here too.

        Where a proxy says that it was reached by TLS, a browser is to send the cookie no other way.
        """
        response = RedirectResponse("/", 303)
        is_secure = headers.get("x-forwarded-proto") == "https"
        response.set_cookie(_cookie(headers), self._token, httponly=True, samesite="lax", secure=is_secure)
        return response


def _query(scope: Scope) -> dict[str, list[str]]:
    try:
        return parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=50)
    except ValueError:
        return {}


def _cookie(headers: Mapping[str, str]) -> str:
    """Name the cookie, by the port of the header Host, which others see: the one we listen on may be mapped to it."""
    port = _PORT.search(headers.get("host", ""))
    return f"{COOKIE}{port[0][1:] if port else 80}"
