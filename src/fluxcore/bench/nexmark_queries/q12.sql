/* processing time windows
Which window a bid falls in depends on when it is read; what all windows count together does not.
duckdb
SELECT bidder, count(*) AS bid_count FROM bid GROUP BY bidder */
SELECT bidder, SUM(bid_count) FROM (
  SELECT B.bidder, COUNT(*) AS bid_count,
    TUMBLE_START(B.p_time, INTERVAL '10' SECOND) AS starttime, TUMBLE_END(B.p_time, INTERVAL '10' SECOND) AS endtime
  FROM (SELECT *, PROCTIME() AS p_time FROM bid) B
  GROUP BY B.bidder, TUMBLE(B.p_time, INTERVAL '10' SECOND)
) GROUP BY bidder
