/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT k, COUNT(DISTINCT n) AS d, SUM(DISTINCT n) AS s, COUNT(DISTINCT note) FILTER (WHERE v > 0) AS f, MIN(note) AS least FROM events GROUP BY k */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, COUNT(DISTINCT n) AS d, SUM(DISTINCT n) AS s, COUNT(DISTINCT note) FILTER (WHERE v > 0) AS f, MIN(note) AS least FROM events GROUP BY k;
