/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, b.rows, b.most FROM events a LEFT JOIN (SELECT k, count(*) AS rows, max(n) AS most FROM events WHERE k <> 'a' GROUP BY k) b ON a.k = b.k */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW totals AS SELECT k, COUNT(*) AS `rows`, MAX(n) AS most FROM events WHERE k <> 'a' GROUP BY k;
SELECT a.id, b.`rows`, b.most FROM events a LEFT JOIN totals FOR SYSTEM_TIME AS OF PROCTIME() AS b ON a.k = b.k;
