/* hot items
DuckDB counts per 2-second pane first, then each pane in its five windows: quicker than the rows of a HOP.
duckdb
WITH panes AS (
  SELECT auction, epoch_ms(dateTime) // 2000 AS pane, count(*) AS bids FROM bid GROUP BY ALL
), counts AS (
  SELECT auction, pane - step AS start, sum(bids)::BIGINT AS num FROM panes, range(5) AS steps(step) GROUP BY ALL
)
SELECT auction, num FROM counts
JOIN (SELECT start, max(num) AS maxn FROM counts GROUP BY start) AS highest USING (start)
WHERE num >= maxn */
SELECT AuctionBids.auction, AuctionBids.num
FROM (
  SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
) AS AuctionBids
JOIN (
  SELECT MAX(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime
  FROM (
    SELECT COUNT(*) AS num, window_start AS starttime, window_end AS endtime
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  ) AS CountBids
  GROUP BY CountBids.starttime, CountBids.endtime
) AS MaxBids
ON AuctionBids.starttime = MaxBids.starttime AND AuctionBids.endtime = MaxBids.endtime
  AND AuctionBids.num >= MaxBids.maxn
