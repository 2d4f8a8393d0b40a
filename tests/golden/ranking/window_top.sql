/* duckdb
WITH e AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')), w AS (SELECT *, time_bucket(INTERVAL 10 MINUTE, ts) AS s FROM e), g AS (SELECT s, k, n, sum(v) AS t FROM w GROUP BY ALL),
r AS (SELECT *, row_number() OVER (PARTITION BY s, k ORDER BY t DESC NULLS LAST, n) AS p FROM g) SELECT s, k, n, t, p FROM r WHERE p <= 2 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, k, n, t, p FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY t DESC, n) AS p FROM (
    SELECT window_start, window_end, k, n, SUM(v) AS t FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' MINUTE)) GROUP BY window_start, window_end, k, n
  )
) WHERE p <= 2;
