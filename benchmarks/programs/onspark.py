"""Build lakes on Spark and tell the seconds: `onspark.py MASTER FOLDER`, in an environment that has Spark.

The folder holds the lakes warm, few and many. Range windows in SQL are asked for a part of the figures of `few`: the
mean mid-price and the number of quotes over 1, 5 and 15 minutes, and the largest spread so far.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable

from pyspark.sql import SparkSession

from coinbase_insights.lake.spark import fold_on_spark, session

WINDOWS = {"1m": 60, "5m": 300, "15m": 900}


def by_windows(spark: SparkSession, lake: str) -> None:
    """Write the figures as Parquet."""
    spark.read.format("delta").load(f"{lake}/quotes").createOrReplaceTempView("quotes")
    means = ", ".join(
        f"avg(mid_price) over (w range between {seconds * 1_000_000 - 1} preceding and current row) as mean_{name}, "
        f"count(*) over (w range between {seconds * 1_000_000 - 1} preceding and current row) as quotes_{name}"
        for name, seconds in WINDOWS.items()
    ).replace("(w range", "(partition by product_id order by time range")
    spark.sql(
        f"select product_id, time, mid_price, {means}, max(spread) over (partition by product_id order by time) from "
        "(select product_id, unix_micros(time) as time, cast(best_bid + best_ask as double) / 2 as mid_price, "
        "cast(best_ask - best_bid as double) as spread from quotes)"
    ).write.parquet(f"{lake}/windows")


def seconds(work: Callable[..., object], *arguments: object) -> float:
    """How long it takes."""
    began = time.monotonic()
    work(*arguments)
    return time.monotonic() - began


def main() -> None:
    """Measure each; what is built is removed again, so that another master may begin anew."""
    master, folder = sys.argv[1:]
    spark = session(master)
    took = {}
    for name in ("warm", "few", "many"):
        took[name] = seconds(fold_on_spark, spark, f"{folder}/{name}", "tilt")
        for made in ("insights", "bars", "scores", "_memory"):
            shutil.rmtree(f"{folder}/{name}/{made}")
    if master != "local[1]":
        by_windows(spark, f"{folder}/warm")
        took["windows"] = seconds(by_windows, spark, f"{folder}/few")
    print(json.dumps(took))


main()
