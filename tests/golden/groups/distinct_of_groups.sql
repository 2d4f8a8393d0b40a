/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT COUNT(DISTINCT c) AS d, MIN(best) AS b, AVG(v) AS a FROM (SELECT k, n, COUNT(*) AS c, MAX(note) AS best, MIN(v) AS v FROM events GROUP BY k, n) t */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT COUNT(DISTINCT c) AS d, MIN(best) AS b, AVG(v) AS a FROM (SELECT k, n, COUNT(*) AS c, MAX(note) AS best, MIN(v) AS v FROM events GROUP BY k, n) t;
