/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT k, c, rank() OVER (ORDER BY c DESC), sum(c) OVER (ORDER BY c DESC, k) ::BIGINT FROM (SELECT k, count(*) AS c FROM events GROUP BY k) */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, c, RANK() OVER (ORDER BY c DESC), SUM(c) OVER (ORDER BY c DESC, k) FROM (SELECT k, COUNT(*) AS c FROM events GROUP BY k);
