-- Bars of a minute by the exchange's clock, straight from the tickers of the broker. Its columns are some of those of the lake's
-- bars (docs/reference/tables.md), without open, close and all that needs order; it drops no duplicates and knows of no gaps.
SELECT
    product_id,
    DATEADD(minute, -1, System.Timestamp()) AS start,
    MAX((CAST(best_bid AS float) + CAST(best_ask AS float)) / 2) AS high,
    MIN((CAST(best_bid AS float) + CAST(best_ask AS float)) / 2) AS low,
    AVG((CAST(best_bid AS float) + CAST(best_ask AS float)) / 2) AS mean,
    MAX(CAST(best_ask AS float) - CAST(best_bid AS float)) AS max_spread,
    COUNT(*) AS quotes
INTO bars
FROM raw TIMESTAMP BY [time]
WHERE type = 'ticker'
GROUP BY product_id, TumblingWindow(minute, 1)
