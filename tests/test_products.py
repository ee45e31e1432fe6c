"""The list of products: asked for as seldom as it can be, past no proxy, and shown inert."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coinbase_insights.errors import UnknownProductError
from coinbase_insights.feed.products import all_products, check
from coinbase_insights.show.listing import table

LISTED = [{"id": f"{name}-USD", "status": "online", "post_only": name == "B"} for name in "ABCDE"]


class Answers(BaseHTTPRequestHandler):
    """The products A to E, each online; B takes limit orders that rest."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        found = [product for product in LISTED if self.path == f"/products/{product['id']}"]
        answer: object = LISTED if self.path == "/products" else found[0] if found else {"message": "NotFound"}
        body = json.dumps(answer).encode()
        self.send_response(200 if answer is not None and "message" not in str(answer)[:12] else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def exchange() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Answers,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_few_products_are_asked_for_one_by_one_and_many_at_once(exchange: tuple[str, list[str]]) -> None:
    url, asked = exchange
    assert check(url, ["A-USD", "B-USD"]) == ["B-USD is post only"]
    assert asked == ["/products/A-USD", "/products/B-USD"]
    asked.clear()
    assert check(url, ["A-USD", "B-USD", "C-USD", "D-USD"]) == ["B-USD is post only"]
    assert asked == ["/products"]


def test_of_many_products_the_unknown_one_is_named(exchange: tuple[str, list[str]]) -> None:
    with pytest.raises(UnknownProductError, match="does not know the product Z-USD"):
        check(exchange[0], ["A-USD", "B-USD", "C-USD", "Z-USD"])


def test_no_proxy_stands_between_us_and_this_machine(
    exchange: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert [product.id for product in all_products(exchange[0])] == [product["id"] for product in LISTED]


def test_what_the_list_says_steers_no_terminal() -> None:
    assert table(("product_id",), [("\x1b[2J\u202e\n",)]).isascii()
    assert "\x1b" not in table(("product_id",), [("\x1b[2J\u202e\n",)])
