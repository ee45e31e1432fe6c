"""How a command ends: whoever read it goes, the disk is full, nothing answers, or what was typed is no place."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakes import lake_of, long_walk
from site_of import PROGRAM, SilentStore


def test_work_goes_on_when_whoever_read_what_it_says_has_gone() -> None:
    program = "from coinbase_insights.cli_talk import say; say('a'); input(); say('b'); say('c'); print('worked')"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], text=True, stdin=pipe, stdout=pipe, stderr=pipe) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "a\n"
        run.stderr.close()
        assert run.communicate("\n", timeout=20)[0] == "worked\n"
        assert run.returncode == 0


def test_a_reader_that_has_read_enough_is_a_good_end(recording: Path) -> None:
    run = f'{sys.executable} -m coinbase_insights run --from "{recording}" --speed max --format json'
    script = f"{run} | head -1; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(("bash", "-c", script), capture_output=True, text=True, timeout=60, check=False)

    first, code = done.stdout.splitlines()
    assert json.loads(first)["type"] in ("status", "insight")
    assert code == "0"
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", [("--help",), ("run", "--format", "json"), ("run", "--format", "lines")])
def test_a_full_disk_under_stdout_is_said_in_a_line(arguments: tuple[str, ...], recording: Path) -> None:
    source = ("--from", str(recording), "--speed", "max") if arguments[0] == "run" else ()

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            (*PROGRAM, *arguments, *source), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )

    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "error: stdout cannot be written: No space left on device.",
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", ["verify lake", "gaps lake", "sql lake 'from raw'", "simulate --help", "verify lake --format json"]
)
def test_a_reader_who_has_read_enough_is_no_failure(words: str, tmp_path: Path) -> None:
    lake_of(tmp_path / "lake", long_walk(0.1))
    reading, writing = os.pipe()
    os.close(reading)

    typed = (*PROGRAM, *shlex.split(words))
    done = subprocess.run(typed, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stdout_that_is_closed_is_said_in_a_line() -> None:
    script = f"{sys.executable} -m coinbase_insights --help >&-"

    done = subprocess.run(("bash", "-c", script), capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no stdout to write to.\n")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("command", [("run",), ("run", "--group", "desk"), ("serve", "--port", "0")])
def test_a_broker_that_is_not_there_does_not_hold_up_the_end(command: tuple[str, ...]) -> None:
    words = (*PROGRAM, *command, "--from", "kafka://127.0.0.1:1/raw", "--for", "0.5s")
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=8)  # the broker would get 10 s
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "run --from {}",
        "serve --from {}",
        "serve --lake {}",
        "simulate {}",
        "verify {}",
        "verify {} --repair",
        "gaps {}",
        "build {}",
        "sql {} select",
        "publish {} --to duckdb:///{}",
        "ingest -p ETH-USD --to {} --url ws://127.0.0.1:1",
        "ingest -p ETH-USD --to here --journal {} --url ws://127.0.0.1:1",
        "backtest {}",
        "train {}",
        "run --model {} --demo",
        "run --record {} --url ws://127.0.0.1:1 -p ETH-USD",
    ],
)
def test_row_31_a_path_that_cannot_even_be_looked_at_is_said(words: str, tmp_path: Path) -> None:
    typed = words.format(*["x" * 300] * 2).split(" ")
    done = subprocess.run([*PROGRAM, *typed], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert (done.returncode in (2, 3, 4), "Traceback" in done.stderr, "error: " in done.stderr) == (True, False, True)


def test_a_replay_ends_when_it_is_told_to_though_where_it_is_kept_says_nothing(silent_store: SilentStore) -> None:
    with subprocess.Popen([*PROGRAM, "run", "--from", silent_store.lake], stderr=subprocess.PIPE) as process:
        silent_store.wait_until_asked()
        process.send_signal(signal.SIGTERM)
        assert b"by SIGTERM\n0 messages" in process.communicate(timeout=20)[1]
        assert process.returncode == 0


def test_ctrl_c_ends_a_command_whose_lake_says_nothing(silent_store: SilentStore) -> None:
    with subprocess.Popen([*PROGRAM, "verify", silent_store.lake]) as process:
        silent_store.wait_until_asked()
        process.send_signal(signal.SIGINT)
        assert process.wait(3) == 130
