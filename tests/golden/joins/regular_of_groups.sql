/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.k, a.c, b.s FROM (SELECT k, COUNT(*) AS c FROM events GROUP BY k) a LEFT JOIN (SELECT note, SUM(n) AS s FROM events GROUP BY note) b ON a.k = b.note OR a.c > b.s */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.k, a.c, b.s FROM (SELECT k, COUNT(*) AS c FROM events GROUP BY k) a LEFT JOIN (SELECT note, SUM(n) AS s FROM events GROUP BY note) b ON a.k = b.note OR a.c > b.s;
