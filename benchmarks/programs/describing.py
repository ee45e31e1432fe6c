"""The descriptive figures alone, by others: `python -m benchmarks.programs.describing polars|pandas|duckdb LAKE OUT`.

From the files of `quotes` to a Parquet file with mid-price, spread, largest spread so far, and the mean mid-price over
1, 5 and 15 minutes with the number of quotes: a part of what `build` makes of the same rows.
"""

import json
import resource
import sys
import time

from deltalake import DeltaTable

WINDOWS = {"1m": 60, "5m": 300, "15m": 900}


def by_polars(files: list[str], out: str) -> None:
    """Rolling means by time, each product on its own."""
    import polars as pl

    mid = (pl.col("best_bid").cast(pl.Float64) + pl.col("best_ask").cast(pl.Float64)) / 2
    spread = pl.col("best_ask").cast(pl.Float64) - pl.col("best_bid").cast(pl.Float64)
    quotes = pl.read_parquet(files, columns=["product_id", "time", "best_bid", "best_ask"])
    quotes = quotes.sort("product_id", "time").select("product_id", "time", mid.alias("mid"), spread.alias("spread"))
    means = [
        pl.col("mid").rolling_mean_by("time", f"{length}s").over("product_id").alias(f"mean_{name}")
        for name, length in WINDOWS.items()
    ]
    one = pl.col("mid").is_not_null().cast(pl.Int32)
    counts = [
        one.rolling_sum_by("time", f"{length}s").over("product_id").alias(f"quotes_{name}")
        for name, length in WINDOWS.items()
    ]
    largest = pl.col("spread").cum_max().over("product_id").alias("max_spread")
    quotes.with_columns(*means, *counts, largest).write_parquet(out)


def by_pandas(files: list[str], out: str) -> None:
    """Rolling windows by time, each product on its own."""
    import pandas as pd

    names = ["product_id", "time", "best_bid", "best_ask"]
    quotes = pd.concat([pd.read_parquet(file, columns=names) for file in files])
    quotes = quotes.sort_values(["product_id", "time"]).set_index("time")
    bids, asks = quotes.best_bid.astype(float), quotes.best_ask.astype(float)
    quotes["mid"], quotes["spread"] = (bids + asks) / 2, asks - bids
    quotes = quotes.drop(columns=["best_bid", "best_ask"])
    groups = quotes.groupby("product_id", sort=False)
    for name, length in WINDOWS.items():
        windows = groups.mid.rolling(f"{length}s")
        quotes[f"mean_{name}"], quotes[f"quotes_{name}"] = windows.mean().to_numpy(), windows.count().to_numpy()
    quotes["max_spread"] = groups.spread.cummax()
    quotes.reset_index().to_parquet(out)


def by_duckdb(files: list[str], out: str) -> None:
    """Window functions over a range of time."""
    import duckdb

    windows = ", ".join(
        f"avg(mid) over w{name} as mean_{name}, count(*) over w{name} as quotes_{name}" for name in WINDOWS
    )
    ranges = ", ".join(
        f"w{name} as (partition by product_id order by time range between {length * 1_000_000 - 1} preceding "
        "and current row)"
        for name, length in WINDOWS.items()
    )
    duckdb.sql(
        f"""copy (
            with q as (
                select product_id, epoch_us(time) as time, (best_bid::double + best_ask::double) / 2 as mid,
                    best_ask::double - best_bid::double as spread from read_parquet({files})
            )
            select *, {windows}, max(spread) over (partition by product_id order by time) as max_spread
            from q window {ranges}
        ) to '{out}' (format parquet)"""
    )


def main() -> None:
    """Measure one of them."""
    files = DeltaTable(f"{sys.argv[2]}/quotes").file_uris()
    began, cpu = time.monotonic(), time.process_time()
    {"polars": by_polars, "pandas": by_pandas, "duckdb": by_duckdb}[sys.argv[1]](files, sys.argv[3])
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory}))


main()
