-- The lake's tables for whoever speaks SQL, by Synapse's serverless pool: nothing is copied, and each question is paid for.
-- Put the name of the storage account in the place of ACCOUNT and run it once. Whoever asks needs Storage Blob Data Reader.
CREATE DATABASE coinbase_insights COLLATE Latin1_General_100_BIN2_UTF8;
GO
USE coinbase_insights;
GO
CREATE EXTERNAL DATA SOURCE lake WITH (LOCATION = 'https://ACCOUNT.dfs.core.windows.net/lake/coinbase');
GO
CREATE VIEW raw AS SELECT * FROM OPENROWSET(BULK 'raw', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW quotes AS SELECT * FROM OPENROWSET(BULK 'quotes', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW insights AS SELECT * FROM OPENROWSET(BULK 'insights', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW bars AS SELECT * FROM OPENROWSET(BULK 'bars', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW scores AS SELECT * FROM OPENROWSET(BULK 'scores', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW gaps AS SELECT * FROM OPENROWSET(BULK 'gaps', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW backtests AS SELECT * FROM OPENROWSET(BULK 'backtests', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
CREATE VIEW models AS SELECT * FROM OPENROWSET(BULK 'models', DATA_SOURCE = 'lake', FORMAT = 'DELTA') AS found;
GO
