/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
marked AS (SELECT *, sum(fresh) OVER (PARTITION BY k ORDER BY ts ROWS UNBOUNDED PRECEDING) AS s FROM (
  SELECT *, CASE WHEN ts <= lag(ts) OVER (PARTITION BY k ORDER BY ts) + INTERVAL 20 SECOND THEN 0 ELSE 1 END AS fresh FROM events))
SELECT k, time_bucket(INTERVAL 5 MINUTE, ts) AS a, time_bucket(INTERVAL 5 MINUTE, ts) + INTERVAL 5 MINUTE, count(*) FROM events GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, TUMBLE_START(ts, INTERVAL '5' MINUTE) AS a, TUMBLE_END(ts, INTERVAL '5' MINUTE), COUNT(*) FROM events GROUP BY TUMBLE(ts, INTERVAL '5' MINUTE), k;
