/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT id, lag(v) OVER (PARTITION BY k ORDER BY n DESC, id) AS before, sum(n) OVER (PARTITION BY k ORDER BY n DESC, id) AS s FROM events */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, LAG(v) OVER (PARTITION BY k ORDER BY n DESC, id) AS before, SUM(n) OVER (PARTITION BY k ORDER BY n DESC, id) AS s FROM events;
