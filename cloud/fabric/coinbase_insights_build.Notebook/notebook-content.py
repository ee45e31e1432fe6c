# Fabric notebook source

# METADATA ********************

# META {
# META   "kernel_info": {
# META     "name": "synapse_pyspark"
# META   },
# META   "dependencies": {}
# META }

# MARKDOWN ********************

# # Build the tables of a lake
#
# From `raw` to quotes, insights, bars, scores and gaps, by the rules of the live screen; it goes on where the tables end.
#
# For Synapse (Spark 3.5) and Fabric (Runtime 2.0, Spark 4.1). The rows stay on the workers; whoever is killed when, nothing is made twice.

# MARKDOWN ********************

# The package must be on the driver and on the workers: make its wheel a library of the pool (Synapse) or of the environment (Fabric), with its extra `lake`. For a try by hand, `%pip install` of the wheel in a cell of its own will do; a pipeline does not run such a cell.

# MARKDOWN ********************

# What to build. These may be set by a pipeline.

# PARAMETERS CELL ********************

import os

lake = os.environ.get("COINBASE_INSIGHTS_LAKE", "abfss://lake@ACCOUNT.dfs.core.windows.net/coinbase")
channel = os.environ.get("COINBASE_INSIGHTS_CHANNEL", "ticker_batch")
forecaster = "tilt"

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }

# MARKDOWN ********************

# The lake is written with the identity that runs the notebook: its token, which lives for about an hour, goes to the workers with their work. Elsewhere set the variables that delta-rs reads, such as `AZURE_STORAGE_ACCOUNT_KEY`.

# CELL ********************

if "notebookutils" in globals() and lake.startswith("abfss://"):
    os.environ["AZURE_STORAGE_TOKEN"] = notebookutils.credentials.getToken("storage")
elif "mssparkutils" in globals() and lake.startswith("abfss://"):
    os.environ["AZURE_STORAGE_TOKEN"] = mssparkutils.credentials.getToken("storage")

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }

# MARKDOWN ********************

# Messages to quotes and gaps: one reader, in the order of the log, here on the driver.

# CELL ********************

from coinbase_insights.lake.build import read_quotes

made = read_quotes(lake, channel)
print(made)

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }

# MARKDOWN ********************

# Quotes to insights, bars and scores: a lane for each product, on all workers.

# CELL ********************

from coinbase_insights.lake.spark import fold_on_spark, session

spark = session("local[*]")  # the one that runs, where there is one
made = fold_on_spark(spark, lake, forecaster)
print(made)

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }

# CELL ********************

for name in ("bars", "scores"):
    print(name, spark.read.format("delta").load(f"{lake}/{name}").count())

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }
