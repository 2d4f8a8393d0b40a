/* duckdb
WITH e AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')), w AS (SELECT time_bucket(INTERVAL 5 MINUTE, ts) AS s, k, count(*) AS c FROM e GROUP BY ALL)
SELECT s, max(c), sum(c)::BIGINT FROM w GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT starttime, MAX(c), SUM(c) FROM (
  SELECT window_start AS starttime, window_end AS endtime, k, COUNT(*) AS c
  FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k
) GROUP BY starttime, endtime;
