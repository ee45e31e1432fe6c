"""Row 42: what a stranger writes, on the command line or in the feed, steers no terminal and opens no file."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import frames
from exchange import Connection, Exchange, accept, refuse, talk
from faults.program import Terminal, program, run

WICKED = [
    "../../x", "/etc/passwd", "a'; drop table quotes; --", '"; rm -rf /', "$(id)", "`id`", "=cmd|' /C calc'!A0",
    "@SUM(1)", "<script>alert(1)</script>", "[bold red]x[/]", "{0}", "%s%s%s%n", "%00", "%2e%2e%2f", "ETH-USD\n",
    "\nETH-USD", "ETH-USD\r", "ETH\tUSD", "ETH-USD\x00", "\x00", "\x1b[2J", "\x1b]0;pwned\x07",
    "\x1b]52;c;cHduZWQ=\x07", "\x1bP$q\x1b\\", "\x9b2J", "\x9d0;pwned\x9c", "\x85", "\x7f", "\x08\x08\x08", "\x07",
    "\u202eDSU-HTE", "\u2066ETH-USD\u2069", "\u200fETH-USD", "ETH\u200b-USD", "ETH\u2028-USD", "\ufeffETH-USD",
    "ETH-USD\u0301", "ＥＴＨ-ＵＳＤ", "еTH-USD", "eth-usd", "ETH_USD", "ETH/USD", "ETHUSD", "ETH-", "-USD", "-", "--",
    "ETH-USD-X", "ETH--USD", " ETH-USD", "ETH-USD ", "ETH USD", "", " ", "A" * 10_000, "A-" * 5_000,
    "\x1b" * 10_000, "\ud800", "😀-USD", "ETH-USD,BTC-USD", "ETH-USD;BTC-USD", "*", "?", "~", "\\\\host\\x",
    "file:///etc/passwd", "http://127.0.0.1", "javascript:alert(1)", "ws://a\x1b[2J", "wss://a b",
    "wss://user:secret@host",
]  # fmt: skip
COMMANDS = [
    *(["run", "--format", "json", f"--product-id={text}"] for text in WICKED),
    *(["run", "--format", "json", "--product-id=ETH-USD", f"--url=wss://{text}\x1b[2J"] for text in WICKED),
    *(["run", "--format", "json", "--product-id=ETH-USD", f"--from=nowhere/{text[:100]}"] for text in WICKED),
    *(["run", "--product-id=ETH-USD", f"--format={text}"] for text in WICKED[:20]),
    *(["run", "--product-id=ETH-USD", f"--for={text}"] for text in WICKED[:20]),
    *([text] for text in WICKED[:20]),
]
DRIVER = """
import json, os, sys
from coinbase_insights import cli
os._exit = sys.exit  # an end of one command line, and not of this program
codes = []
for arguments in json.load(sys.stdin):
    sys.argv = ["coinbase_insights", *arguments]
    try:
        cli.main()
        codes.append(0)
    except SystemExit as end:
        codes.append(end.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
open("codes.json", "w").write(json.dumps(codes))
"""


def wicked_characters(data: bytes) -> list[str]:
    """All that may steer a terminal or turn text around: controls but the newline, bidirectional, invisible ones."""
    text = data.decode()
    return [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def test_row_42_wicked_words_on_the_command_line_are_refused_and_shown_harmless(tmp_path: Path) -> None:
    """More than 200 command lines in one process; none of them reaches the network or makes a file."""
    assert len(COMMANDS) > 200
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(COMMANDS).encode(), cwd=tmp_path, capture_output=True,
        env={**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    codes = json.loads((tmp_path / "codes.json").read_text())
    assert [command for command, code in zip(COMMANDS, codes, strict=True) if code != 2] == []
    assert wicked_characters(done.stdout) == []
    assert wicked_characters(done.stderr) == []
    assert b"Traceback" not in done.stderr
    assert max(map(len, done.stderr.splitlines())) < 1000
    assert [path.name for path in tmp_path.iterdir()] == ["codes.json"]


SHOWN = [text for text in WICKED if len(text) < 100 and "\ud800" not in text]
PWNED = "\x1b]0;pwned\x07\x1b[2J\x9b2J\u202epwned\n\x00[bold]"


async def wicked_feed(connection: Connection) -> None:
    """Wicked words in every text that a message, an error or a close can carry; quotes between them."""
    await connection.subscribed()
    await connection.talk(count=3)
    for text in SHOWN:
        for field in ("type", "product_id", "best_bid", "best_bid_size", "best_ask", "time", "sequence", text):
            await connection.send(json.dumps(frames.ticker(connection.exchange.sent, **{field: text})))
            await connection.send(
                json.dumps(frames.ticker(connection.exchange.sent, **{field: text}), ensure_ascii=False)
            )
        await connection.send(json.dumps({"type": text, text: text}))
    await connection.ticker()
    if connection.number % 3 == 0:
        await connection.send(frames.error(PWNED, PWNED))
        await connection.talk(count=3)
        await connection.close(1001, PWNED)
    elif connection.number % 3 == 1:
        await connection.close(4000, PWNED)
    else:
        await connection.subscribed()


@pytest.mark.parametrize("form", ["json", "lines"])
def test_row_42_wicked_words_in_the_feed_are_shown_harmless(form: str, tmp_path: Path) -> None:
    async def test() -> None:
        path = str(tmp_path / "wicked.rec")
        async with asyncio.timeout(40), Exchange(wicked_feed) as exchange:
            async with program("--verbose", *run(exchange, "--format", form, "--record", path)) as running:
                await exchange.connection(2)
                await running.quotes(7)
                running.signal(signal.SIGTERM)
                assert await running.end() == 0
            assert wicked_characters(bytes(running.stdout)) == []
            assert wicked_characters(bytes(running.stderr)) == []
            assert b"Traceback" not in running.stderr
            assert len(exchange.connections) >= 3

    asyncio.run(test())


def test_row_42_wicked_words_in_the_feed_do_not_steer_the_screen() -> None:
    async def test() -> None:
        async with asyncio.timeout(40), Exchange(wicked_feed) as exchange:
            screen = Terminal()
            process = await screen.start(*run(exchange, "--format", "screen"))
            await exchange.connection(2)
            await screen.until(b"Highest bid")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 5.0) == 0
            shown = await screen.rest()
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())  # what a screen is drawn with
        assert [c for c in wicked_characters(text.encode()) if c != "\r"] == []
        assert b"\x1b]" not in shown

    asyncio.run(test())


@pytest.mark.parametrize("answer", ["refusal", "rest", "status", "redirect"])
def test_row_42_wicked_answers_at_the_start_are_shown_harmless(answer: str) -> None:
    async def script(connection: Connection) -> None:
        await connection.subscribed(ack=False)
        await connection.send(frames.error(PWNED + " is not a valid product", PWNED))
        await connection.stall()

    async def test() -> None:
        upgrade = {
            "status": refuse(403, X_Reason="\x1b]0;pwned"),
            "redirect": refuse(302, Location="ws://\x9b2J\x9d0;pwned\x9c/"),
        }
        exchange = Exchange(script if answer == "refusal" else talk, upgrade=upgrade.get(answer, accept))
        if answer == "rest":
            product = {"id": PWNED, "status": "delisted", "status_message": PWNED, "trading_disabled": True}
            exchange.rest["/products/ETH-USD"] = (200, product)
        async with asyncio.timeout(45), exchange, program(*run(exchange, "--format", "json")) as running:
            if answer in upgrade:
                await exchange.connection(0)
                await running.until("\n")
                running.signal(signal.SIGTERM)
            await running.end(40)
        assert wicked_characters(bytes(running.stdout + running.stderr)) == []
        assert b"Traceback" not in running.stderr

    asyncio.run(test())
