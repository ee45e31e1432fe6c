"""The commands as a person types them: what they print where, and how they end."""

import json
import os
import socket
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

import coinbase_insights
from coinbase_insights.log.journal import encode
from coinbase_insights.message import Message
from frames import START, heartbeat, rfc3339, ticker

PROGRAM = (sys.executable, "-m", "coinbase_insights")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:

    return subprocess.run(
        (*PROGRAM, *arguments),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Five minutes of ETH-USD: a heartbeat each second, a quote each five."""
    path = tmp_path / "eth.rec"
    lines = []
    for second in range(300):
        moment = START + timedelta(seconds=second)
        frames = [heartbeat(second, time=rfc3339(moment))]
        if second % 5 == 1:
            frames.append(ticker(second, time=rfc3339(moment + timedelta(seconds=0.25))))
        received_at = int(moment.timestamp()) * 10**9 + 300_000_000
        lines += [encode(Message(received_at, json.dumps(frame).encode())) for frame in frames]
    path.write_bytes(b"".join(lines))
    return path


def test_help_names_every_command() -> None:
    done = command("--help")

    assert done.returncode == 0
    assert all(name in done.stdout for name in ("run", "demo", "simulate", "products", "backtest"))


def test_version_is_that_of_the_package() -> None:
    done = command("--version")

    assert (done.returncode, done.stdout) == (0, f"coinbase_insights {coinbase_insights.__version__}\n")


def test_the_version_stands_the_same_in_both_places() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())

    assert project["project"]["version"] == coinbase_insights.__version__


def test_json_has_one_insight_for_each_quote_and_talk_is_on_stderr(recording: Path) -> None:
    done = command("run", "--from", str(recording), "--speed", "max", "--format", "json")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert sum(line["type"] == "insight" for line in lines) == 60
    assert lines[-1]["state"] == "ENDED"
    assert done.stderr == "360 messages: 60 quotes, 0 missed, 0 reconnects\n"


def test_a_pipe_gets_plain_lines_without_any_escape(recording: Path) -> None:
    done = command("run", "--from", str(recording), "--speed", "max")

    assert done.returncode == 0
    assert done.stdout.count(" ETH-USD bid ") == 60
    assert "\x1b" not in done.stdout + done.stderr


def test_a_reader_that_has_read_enough_is_a_good_end(recording: Path) -> None:
    run = f'{sys.executable} -m coinbase_insights run --from "{recording}" --speed max --format json'
    script = f"{run} | head -1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(("bash", "-c", script), capture_output=True, text=True, timeout=60, check=False)

    first, code = done.stdout.splitlines()
    assert json.loads(first)["type"] in ("status", "insight")
    assert code == "0"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("run",), "run needs a product", "--product-id ETH-USD"),
        (("run", "-p", "eth-usd"), "'eth-usd' is not a product id", "Did you mean ETH-USD?"),
        (("run", "-p", "../../x"), "'../../x' is not a product id", "look like ETH-USD"),
        (("run", "-p", "ETH-USD", "--for", "soon"), "'soon' is not a duration", "90s, 15m"),
        (("run", "-p", "ETH-USD", "--url", "http://x"), "'http://x' is no address of a feed", "wss://HOST"),
        (("run", "--from", "nowhere.rec"), "There is no recording nowhere.rec", "--record"),
        (("run", "--from", "x.rec", "--speed", "fast"), "'fast' is not a speed", "max"),
        (("run", "--from", "x.rec", "--record", "y.rec"), "--from plays a recording", "Leave one of them out"),
        (("simulate", "--faults", "close=1001@100 duplikate/10"), "duplikate", "duplicate"),
        (("demo", "--speed", "max"), "at up to 60 times", ""),
        (("backtest", "nowhere.rec"), "There is no recording nowhere.rec", "--record"),
    ],
)
def test_wrong_usage_is_said_in_one_line_with_a_hint(arguments: tuple[str, ...], message: str, hint: str) -> None:
    done = command(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert hint in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize("arguments", [("run", "--nonsense"), ("run", "--format", "xml"), ("nonsense",)])
def test_what_the_command_line_does_not_know_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = command(*arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        done = command("simulate", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 2
    assert "cannot be listened on" in done.stderr
    assert "--port" in done.stderr


def test_products_come_from_the_exchange(tmp_path: Path) -> None:
    simulator = subprocess.Popen((*PROGRAM, "simulate", "--port", "0"), stderr=subprocess.PIPE, text=True)
    assert simulator.stderr is not None
    try:
        url = simulator.stderr.readline().split()[2]

        done = command("products", "--quote", "usd", "--format", "json", COINBASE_INSIGHTS_URL=url)
    finally:
        simulator.terminate()
        simulator.stderr.close()
        simulator.wait(10)

    listed = [json.loads(line)["product_id"] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert "ETH-USD" in listed
    assert all(name.endswith("-USD") for name in listed)
    assert simulator.returncode == 0


def test_products_that_cannot_be_had_are_said_in_a_line() -> None:
    done = command("products", "--url", "ws://127.0.0.1:9")

    assert done.returncode == 1
    assert done.stderr.startswith("error: http://127.0.0.1:9 did not give the list of products")


def test_the_demo_needs_no_network_and_says_that_it_is_simulated() -> None:
    done = command("demo", "--for", "4s", "--format", "json")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert any(line.get("state") == "SIMULATED" for line in lines)
    assert any(line["type"] == "insight" and line["product_id"] == "ETH-USD" for line in lines)


def test_what_is_recorded_plays_again_with_the_same_insights(tmp_path: Path) -> None:
    path = tmp_path / "demo.rec"
    live = command("demo", "--for", "5s", "--speed", "20", "--format", "json", "--record", str(path))

    again = command("run", "--from", str(path), "--speed", "max", "--format", "json")

    first, second = (
        [line for line in done.stdout.splitlines() if '"type":"insight"' in line] for done in (live, again)
    )
    assert first
    assert second[: len(first)] == first


def test_backtest_is_a_table_of_all_forecasters(recording: Path) -> None:
    done = command("backtest", str(recording), "--format", "json")

    rows = {row["forecaster"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0
    assert set(rows) == {"last", "trend", "tilt"}
    assert rows["last"]["mae_ratio"] == 1.0
    assert rows["tilt"]["scored"] == 47
