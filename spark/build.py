"""Build the tables of a lake on Spark: python, spark-submit, or a job of Synapse (Spark 3.5) or Fabric (Runtime 2.0).

    build.py LAKE [CHANNEL]       LAKE such as abfss://lake@ACCOUNT.dfs.core.windows.net/coinbase

The package must be on the workers, as it is when its wheel is a library of the pool or of the environment.
"""

import os
import sys

from coinbase_insights.lake.build import read_quotes
from coinbase_insights.lake.spark import fold_on_spark, session

lake, channel = sys.argv[1], (sys.argv[2:] or ["ticker_batch"])[0]
spark = session(os.environ.get("MASTER", "local[*]"))
made = read_quotes(lake, channel)
made |= fold_on_spark(spark, lake, "tilt")
print(", ".join(f"{rows:,} new {name}" for name, rows in made.items()))
