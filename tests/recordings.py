"""What was recorded, for tests that play it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from coinbase_insights.log.journal import encode
from coinbase_insights.message import Message
from frames import START, heartbeat, rfc3339, ticker


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
