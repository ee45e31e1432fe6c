"""What other programs ask a running service: is it there, is it ready, how much has it done.

`/healthz` answers as long as the process does; `/readyz` with 503 while it does not do what it is for: no message
comes, none can be kept, no run ends well; `/metrics` for Prometheus. On this machine alone, unless another address is
named: nothing secret is told.
"""

import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from .exposition import CONTENT_TYPE, Row, exposition
from .listening import HOST, LOOPBACK, address, own_names

PATIENCE = 5.0
"""Seconds that whoever asks may take to do so."""
MOST_ASKING = 50
"""At once; who comes then is sent away, for what is asked for needs files and sockets itself."""


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
        server_version, sys_version, timeout = "coinbase_insights", "", PATIENCE

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

    server = _Server(listener, Answers)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield f"http://{address(host, port)}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Answers on a port that is open already; whoever asks badly harms nobody but himself."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._places = threading.Semaphore(MOST_ASKING)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the library has it
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the library has it
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the library has it
        if not isinstance(sys.exception(), OSError):  # Who asked has gone, which is nobody's trouble.
            super().handle_error(request, client_address)


def _answer(path: str, health: Health) -> tuple[int, str]:
    if path == "/healthz":
        return 200, "ok\n"
    if path == "/readyz":
        return (200, "ready\n") if health.is_ready else (503, "not ready\n")
    if path == "/metrics":
        return 200, exposition(health.counts())
    return 404, "there are /healthz, /readyz and /metrics\n"
