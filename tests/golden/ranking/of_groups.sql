/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT k, n, c, row_number() OVER (PARTITION BY k ORDER BY c DESC, n NULLS FIRST) AS r FROM (SELECT k, n, count(*) AS c FROM events GROUP BY ALL) QUALIFY r <= 2 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY c DESC, n) AS r FROM (SELECT k, n, COUNT(*) AS c FROM events GROUP BY k, n)) WHERE r <= 2;
