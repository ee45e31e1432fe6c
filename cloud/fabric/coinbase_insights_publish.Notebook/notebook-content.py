# Fabric notebook source

# METADATA ********************

# META {
# META   "kernel_info": {
# META     "name": "synapse_pyspark"
# META   },
# META   "dependencies": {}
# META }

# MARKDOWN ********************

# # Publish a lake to a warehouse
#
# What is new in insights, bars, scores and gaps goes into a database for analysts, exactly once, behind what is there.

# MARKDOWN ********************

# Where it goes: an address as `publish` takes it, such as `mssql://SERVER.database.windows.net/DATABASE?Authentication=ActiveDirectoryMSI`, which needs no password. For a password, name a Key Vault and its secret; the identity that runs the notebook must be allowed to read it. These may be set by a pipeline.

# PARAMETERS CELL ********************

import os

lake = os.environ.get("COINBASE_INSIGHTS_LAKE", "abfss://lake@ACCOUNT.dfs.core.windows.net/coinbase")
warehouse = os.environ.get("COINBASE_INSIGHTS_WAREHOUSE", "")
vault = ""
secret = ""

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }

# MARKDOWN ********************

# The lake is read with the identity that runs the notebook.

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

# CELL ********************

if vault:
    credentials = (globals().get("notebookutils") or mssparkutils).credentials
    where = f"https://{vault}.vault.azure.net/" if "notebookutils" in globals() else vault
    os.environ["PGPASSWORD"] = os.environ["SQLCMDPASSWORD"] = credentials.getSecret(where, secret)

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }

# CELL ********************

import subprocess
import sys

done = subprocess.run(
    [sys.executable, "-m", "coinbase_insights", "publish", lake, "--to", warehouse],
    capture_output=True,
    text=True,
    check=False,
)
print(done.stdout, done.stderr)
assert done.returncode == 0, f"publish ended with {done.returncode}"

# METADATA ********************

# META {
# META   "language": "python",
# META   "language_group": "synapse_pyspark"
# META }
