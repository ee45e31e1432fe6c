"""Build lakes on one Spark: LAKE CHANNEL [LAKE CHANNEL ...]. Tells how many rows Delta's jars read of each."""

import json
import sys

from coinbase_insights.lake.build import read_quotes
from coinbase_insights.lake.spark import fold_on_spark, session
from coinbase_insights.lake.tables import BARS, GAPS, INSIGHTS, QUOTES, RAW, SCORES

spark = session("local[2]")
told = []
for lake, channel in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    made = read_quotes(lake, channel) | fold_on_spark(spark, lake, "tilt")
    rows = {
        table.name: spark.read.format("delta").load(f"{lake}/{table.name}").count()
        for table in (RAW, QUOTES, INSIGHTS, BARS, SCORES, GAPS)
    }
    told.append({"version": spark.version, "made": made, "rows": rows})
print(json.dumps(told))
