"""Lakes of made-up markets, and their rows as tests compare them."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from coinbase_insights.lake.build import AtOnce, build
from coinbase_insights.lake.delta import Delta
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.tables import BARS, GAPS, INSIGHTS, QUOTES, SCORES, Table
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Item, Lost, Message, Opened

MADE = (QUOTES, INSIGHTS, BARS, SCORES, GAPS)
Walk = tuple[list[Item], dict[str, pd.DataFrame]]
SMALL = AtOnce(700, 400)
"""Makes parts enough that one can be damaged behind another."""


def lake_of(folder: Path, items: list[Item], url: str = "") -> str:
    """A lake with these items in raw; it is in the folder, as its journal is, or at an address."""
    raw, journal = Raw(url or str(folder), create=True), Segments(folder / "journal")
    for item in items:
        journal.write(item)
    journal.sync()
    Landing(raw, folder / "journal").land(journal.durable)
    journal.close()
    return url or str(folder)


@pytest.fixture(scope="session")
def walk() -> list[Item]:
    """Three and a half hours of two products."""
    return long_walk(3.5)


@pytest.fixture(scope="session")
def walked(walk: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """That walk, and the tables that come of it at once."""
    lake = lake_of(tmp_path_factory.mktemp("walked"), walk)
    build(lake, "ticker", "tilt")
    return walk, all_rows(lake)


@pytest.fixture(scope="session")
def built(walk: list[Item], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of that walk with every table, each in several parts; to be read, or else copied."""
    lake = lake_of(tmp_path_factory.mktemp("built"), walk)
    build(lake, "ticker", "tilt", at_once=SMALL)
    return lake


def rows(lake: str, declared: Table) -> pd.DataFrame:
    """All rows of a table; in an order of their own, for that of products and lengths is not promised."""
    table = Delta(lake, declared)
    parts = [*table.rows(0, table.landed(declared.name)), table._schema.empty_table()]
    found = pa.concat_tables(parts).to_pandas()
    keys = [name for name in ("product_id", "length") if name in found.columns]
    return found.sort_values(keys, kind="stable").reset_index(drop=True)


def all_rows(lake: str) -> dict[str, pd.DataFrame]:
    return {declared.name: rows(lake, declared) for declared in MADE}


def of(table: pd.DataFrame, product_id: object, length: str = "") -> pd.DataFrame:
    found = table[table.product_id == product_id]
    return found[found.length == length] if length else found


def assert_same(these: dict[str, pd.DataFrame], those: dict[str, pd.DataFrame]) -> None:
    for name, table in these.items():
        pd.testing.assert_frame_equal(table, those[name], check_exact=True, obj=name)


BEGIN = datetime(2026, 4, 5, 22, 30, tzinfo=UTC)


def long_walk(
    hours: float, seed: int = 1, products: tuple[str, ...] = ("ETH-USD", "BTC-USD"), start: datetime = BEGIN
) -> list[Item]:
    """A quote each few seconds, a heartbeat each half a minute, and a line that breaks now and then."""
    chance = random.Random(seed)
    items: list[Item] = [Opened(ns(start), "ws://x")]
    seconds, cents, sequence = 0.0, dict.fromkeys(products, 200_000), 1
    while seconds < hours * 3600:
        seconds += chance.uniform(0.2, 8.0)
        at = start + timedelta(seconds=seconds)
        if chance.random() < 0.003:
            items += [Lost(ns(at), "closed")]
            seconds += chance.uniform(1, 200)
            at = start + timedelta(seconds=seconds)
            items += [Opened(ns(at), "ws://x")]
        product_id = chance.choice(products)
        if chance.random() < 0.2:
            text = f'{{"type":"heartbeat","product_id":"{product_id}","sequence":{sequence},"time":"{at.isoformat()}"}}'
            items.append(Message(ns(at), text.encode()))
            continue
        cents[product_id] += chance.choice((-30, -3, -1, 0, 1, 3, 30))
        sequence += 1
        bid, ask = cents[product_id], cents[product_id] + chance.randrange(1, 9)
        text = (
            f'{{"type":"ticker","sequence":{sequence},"product_id":"{product_id}","time":"{at.isoformat()}",'
            f'"best_bid":"{bid / 100:.2f}","best_bid_size":"{chance.random() * 3:.8f}",'
            f'"best_ask":"{ask / 100:.2f}","best_ask_size":"{chance.random() * 3:.8f}","price":"{bid / 100:.2f}"}}'
        )
        items.append(Message(ns(at), text.encode()))
    return items


def pulled(hours: float) -> list[Item]:
    """A market whose price goes where the larger size pulls it: here `tilt` must have skill."""
    chance, start = random.Random(5), 1_775_000_000
    items: list[Item] = [Opened(start * 10**9, "ws://x")]
    cents, side = 2_000_000, 0.5
    for number in range(int(hours * 3600 / 5)):
        seconds = start + 5 * number
        if number % 24 == 0:
            side = chance.choice((0.1, 0.9))
        cents += round(40 * (side - 0.5)) + chance.randrange(-5, 6)
        at = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}Z"
        text = (
            f'{{"type":"ticker","sequence":{number + 1},"product_id":"ETH-USD","time":"{at}","price":"1",'
            f'"best_bid":"{cents / 100:.2f}","best_bid_size":"{side:.8f}",'
            f'"best_ask":"{(cents + 2) / 100:.2f}","best_ask_size":"{1 - side:.8f}"}}'
        )
        items.append(Message(seconds * 10**9, text.encode()))
    return items


def ns(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1000
