"""A page's server that runs in a process of its own, and how to ask it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

PROGRAM = (sys.executable, "-m", "coinbase_insights")


class Site:
    """A server that runs, and how to ask it."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port
        self.host = f"127.0.0.1:{port}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in named)
        for name, value in named.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def json(self, path: str) -> Any:
        return json.loads(self.ask(path)[2])

    @contextmanager
    def stream(self, product_id: str) -> Iterator[Iterator[Any]]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as line:
            line.sendall(f"GET /api/stream?product_id={product_id} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
            lines = line.makefile("rb")
            yield (json.loads(each[6:]) for each in lines if each.startswith(b"data: "))


def typed(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run((*PROGRAM, "serve", *words), capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def serving(*words: str, port: int = 0) -> Iterator[Site]:
    """Run `serve` with these words as long as the context lasts."""
    command = (*PROGRAM, "serve", "--port", str(port), *words)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("look at http://"):
                break
        else:
            pytest.fail("".join(told))
        port = int(line.split("/")[2].rpartition(":")[2])
        try:
            yield Site(process, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


class SilentStore:
    """A store that takes every connection, and never says a word."""

    lake = "s3://bucket/lake"

    def __init__(self, listener: socket.socket, stack: ExitStack) -> None:
        listener.settimeout(30)
        self._listener, self._stack = listener, stack

    def wait_until_asked(self) -> None:
        asked, _ = self._listener.accept()
        self._stack.enter_context(asked)


@pytest.fixture
def silent_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentStore]:
    """A store for every command that begins while the test runs."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        port = listener.getsockname()[1]
        named = {"ENDPOINT_URL": f"http://127.0.0.1:{port}", "ALLOW_HTTP": "true", "REGION": "us-east-1"}
        for name, value in (named | {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}).items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield SilentStore(listener, stack)


@pytest.fixture(scope="session")
def site(built: str) -> Iterator[Site]:
    """A lake that was played to its end, and is shown."""
    with serving("--from", built, "--channel", "ticker", "--speed", "max", "--lake", built) as found:
        while found.json("/api/products")["live"]["state"] != "ENDED":
            pass
        yield found
