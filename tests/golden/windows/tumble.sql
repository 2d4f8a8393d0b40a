/* duckdb
SELECT time_bucket(INTERVAL 5 MINUTE, ts) AS s, time_bucket(INTERVAL 5 MINUTE, ts) + INTERVAL 5 MINUTE AS e, k, count(*), count(v), sum(n)::INTEGER, min(v), max(v), avg(v), sum(n) // count(*), count(*) FILTER (WHERE v > 0)
FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='') GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, window_end, k, COUNT(*), COUNT(v), SUM(n), MIN(v), MAX(v), AVG(v), AVG(n), COUNT(*) FILTER (WHERE v > 0)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
