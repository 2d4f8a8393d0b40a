/* duckdb
WITH e AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')), w AS (SELECT e.*, time_bucket(INTERVAL 2 MINUTE, ts) - to_minutes(2 * i) AS s FROM e, range(5) r(i))
SELECT s, s + INTERVAL 10 MINUTE, k, count(*), sum(v), quantile_cont(v, 0.9) FROM w GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, window_end, k, COUNT(*), SUM(v), PERCENTILE(v, 0.9)
FROM TABLE(HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '2' MINUTE, INTERVAL '10' MINUTE)) GROUP BY k, window_start, window_end;
