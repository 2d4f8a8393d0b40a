/* duckdb
WITH e AS (SELECT *, time_bucket(INTERVAL 1 MINUTE, ts) AS s FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')), a AS (SELECT * FROM e WHERE n < 4), b AS (SELECT * FROM e WHERE n > 5)
SELECT a.s, a.id, b.s, b.id FROM a LEFT JOIN b ON a.s = b.s AND a.k = b.k AND a.v < b.v AND a.n + b.n <> 9 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.window_start, a.id, b.window_start, b.id FROM (
  SELECT * FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE n < 4
) a LEFT JOIN (
  SELECT * FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE n > 5
) b ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.k = b.k AND a.v < b.v AND a.n + b.n <> 9;
