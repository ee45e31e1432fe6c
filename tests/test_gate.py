"""By which names a server may be called, and the cookie that holds its token."""

import asyncio
from typing import Any

import pytest

from coinbase_insights.cli_serve import known_names
from coinbase_insights.serve.app import application
from coinbase_insights.serve.board import Board
from coinbase_insights.serve.gate import Gate, Names

TOKEN = "a-secret-of-many-letters"


@pytest.mark.parametrize(
    ("name", "host", "is_known"),
    [
        ("Insights.example.com", "insights.example.com", True),
        ("insights.example.com", "insights.example.com:9000", True),
        ("insights.example.com", "insights.example.com:9000:1", False),
        ("insights.example.com", "insights.example.com:", False),
        ("insights.example.com", "insights.example.com:x", False),
        ("insights.example.com", "insights.example.com.evil.example:9000", False),
        ("insights.example.com", "evil.example:9000", False),
        ("insights.example.com:9000", "insights.example.com:9000", True),
        ("insights.example.com:9000", "insights.example.com:9001", False),
        ("insights.example.com:9000", "insights.example.com", False),
        ("insights.example.com:443", "insights.example.com", True),
        ("insights.example.com:80", "insights.example.com", True),
        ("insights.example.com", "127.0.0.1:8080", True),
        ("insights.example.com", "127.0.0.1:8081", False),
    ],
)
def test_a_name_is_one_of_any_port_or_of_the_one_that_is_said(name: str, host: str, is_known: bool) -> None:
    assert known_names("127.0.0.1", 8080, [name]).has(host) is is_known


def test_whoever_calls_it_by_another_name_is_told_how_a_name_is_given() -> None:
    assert b"--name" in through_gate({"host": "evil.example"}, begins=False)["body"]


@pytest.mark.parametrize("others", ['prefs={"a":1}', "x[]=1", "flag", "a=b c"])
def test_cookies_of_others_lock_nobody_out(others: str) -> None:
    headers = {"host": "x", "cookie": f"{others}; coinbase_insights_80={TOKEN}"}

    assert through_gate(headers)["status"] == 200


def test_the_token_of_another_port_of_the_name_is_kept_beside_ours() -> None:
    welcomed = [through_gate({"host": f"x{port}"}, f"token={TOKEN}") for port in (":9001", ":9002", "")]
    cookies = [dict(each["headers"])[b"set-cookie"].decode().partition(";")[0] for each in welcomed]

    assert cookies == [f"coinbase_insights_{port}={TOKEN}" for port in (9001, 9002, 80)]
    assert [through_gate({"host": "x:9001", "cookie": each})["status"] for each in cookies] == [200, 401, 401]


def through_gate(headers: dict[str, str], query: str = "", *, begins: bool = True) -> Any:
    """Ask for the page by the name x, and give how the answer begins, or else what it holds."""
    answers: list[Any] = []
    gate = Gate(application(Board(), None), Names(frozenset(), frozenset({"x"})), TOKEN)

    async def send(message: Any) -> None:
        answers.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "http_version": "1.1"}
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(gate(scope | {"headers": given, "scheme": "http", "root_path": ""}, receive, send))
    return answers[0 if begins else 1]
