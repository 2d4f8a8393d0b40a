/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT c, COUNT(*) AS "groups", MIN(m) AS least, MAX(m) AS most, SUM(m) AS total FROM (SELECT k, note, COUNT(*) AS c, MAX(n) AS m FROM events GROUP BY k, note) t GROUP BY c */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT c, COUNT(*) AS `groups`, MIN(m) AS least, MAX(m) AS most, SUM(m) AS total FROM (SELECT k, note, COUNT(*) AS c, MAX(n) AS m FROM events GROUP BY k, note) t GROUP BY c;
