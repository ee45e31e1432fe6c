"""The endpoint at which App Service tells a container who it is.

Format: learn.microsoft.com/azure/app-service/overview-managed-identity.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from coinbase_insights import azure

CLIENT_ID = "8e1b2f6c-0000-4000-8000-1a2b3c4d5e6f"
SECRET = "only-this-container-knows-it"


def made(subject: str, seconds: int = 3600) -> str:
    """Make a token as Entra makes them, but that nobody has signed."""
    parts = ({"alg": "none"}, {"sub": subject, "iat": int(time.time()), "exp": int(time.time()) + seconds})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


class Identity:
    """What it was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.seconds = 3600
        self.refusal = ""
        self.tokens: list[str] = []

    def answer(self, path: str, secret: str | None) -> tuple[int, dict[str, str]]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        self.asked.append(query)
        if self.refusal or secret != SECRET:
            return 400, {"statusCode": "400", "message": self.refusal or "another secret"}
        self.tokens.append(made(query["client_id"], self.seconds))
        found = {"access_token": self.tokens[-1], "expires_on": str(int(time.time()) + self.seconds)}
        return 200, found | {"resource": query["resource"], "token_type": "Bearer"}


@contextmanager
def identity() -> Iterator[tuple[Identity, dict[str, str]]]:
    """Start it; give it, and the variables that App Service gives a container."""
    told = Identity()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, found = told.answer(self.path, self.headers["X-IDENTITY-HEADER"])
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/msi/token"
        yield told, {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": SECRET, "AZURE_CLIENT_ID": CLIENT_ID}
        server.shutdown()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """What the endpoint is asked, by a process that knows of it."""
    with identity() as (found, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        azure._credential.cache_clear()
        yield found
        azure._credential.cache_clear()
