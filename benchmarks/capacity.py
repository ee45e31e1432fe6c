"""What it takes to collect every product for a year: measured on recordings, multiplied, written into docs/cost.md.

python -m benchmarks.capacity              write the page's tables from capacity.json and from the page's prices
python -m benchmarks.capacity --measure    measure capacity.json anew first, on the recordings in ../shared/data
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from coinbase_insights.engine.model import untrained
from coinbase_insights.lake.analyse import analyse
from coinbase_insights.lake.delta import COMPACTED_LEVEL
from coinbase_insights.lake.landing import Landing
from coinbase_insights.lake.parquet import to_parquet
from coinbase_insights.lake.quotes import Reading
from coinbase_insights.lake.raw import Raw
from coinbase_insights.lake.rows import rows as rows_of
from coinbase_insights.lake.tables import INSIGHTS, QUOTES, RAW
from coinbase_insights.log.journal import encode, read
from coinbase_insights.log.segments import Segments
from coinbase_insights.message import Message
from coinbase_insights.wire.label import label

from .row import best

ROOT = Path(__file__).parents[1]
PAGE, MEASURED, DATA = ROOT / "docs/cost.md", ROOT / "benchmarks/capacity.json", ROOT.parent / "shared/data"
BATCH = "exchange_2026-04-05_BTC-USD_ticker_batch_derived.rec"
TICKER = "advanced_2026-04-05_BTC-USD_ticker.rec"
TEN = "exchange_2021-04-17_10_products.rec"
RECORDINGS = {"ticker_batch": (BATCH, "ticker"), "ticker": (TICKER, "ticker"), "level2": (TEN, "level2_batch")}
MANY = 100_000
"""Lines that are written to see what one costs: a recording over and over."""
DAY, YEAR, MONTH = 86_400, 365 * 86_400, 365 * 86_400 / 12
GB = 1e9


class Kind(NamedTuple):
    """What was measured of the messages of a channel."""

    recording: str
    messages: int
    busiest: float
    """Messages a second of the busiest product of the recording."""
    bytes: float
    """Of a message as the exchange sends it, and in the lake's `raw`."""
    raw: float
    quotes: float
    """How many a message brings."""
    ingest: float
    """Microseconds of CPU from a frame to the journal and the lake."""
    reading: float
    """Microseconds of CPU from `raw` to quotes."""


class Measured(NamedTuple):
    """Everything that was measured."""

    kinds: dict[str, Kind]
    share: float
    """The messages of an average product of ten, of those of the busiest."""
    level2_share: float
    quote_bytes: float
    """Of a quote, with its insight, in the lake."""
    folding: float
    """Microseconds of CPU from a quote to its insight."""


class Need(NamedTuple):
    """What so many products need."""

    messages: float
    """A second."""
    quotes: float
    line: float
    """Megabit a second from the exchange."""
    raw: float
    """GB a year."""
    tables: float
    ingest: float
    """Cores."""
    build: float
    """CPU seconds for an hour of messages."""
    units: int
    """Throughput units of Event Hubs."""


def need(measured: Measured, channel: str, products: int) -> Need:
    """Multiply: messages by products, plus a heartbeat a second for each product."""
    kind, beat = measured.kinds[channel], measured.kinds["heartbeat"]
    rate = products * _rate(measured, channel, products)
    quotes = rate * kind.quotes
    line = rate * kind.bytes + products * beat.bytes
    return Need(
        rate + products,
        quotes,
        line * 8 / 1e6,
        (rate * kind.raw + products * beat.raw) * YEAR / GB,
        quotes * measured.quote_bytes * YEAR / GB,
        (rate * kind.ingest + products * beat.ingest) / 1e6,
        3600 * (rate * kind.reading + products * beat.reading + quotes * measured.folding) / 1e6,
        max(1, ceil((rate + products) / 1000), ceil(line / 1e6)),
    )


def _rate(measured: Measured, channel: str, products: int) -> float:
    """Messages a second of a product: one alone is taken for the busiest; of `ticker_batch` each may send as many."""
    busiest = measured.kinds[channel].busiest
    shares = {"ticker_batch": 1.0, "ticker": measured.share, "level2": measured.level2_share}
    return busiest if products == 1 else busiest * shares[channel]


def monthly(need: Need, price: dict[str, float]) -> dict[str, float]:
    """What a month costs after a year of collecting, each way as a whole: sums of prices of the page times needs."""
    hours = MONTH / 3600
    storage = (need.raw + need.tables) * price["storage_gb_month"]
    machine = price["machine_hour"] * hours + price["logs_gb_month"] * price["logs_gb"]
    doors = price["private_endpoints"] * (price["private_endpoint_hour"] * hours + price["zone_month"])
    broker = need.units * price["throughput_unit_hour"] * hours + need.messages * MONTH / 1e6 * price["million_events"]
    spark = (
        hours * (price["spark_minutes"] / 60 + need.build / 3600) * price["spark_vcores"] * price["spark_vcore_hour"]
    )
    everything = storage + need.units * (machine + doors + price["registry_month"]) + broker
    return {"storage": storage, "one machine": storage + machine, "azd up": everything, "Synapse": everything + spark}


def measure() -> Measured:
    """Measure every kind of message, and what a quote takes in the lake."""
    kinds = {channel: _kind(name, wanted, channel) for channel, (name, wanted) in RECORDINGS.items()}
    beat = _kind(BATCH, "heartbeat", "ticker_batch")
    quotes = _quotes(TICKER, "ticker")
    alone = quotes.filter(pa.compute.equal(quotes["product_id"], quotes["product_id"][0]))
    product_id, model = alone["product_id"][0].as_py(), untrained("tilt")
    insights = analyse(product_id, alone, model, None).insights
    sizes = [len(to_parquet([table], declared, COMPACTED_LEVEL)[0]) for table, declared in
             ((alone, QUOTES), (insights, INSIGHTS))]  # fmt: skip
    folding = best(lambda: _cpu(lambda: analyse(product_id, alone, model, None))) / len(alone)
    shares = [_share(wanted) for wanted in ("ticker", "level2_batch")]
    return Measured(kinds | {"heartbeat": beat}, *shares, sum(sizes) / len(alone), folding * 1e6)


def _kind(name: str, wanted: str, channel: str) -> Kind:
    items = [item for item in read(DATA / name) if isinstance(item, Message)]
    seconds = (items[-1].received_at - items[0].received_at) / 1e9
    mine = [item for item in items if label(item.data).channel == wanted and not label(item.data).snapshot]
    products = Counter(each for item in mine for each in label(item.data).products)
    lines = [encode(item) for item in mine]
    table = rows_of("journal", 0, [encode(item) for item in items], None)
    quotes = 0 if wanted == "heartbeat" else len(_quotes(name, channel))
    return Kind(
        name,
        len(mine),
        max(products.values()) / seconds,
        sum(len(item.data) for item in mine) / len(mine),
        len(to_parquet([rows_of("journal", 0, lines, None)], RAW, COMPACTED_LEVEL)[0]) / len(mine),
        quotes / len(mine),
        best(lambda: _ingested(mine)) * 1e6,
        best(lambda: _cpu(lambda: _read(table, channel))) / len(items) * 1e6,
    )


def _quotes(name: str, channel: str) -> pa.Table:
    return _read(rows_of("journal", 0, [encode(item) for item in read(DATA / name)], None), channel)


def _read(table: pa.Table, channel: str) -> pa.Table:
    reading = Reading(channel)
    reading.add(table)
    return reading.take()


def _share(wanted: str) -> float:
    """How many messages the average of the ten products has, of those of the busiest."""
    labels = [label(item.data) for item in read(DATA / TEN) if isinstance(item, Message)]
    counts = Counter(each for found in labels if found.channel == wanted for each in found.products)
    return sum(counts.values()) / len(counts) / max(counts.values())


def _ingested(items: list[Message]) -> float:
    """CPU seconds for a message to get into the journal and the lake, when many come."""
    with tempfile.TemporaryDirectory() as folder:
        raw, journal = Raw(folder, create=True), Segments(Path(folder) / "journal")

        def collect() -> None:
            for number in range(MANY):
                journal.write(items[number % len(items)])
            journal.sync()
            Landing(raw, Path(folder) / "journal").land(journal.durable)

        cpu = _cpu(collect)
        journal.close()
    return cpu / MANY


def _cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def stored() -> Measured:
    """Give what was measured last."""
    found = json.loads(MEASURED.read_text())
    return Measured(**(found | {"kinds": {name: Kind(**kind) for name, kind in found["kinds"].items()}}))


def store(measured: Measured) -> None:
    """Keep what was measured, to four digits."""
    found = measured._asdict() | {"kinds": {name: kind._asdict() for name, kind in measured.kinds.items()}}
    rounded = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.4g}"))
    MEASURED.write_text(json.dumps(rounded, indent=2) + "\n")


def prices(page: str) -> dict[str, float]:
    """Read the page's table of prices: the first column is the name, the second the number."""
    return {name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([0-9.]+) \|", page, re.MULTILINE)}


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])


def measured_table(measured: Measured) -> str:
    """Lay out what was measured."""
    heads = ("messages", "bytes each", "in `raw`", "a second, busiest product", "quotes each", "CPU of ingest",
             "CPU of reading", "measured on")  # fmt: skip
    rows = [
        [f"`{name}`", f"{kind.bytes:.0f}", f"{kind.raw:.1f}", f"{kind.busiest:.3g}", f"{kind.quotes:.2f}",
         f"{kind.ingest:.2f} us", f"{kind.reading:.1f} us", f"{kind.messages:,} of `{kind.recording}`"]
        for name, kind in measured.kinds.items()
    ]  # fmt: skip
    said = (
        f"A quote with its insight takes {measured.quote_bytes:.0f} bytes in the lake, "
        f"and {measured.folding:.2f} us to fold. "
        f"Of ten products the average one sends {measured.share:.2f} of the busiest one's messages of `ticker`, and "
        f"{measured.level2_share:.2f} of `level2`."
    )
    return f"{_table(heads, rows)}\n\n{said}"


def year_table(measured: Measured, price: dict[str, float]) -> str:
    """Lay out what one product and all products need, and what that costs."""
    heads = ("", *(f"{name}, {count:,.0f}" for count in (1, price["products"]) for name in RECORDINGS))
    cases = [need(measured, name, round(count)) for count in (1, price["products"]) for name in RECORDINGS]
    costs = [monthly(case, price) for case in cases]
    rows = [
        ["messages a second", *(f"{case.messages:,.1f}" for case in cases)],
        ["quotes a second", *(f"{case.quotes:,.1f}" for case in cases)],
        ["line, Mbit/s", *(f"{case.line:.3g}" for case in cases)],
        ["`raw`, GB a year", *(f"{case.raw:,.1f}" for case in cases)],
        ["quotes and insights, GB a year", *(f"{case.tables:,.1f}" for case in cases)],
        ["cores for ingest", *(f"{case.ingest:.2g}" for case in cases)],
        ["build of an hour, CPU seconds", *(f"{case.build:,.1f}" for case in cases)],
        ["throughput units", *(f"{case.units}" for case in cases)],
        ["storage, a month", *(f"{cost['storage']:,.0f}" for cost in costs)],
        ["**one machine, a month**", *(f"**{cost['one machine']:,.0f}**" for cost in costs)],
        ["one machine, the first year", *(f"{_first_year(cost, 'one machine'):,.0f}" for cost in costs)],
        ["**`azd up`, a month**", *_through_broker("azd up", costs, "**{:,.0f}**")],
        ["`azd up`, the first year", *_through_broker("azd up", costs, "{:,.0f}", _first_year)],
        ["**`azd up` with Synapse, a month**", *_through_broker("Synapse", costs, "**{:,.0f}**")],
    ]
    return _table(heads, rows)


def _first_year(cost: dict[str, float], way: str) -> float:
    """Twelve months, with half of the storage, for it fills evenly."""
    return 12 * (cost[way] - cost["storage"] / 2)


def _through_broker(
    way: str,
    costs: list[dict[str, float]],
    form: str,
    of: Callable[[dict[str, float], str], float] = lambda cost, way: cost[way],
) -> list[str]:
    """Give a sum of each case; none of level2, for its books are larger than a message of the broker may be."""
    channels = list(RECORDINGS) * (len(costs) // len(RECORDINGS))
    return [
        "no" if name == "level2" else form.format(of(cost, way)) for name, cost in zip(channels, costs, strict=True)
    ]


def written(page: str, measured: Measured) -> str:
    """Give the page with its tables brought up to date."""
    tables = {"measured": measured_table(measured), "year": year_table(measured, prices(page))}
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by benchmarks/capacity.py -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Measure if asked, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description="What every product takes.")
    parser.add_argument("--measure", action="store_true", help="measure anew; nothing else should run meanwhile")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where the page is not up to date")
    arguments = parser.parse_args()
    if arguments.measure:
        store(measure())
    page = PAGE.read_text()
    made = written(page, stored())
    if arguments.check and made != page:
        sys.exit("error: docs/cost.md is not up to date\nhint: python -m benchmarks.capacity")
    if not arguments.check:
        PAGE.write_text(made)


if __name__ == "__main__":
    main()
