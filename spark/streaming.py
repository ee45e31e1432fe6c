"""Figures live on Spark: from a topic to a Delta table of insights, by the rules of the screen, quote after quote.

    streaming.py SERVERS TOPIC TABLE CHECKPOINT       TABLE such as abfss://lake@ACCOUNT.dfs.core.windows.net/live

`run --group` shows the same figures within a second, on processes of your own; this is for those who have a cluster.
Each share of the products is a group of Spark's, and what is known of it is the group's state, in CHECKPOINT. So it may
be killed and started again: every figure gets into TABLE once. Event Hubs is opened with the connection string in
COINBASE_INSIGHTS_CONNECTION_STRING.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from coinbase_insights.lake.spark import session
from coinbase_insights.log.shares import Shares, decode, recall, remember
from coinbase_insights.log.topic_line import item_of, line_of
from coinbase_insights.pipe import Pipe
from coinbase_insights.show.lines import to_json

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.state import GroupState

READ = (
    "partition",
    "offset",
    "value",
    "try_element_at(filter(headers, each -> each.key = 'received_at'), -1).value as received_at",
    "unix_millis(timestamp) as taken_at",
)
INSIGHTS = "offset long, product_id string, time timestamp, insight string"
"""`offset` is that of the message in the topic; `insight` a JSON line of `run`."""
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required username='$ConnectionString' password='{}';"

Fold = Callable[[tuple[int], Iterable["pd.DataFrame"], "GroupState"], Iterator["pd.DataFrame"]]


def main() -> None:
    """Read what was typed, and fold until the end; with --once until the end of what is in the topic."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("servers", "topic", "table", "checkpoint"):
        parser.add_argument(name)
    parser.add_argument("--channel", default="ticker_batch")
    parser.add_argument("--shares", type=int, default=1, help="of the products; each reads all messages")
    parser.add_argument("--most", type=int, default=50_000, help="messages at once")
    parser.add_argument("--once", action="store_true")
    words = parser.parse_args()
    spark = session(os.environ.get("MASTER", "local[*]"), reads_topics=True)
    spark.conf.set("spark.sql.shuffle.partitions", words.shares)
    figures = insights(messages(spark, words), words.channel, words.shares)
    writer = figures.writeStream.outputMode("append").option("checkpointLocation", words.checkpoint)
    writer = writer.trigger(**({"availableNow": True} if words.once else {"processingTime": "5 seconds"}))
    writer.format("delta").start(words.table).awaitTermination()


def messages(spark: "SparkSession", words: argparse.Namespace) -> "DataFrame":
    """Read the topic from its beginning on, or from where the checkpoint ends; what is gone meanwhile is an error."""
    found = spark.readStream.format("kafka").option("kafka.bootstrap.servers", words.servers)
    options = {"subscribe": words.topic, "includeHeaders": "true", "startingOffsets": "earliest"}
    if connection := os.environ.get("COINBASE_INSIGHTS_CONNECTION_STRING"):
        options |= {"kafka.security.protocol": "SASL_SSL", "kafka.sasl.mechanism": "PLAIN"}
        options |= {"kafka.sasl.jaas.config": LOGIN.format(connection), "kafka.request.timeout.ms": "60000"}
    return found.options(**options).option("maxOffsetsPerTrigger", words.most).load().selectExpr(*READ)


def insights(found: "DataFrame", channel: str, shares: int) -> "DataFrame":
    """Fold each share of the products on its own; all read all messages, since a line that breaks breaks for all."""
    copies = found.selectExpr("*", f"explode(sequence(0, {shares - 1})) as share")
    return copies.groupBy("share").applyInPandasWithState(
        fold(channel, shares), INSIGHTS, "data binary", "append", "NoTimeout"
    )


def fold(channel: str, count: int) -> Fold:
    """Make what folds the new messages of a share, in the order of the topic, behind those that it knows."""
    folded_as = f"{channel} in {count} shares"

    def fold_share(key: tuple[int], frames: Iterable["pd.DataFrame"], state: "GroupState") -> Iterator["pd.DataFrame"]:
        import pandas as pd

        rows = sorted((row for frame in frames for row in frame.itertuples(index=False)), key=lambda row: row.offset)
        if any(row.partition for row in rows):
            raise ValueError("The topic has several partitions, and so no order. Make it with one.")
        shares = Shares(count, {int(key[0])})
        pipe = Pipe(channel=channel, holds=shares.holds)
        if state.exists:
            remembered = decode(bytes(state.get[0]))
            if (before := remembered.folded_as) != folded_as:
                raise ValueError(
                    f"The checkpoint is of {before}, not of {folded_as}. Go on with that, or name a new one."
                )
            recall(pipe, remembered)
        made = []
        for row in rows:
            for product in pipe.take(item_of(line_of(row.value, row.received_at, row.taken_at))):
                insight = product.insight(pipe.counts.missed, pipe.counts.reconnects)
                made.append((row.offset, insight.product_id, insight.time, to_json(insight).decode()))
        state.update((remember(rows[-1].offset + 1, pipe, shares, key[0], folded_as),))
        table = pd.DataFrame(made, columns=["offset", "product_id", "time", "insight"])
        yield table.assign(time=pd.to_datetime(table.time, utc=True))

    return fold_share


if __name__ == "__main__":
    main()
