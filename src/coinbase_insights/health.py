"""What other programs ask a running service: is it there, is it ready, how much has it done.

`/healthz` answers as long as the process does; `/readyz` with 503 while no message comes or none can be kept;
`/metrics` for Prometheus. Loopback only.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .collect import Standing
from .errors import UsageError
from .exposition import CONTENT_TYPE, exposition

HOST = "127.0.0.1"
NAMES = (f"{HOST}:", "localhost:")
"""How a request of this machine names us; a page of somebody else's would name another host (DNS rebinding)."""


def metrics(standing: Standing) -> str:
    """Write what there is to count."""
    rows = (
        ("messages_total", "counter", "Messages received since the start.", standing.messages),
        ("connections_total", "counter", "Connections made since the start.", standing.connections),
        ("unstored_total", "counter", "Messages that found no room.", standing.unstored),
        ("connected", "gauge", "Whether there is a connection.", int(standing.is_connected)),
        ("heard_seconds", "gauge", "Seconds since the newest message.", round(standing.heard_ago, 3)),
        ("journal_lines", "gauge", "Offset behind the last line of the journal.", standing.journal_end),
        (
            "journal_durable_lines",
            "gauge",
            "Offset behind the last line on the disk.",
            standing.journal_durable,
        ),
        ("journal_bytes", "gauge", "Size of the journal.", standing.journal_bytes),
        ("landed_lines", "gauge", "Offset behind the last line that is in the lake.", standing.landed),
        ("lake_parts", "gauge", "Data files of the lake's raw table.", standing.parts),
    )
    return exposition(rows)


@contextmanager
def answering(port: int, standing: Callable[[], Standing]) -> Iterator[str]:
    """Answer on a port of this machine (0 takes a free one) as long as the context lasts; give the address.

    Raises UsageError when the port is taken.
    """

    class Answers(BaseHTTPRequestHandler):
        server_version, sys_version = "coinbase_insights", ""

        def do_GET(self) -> None:
            status, text = _answer(self.path, standing())
            if not self.headers.get("Host", "").startswith(NAMES):
                status, text = 403, "this is only for this machine\n"
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody wants a line for each look."""

    try:
        server = ThreadingHTTPServer((HOST, port), Answers)
    except OSError as error:
        raise UsageError(
            f"{HOST}:{port} cannot be listened on: {error.strerror}.", "Name another --health-port; 0 takes a free one."
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _answer(path: str, standing: Standing) -> tuple[int, str]:
    if path == "/healthz":
        return 200, "ok\n"
    if path == "/readyz":
        return (200, "ready\n") if standing.is_ready else (503, "no message comes, or none can be kept\n")
    if path == "/metrics":
        return 200, metrics(standing)
    return 404, "there are /healthz, /readyz and /metrics\n"
