"""Gaps: connections, heartbeats and numbers decide what is missing, and never Exchange's own sequence."""

import json
import subprocess
from pathlib import Path
from typing import Any

from coinbase_insights.lake.gaps import ALL, Gap, Gaps, gaps
from coinbase_insights.lake.landing import LOG
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.rows import rows
from coinbase_insights.lake.verify import verify
from coinbase_insights.log.journal import encode
from coinbase_insights.message import Item, Lost, Message, Opened, Unstored
from lakes import lake_of
from site_of import PROGRAM

SECOND = 1_000_000


def exchange(seconds: float, kind: str = "ticker", product_id: str = "ETH-USD", sequence: int = 1) -> Message:
    return said(seconds, {"type": kind, "product_id": product_id, "sequence": sequence})


def advanced(seconds: float, number: int, channel: str = "ticker") -> Message:
    return said(seconds, {"channel": channel, "sequence_num": number, "events": []})


def said(seconds: float, message: dict[str, Any]) -> Message:
    return Message(int(seconds * 1e9), json.dumps(message).encode())


def opened(seconds: float) -> Opened:
    return Opened(int(seconds * 1e9), "ws://x")


def lost(seconds: float, reason: str = "torn") -> Lost:
    return Lost(int(seconds * 1e9), reason)


def gaps_of(*items: Item) -> list[Gap]:
    found = Gaps()
    table = rows(LOG, 0, [encode(item) for item in items], None)
    return [*found.add(table.slice(0, 3)), *found.add(table.slice(3)), *found.end()]


def test_from_the_last_message_of_a_connection_to_the_first_of_the_next_is_a_gap() -> None:
    found = gaps_of(opened(0), exchange(1), exchange(2), lost(3), lost(9, "refused"), opened(20), exchange(21))
    assert found == [Gap(5, ALL, 2 * SECOND, 21 * SECOND, "torn", None)]


def test_a_service_that_was_not_running_has_a_gap_though_nobody_said_that_the_line_was_lost() -> None:
    found = gaps_of(opened(0), exchange(1), opened(100), exchange(101))
    assert found == [Gap(2, ALL, 1 * SECOND, 101 * SECOND, "nobody was listening", None)]


def test_a_gap_that_goes_on_has_no_end() -> None:
    assert gaps_of(opened(0), exchange(1), exchange(2), lost(3)) == [Gap(0, ALL, 2 * SECOND, None, "torn", None)]


def test_the_connections_of_two_logs_of_a_lake_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    raw = Raw(str(tmp_path), create=True)
    for log, begin, count in (("journal", 900, 3), ("raw/0", 100, 2)):
        items: list[Item] = [opened(begin), *(exchange(begin + number) for number in range(1, count + 1))]
        items.append(lost(begin + 9))
        raw.land(log, 0, [rows(log, 0, [encode(item) for item in items], None)])

    assert verify(str(tmp_path), None).faults == []
    assert [(gap.start, gap.end) for gap in gaps(raw)] == [(903 * SECOND, None), (102 * SECOND, None)]


def test_heartbeats_that_stay_away_are_a_gap_of_their_product() -> None:
    beats = [exchange(second, "heartbeat", name) for second in range(1, 20) for name in ("A-USD", "B-USD")]
    kept = [beat for beat in beats if b"B-USD" in beat.data or not 4 <= beat.received_at / 1e9 <= 11]
    assert gaps_of(opened(0), *kept) == [Gap(0, "A-USD", 3 * SECOND, 12 * SECOND, "no heartbeat came", None)]


def test_a_hole_in_the_sequence_of_exchange_is_no_gap() -> None:
    assert gaps_of(opened(0), exchange(1, sequence=5), exchange(2, sequence=5000), exchange(3, sequence=9)) == []


def test_a_hole_in_the_numbers_of_advanced_trade_is_a_gap_of_so_many_messages() -> None:
    found = gaps_of(opened(0), advanced(1, 0), advanced(2, 1), advanced(3, 5), advanced(3.5, 1), advanced(4, 6))
    assert found == [Gap(0, ALL, 2 * SECOND, 3 * SECOND, "2 to 4 did not come", 3)]


def test_the_numbers_begin_anew_with_each_connection() -> None:
    found = gaps_of(opened(0), advanced(1, 0), lost(2), opened(3), advanced(4, 0), advanced(5, 1))
    assert [gap.cause for gap in found] == ["torn"]


def test_messages_that_found_no_room_are_a_gap_of_so_many() -> None:
    found = gaps_of(opened(0), exchange(1), exchange(2), Unstored(5 * 10**9, 7), exchange(5))
    assert found == [Gap(0, ALL, 2 * SECOND, 5 * SECOND, "the storage was full", 7)]


def test_verify_says_of_which_gap_the_end_is_not_known(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [Opened(1000, "ws://x"), Message(2000, b"{}"), Lost(3000, "closed", messages=1)])

    done = subprocess.run((*PROGRAM, "verify", lake), capture_output=True, text=True, check=False)

    assert done.stdout.endswith("1 gap (1 still open)\n")
