"""The commands as a person types them: what they print where, and how they end."""

import json
import os
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import numba
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import coinbase_insights
from coinbase_insights.engine.compiled import COMPILING
from coinbase_insights.errors import RecordingError
from coinbase_insights.feed import products
from coinbase_insights.models.backtest import Question
from coinbase_insights.models.backtest import backtest as judge_all
from coinbase_insights.models.history import grid as history_of_grid

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
        (("run", "-p", "ETH-USD", "--speed", "2"), "--speed is that of a recording", "--from"),
        (("run", "--from", "x.rec", "--feed", "exchange"), "--feed says nothing about --from", "Leave --feed"),
        (("run", "--from", "x.rec", "--url", "ws://x"), "--url says nothing about --from", "Leave --url"),
        (("run", "--from", "x.rec", "--compression"), "--compression says nothing about", "Leave --compression"),
        (("simulate", "x.rec", "--seed", "1"), "--seed says nothing about a recording", "Leave --seed"),
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


def test_without_a_word_it_shows_the_help() -> None:
    done = command()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == command("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(("-p", "BTC-USD"), "It has quotes of ETH-USD"), (("--channel", "level2"), "try --channel ticker.")],
)
def test_a_replay_without_a_quote_says_where_they_are(recording: Path, arguments: tuple[str, ...], hint: str) -> None:
    done = command("run", "--from", str(recording), "--speed", "max", *arguments)

    assert done.returncode == 0
    assert "There was no quote of " in done.stderr
    assert hint in done.stderr


def test_a_feed_that_never_came_up_is_said_at_the_end() -> None:
    done = command("run", "-p", "ETH-USD", "--url", "ws://127.0.0.1:9", "--for", "1s")

    assert done.returncode == 1
    assert "error: The feed never came up: " in done.stderr
    assert "refused" in done.stderr.splitlines()[-1]
    assert "reconnecting" not in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("answer", [b"rubbish\r\n\r\n", b'HTTP/1.0 200 OK\r\n\r\n[{"id":"\xff"}]'])
def test_an_answer_that_is_no_list_of_products_is_no_answer(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=answer_each, args=(server, answer), daemon=True)
        thread.start()
        listed = command("products", "--url", f"ws://127.0.0.1:{port}")
        checked = products.check(f"http://127.0.0.1:{port}", ("ETH-USD",))

    assert listed.returncode == 1
    assert listed.stderr.startswith(f"error: http://127.0.0.1:{port} did not give the list of products: ")
    assert checked == []


def answer_each(server: socket.socket, answer: bytes) -> None:
    for _ in range(2):
        client, _address = server.accept()
        with client:
            client.recv(65536)
            client.sendall(answer)


def grid(path: Path, **changes: object) -> Path:
    """Write a grid of 60 rows with some columns changed; None leaves one out."""
    rows = range(60)
    columns: dict[str, object] = {
        "ts": [5.0 * row for row in rows],
        "mid": [100.0 + row for row in rows],
        "seg": [1] * 60,
    }
    columns |= changes
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)
    return path


def test_a_grid_is_judged(tmp_path: Path) -> None:
    history = history_of_grid(grid(tmp_path / "g.parquet"))

    assert (history.bids[0], history.times[1]) == (1_000_000, 5_000_000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mid": None}, "it has no column mid"),
        ({"ts": ["soon"] * 60}, "its column ts holds string, not numbers"),
        ({"mid": [100.0] * 7 + [float("nan")] + [1.0] * 52}, "in column mid, row 7 "),
        ({"mid": [100.0] * 7 + [None] + [1.0] * 52}, "in column mid, row 7 "),
        ({"mid": [100.0] * 9 + [-1.0] * 51}, "in column mid, row 9 "),
        ({"mid": [1e300] * 60}, "in column mid, row 0 "),
        ({"mid": [float("inf")] * 60}, "in column mid, row 0 "),
        ({"ask": [1.0] * 60}, "in column ask, row 0 "),
        ({"ts": [5.0, 10.0, 10.0, *range(11, 68)]}, "in column ts, row 2 "),
        ({"ts": [1e300] * 60}, "in column ts, row 0 "),
        ({"seg": [float("nan")] * 60}, "in column seg, row 0 "),
        ({"obi": [2.0] * 60}, "in column obi, row 0 "),
        ({"ts": [], "mid": [], "seg": []}, "not numbers"),
    ],
)
def test_a_bad_grid_is_refused_by_its_first_bad_row(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    path = grid(tmp_path / "g.parquet", **changes)

    with pytest.raises(RecordingError, match="no 5-second grid") as caught:
        history_of_grid(path)

    assert words in caught.value.message


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "g.parquet").write_text("hello")

    with pytest.raises(RecordingError, match="cannot be read as Parquet"):
        history_of_grid(tmp_path / "g.parquet")


def test_compiling_is_told_only_while_nothing_is_compiled(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    judge_all([recording], Question(("last",)), told.append)
    (tmp_path / "fold.nbc").touch()
    judge_all([recording], Question(("last",)), told.append)

    assert [text for text in told if "message" not in text] == [COMPILING]
