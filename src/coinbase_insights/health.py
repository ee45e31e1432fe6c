"""What other programs ask a running service: is it there, is it ready, how much has it done.

`/healthz` answers as long as the process does; `/readyz` with 503 while it does not do what it is for: no message
comes, none can be kept, no run ends well; `/metrics` for Prometheus. On this machine alone, unless another address is
named: nothing secret is told.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from .exposition import CONTENT_TYPE, Row, exposition
from .listening import HOST, LOOPBACK, address, own_names


class Health(Protocol):
    """What there is to know of a service, at one moment."""

    @property
    def is_ready(self) -> bool:
        """Whether it does what it is for."""

    def counts(self) -> Iterable[Row]:
        """Give what there is to count."""


@contextmanager
def answering(listener: socket.socket, look: Callable[[], Health], host: str = HOST) -> Iterator[str]:
    """Answer on a port of that host as long as the context lasts, and close it then; give the address.

    On an address of this machine only who calls it by its name is answered; on another one whoever can reach it.
    """
    port = listener.getsockname()[1]
    names = own_names(host, port)

    class Answers(BaseHTTPRequestHandler):
        server_version, sys_version = "coinbase_insights", ""

        def do_HEAD(self) -> None:
            self._reply()

        def do_GET(self) -> None:
            self.wfile.write(self._reply())

        def _reply(self) -> bytes:
            """Send all but the body, and give that."""
            status, text = _answer(self.path, look())
            if host in LOOPBACK and self.headers.get("Host", "").lower() not in names:
                status, text = 403, "this is only for this machine\n"
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return body

        def log_message(self, format: str, *args: object) -> None:
            """Nobody wants a line for each look."""

    server = ThreadingHTTPServer((host, port), Answers, bind_and_activate=False)
    server.socket.close()
    server.socket, server.daemon_threads = listener, True
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield f"http://{address(host, port)}"
    finally:
        server.shutdown()
        server.server_close()


def _answer(path: str, health: Health) -> tuple[int, str]:
    if path == "/healthz":
        return 200, "ok\n"
    if path == "/readyz":
        return (200, "ready\n") if health.is_ready else (503, "not ready\n")
    if path == "/metrics":
        return 200, exposition(health.counts())
    return 404, "there are /healthz, /readyz and /metrics\n"
