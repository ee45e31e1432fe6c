"""The second step of a build on Spark: quotes to insights, bars and scores, each product on its own, by the same rules.

    quotes of the lake, read by Delta's jars -> one lane a product, in its order -> analyse -> parts, written where they
    were made -> one commit for each table, by whoever has called

So the tables are those that the local engine makes, and either engine goes on where the other ended. What is known of
a product travels as bytes; the rows never leave the workers. `mapInArrow` streams and is in Spark 3.5 as in 4.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ..engine.model import Model, untrained
from ..errors import UsageError
from .analyse import analyse, folded, refuse_other
from .build import decode, encode, fold_quotes
from .compact import LARGE_ROWS
from .delta import Delta, Written, write_part
from .parts import Part
from .place import place
from .reaching import table_url
from .step import Progress, Step
from .tables import BARS, INSIGHTS, QUOTES, SCORES, schema

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row, SparkSession

JARS = {
    "3.5": "io.delta:delta-spark_2.12:3.2.1",
    "4.0": "io.delta:delta-spark_4.0_2.13:4.2.0",
    "4.1": "io.delta:delta-spark_4.1_2.13:4.2.0",
}
"""Delta for each Spark, from Maven Central; Azure's Sparks have it already."""
KAFKA = {
    "3.5": "org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7",
    "4.0": "org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0",
    "4.1": "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1",
}
"""What reads topics, for `spark/streaming.py`; Azure's Sparks have this too."""
SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.databricks.delta.snapshotPartitions": "2",  # Our logs are short: 50, as is usual, cost seconds.
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
AT_ONCE = 50_000
"""Rows that are analysed at a time, which bounds the memory of a worker."""
NEEDED = [name for name in schema(QUOTES).names if name != "sequence"]
FOUND = "what string, product_id string, first long, rows long, size long, data binary"
"""What a lane tells: a part of insights that it has written, or rows of bars or scores, or what is remembered."""
KEYS = ("AZURE_", "AWS_")
"""Variables that an object store reads; workers need them as well."""


class Work(NamedTuple):
    """What a worker must know."""

    lake: str
    model: Model
    memories: dict[str, bytes]
    firsts: dict[str, int]
    """Where the insights of each product begin in their table."""
    keys: dict[str, str]


def session(master: str, *, reads_topics: bool = False) -> "SparkSession":
    """Give the session that runs already, as in a notebook, or start one with Delta's jars, and Kafka's if asked.

    Raises UsageError when there is no Java, or when we know of no Delta for this Spark.
    """
    import pyspark
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    version = ".".join(pyspark.__version__.split(".")[:2])
    if version not in JARS:
        raise UsageError(
            f"There is no Delta for Spark {pyspark.__version__} that we know of.", f"Use {', '.join(JARS)}."
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("coinbase_insights").master(master)
    jars = JARS[version] + (f",{KAFKA[version]}" if reads_topics else "")
    for name, value in {**SETTINGS, "spark.jars.packages": jars}.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except PySparkException as error:
        raise UsageError(f"Spark does not start: {error}.", "It needs Java 17; see what it has said above.") from error
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def fold_on_spark(
    spark: "SparkSession", lake: str, forecaster: str | Model, tell: Callable[[Progress], None] = lambda _: None
) -> dict[str, int]:
    """Bring insights, bars and scores up to what `quotes` holds; give how many rows are new. Raises as `build`."""
    if "://" in lake and not lake.startswith(("abfss://", "abfs://", "s3a://", "gs://", "file://")):
        raise UsageError(f"Spark does not know the address {lake}.", "Name the lake as abfss://CONTAINER@ACCOUNT/...")
    step = Step(lake, "insights")
    if step.next is not None:  # Killed between two commits: the same rows once more, up to the same place.
        fold_quotes(lake, forecaster, tell, until=step.next)
        step = Step(lake, "insights")
    quotes = Delta(lake, QUOTES)
    end = quotes.landed(QUOTES.name)
    if step.done == end:
        return step.new
    remembered = step.remembered()
    memories = {} if remembered is None else decode(remembered)
    model = forecaster if isinstance(forecaster, Model) else untrained(forecaster)
    for memory in memories.values():
        refuse_other(memory, model)
    rows = _new_rows(spark, quotes, memories, step.done)
    counts: dict[str, int] = dict(rows.groupBy("product_id").count().toLocalIterator())
    firsts, at = {}, step.ends[0]
    for product_id in sorted(counts):
        firsts[product_id], at = at, at + counts[product_id]
    keys = {name: value for name, value in os.environ.items() if name.startswith(KEYS)}
    work = Work(str(lake), model._replace(learned=dict(model.learned)), memories, firsts, keys)
    began = time.monotonic()
    found = (
        _in_lanes(spark, rows, sorted(counts, key=lambda each: -counts[each]))
        .sortWithinPartitions("product_id", "number")
        .select(*NEEDED)
        .mapInArrow(lambda batches: _lane(work, batches), FOUND)
        .collect()
    )
    memories |= {row.product_id: bytes(row.data) for row in found if row.what == "memory"}
    late = tuple(sorted(row.product_id for row in found if row.what == "late"))
    begun = step.done
    step.commit(end, (_parts(found), _tables(found, "bars"), _tables(found, "scores")), encode(memories))
    tell(Progress("quotes", begun, end, end, time.monotonic() - began, late))
    step.end()
    return step.new


def _new_rows(spark: "SparkSession", quotes: Delta, memories: dict[str, bytes], done: int) -> "DataFrame":
    """Give the quotes that are not folded yet, of the version of the table that we have seen."""
    from pyspark.sql import functions

    url = table_url(quotes.lake, QUOTES)
    rows = spark.read.format("delta").option("versionAsOf", quotes.version).load(url)
    first = next((part.first for part in quotes.parts() if part.end > done), done)
    rows = rows.where(functions.col("_metadata.file_name") >= f"{QUOTES.name}-{first:020d}")
    known = {product_id: folded(memory) for product_id, memory in memories.items()}
    if not known:
        return rows
    return rows.where(functions.col("number") >= functions.coalesce(_by_product(known), functions.lit(0)))


def _by_product(values: dict[str, int]) -> "Column":
    from pyspark.sql import functions

    pairs = [functions.lit(each) for pair in values.items() for each in pair]
    return functions.create_map(*pairs)[functions.col("product_id")]


def _in_lanes(spark: "SparkSession", rows: "DataFrame", products: list[str]) -> "DataFrame":
    """Send each product to a lane of its own, the largest first; hashed by name, some would share one."""
    from pyspark.sql import functions

    lanes = len(products)
    keys = spark.range(40 * lanes + 100).selectExpr("id", f"pmod(hash(id), {lanes}) as lane").collect()
    of_lane = {row.lane: row.id for row in reversed(keys)}
    lane = _by_product({product_id: of_lane[number] for number, product_id in enumerate(products)})
    return rows.withColumn("lane", lane.cast("long")).repartition(lanes, functions.col("lane"))


def _lane(work: Work, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On a worker: fold the quotes that come, a product after the other."""
    os.environ.update(work.keys)
    for product_id, tables in groupby(_pieces(batches), key=lambda table: table.column("product_id")[0].as_py()):
        yield _product(work, product_id, tables)


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Give the rows that come in pieces of one product each, none larger than AT_ONCE."""
    declared = pa.schema([schema(QUOTES).field(name) for name in NEEDED])
    held: list[pa.Table] = []
    for batch in batches:
        for table in _runs(pa.Table.from_batches([batch]).cast(declared)):
            is_other = bool(held) and held[0].column("product_id")[0] != table.column("product_id")[0]
            if is_other or sum(len(each) for each in held) + len(table) > AT_ONCE:
                yield pa.concat_tables(held)
                held = []
            held.append(table)
    if held:
        yield pa.concat_tables(held)


def _runs(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table where its product changes."""
    runs = pa.compute.run_end_encode(table.column("product_id").combine_chunks())
    first = 0
    for end in runs.run_ends.to_pylist():
        yield table.slice(first, end - first)
        first = end


def _product(work: Work, product_id: str, tables: Iterable[pa.Table]) -> pa.RecordBatch:
    """Fold all new quotes of a product; tell what was written, what is to be, and what is remembered."""
    told: list[tuple[str, str, int, int, int, bytes]] = []
    memory = work.memories.get(product_id)

    def insights() -> Iterator[pa.Table]:
        nonlocal memory
        for rows in tables:
            found = analyse(product_id, rows, work.model, memory)
            memory = found.memory
            if found.is_late:
                told.append(("late", product_id, 0, 0, 0, b""))
            for what, made in (("bars", found.bars), ("scores", found.scores)):
                if len(made):
                    told.append((what, product_id, 0, len(made), 0, _to_bytes(made)))
            yield found.insights

    stream, first = insights(), work.firsts[product_id]
    folder = place(table_url(work.lake, INSIGHTS))
    while written := write_part(folder, INSIGHTS, INSIGHTS.name, first, islice(stream, LARGE_ROWS // AT_ONCE)):
        part, size = written
        told.append(("part", product_id, part.first, part.rows, size, part.digest.encode()))
        first = part.end
    told.append(("memory", product_id, 0, 0, 0, memory or b""))
    names = ("what", "product_id", "first", "rows", "size", "data")
    return pa.RecordBatch.from_pydict(dict(zip(names, map(list, zip(*told, strict=True)), strict=True)))


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _parts(found: list["Row"]) -> list[Written]:
    parts = [
        Written(Part(INSIGHTS.name, row["first"], row.rows, bytes(row.data).decode()), row.size)
        for row in found
        if row.what == "part"
    ]
    return sorted(parts)


def _tables(found: list["Row"], what: str) -> Any:  # noqa: ANN401 - pyarrow is untyped
    """Gather the rows of a table in the order of the products, those of one in the order of time."""
    rows = sorted((row for row in found if row.what == what), key=lambda row: str(row.product_id))
    declared = schema(BARS if what == "bars" else SCORES)
    return pa.concat_tables([declared.empty_table(), *(pa.ipc.open_stream(row.data).read_all() for row in rows)])
