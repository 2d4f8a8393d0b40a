/* duckdb
WITH e AS (SELECT *, time_bucket(INTERVAL 1 MINUTE, ts) AS s FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')), a AS (SELECT s, k, count(*) AS c FROM e GROUP BY ALL), b AS (SELECT s, k, max(v) AS m FROM e WHERE n = 7 GROUP BY ALL)
SELECT a.s, a.k, c, m FROM a LEFT JOIN b ON a.s = b.s AND a.k = b.k */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.window_start, a.k, c, m FROM (
  SELECT window_start, window_end, k, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, k
) a LEFT JOIN (
  SELECT window_start, window_end, k, MAX(v) AS m FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE n = 7 GROUP BY window_start, window_end, k
) b ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.k = b.k;
