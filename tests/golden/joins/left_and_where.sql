/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, b.id, b.n FROM events a LEFT JOIN events b ON a.k = b.k AND b.n > 4 AND a.n > 2 WHERE a.id < 30 AND (b.id IS NULL OR b.id > 10) */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, b.id AS other, b.n FROM events a LEFT JOIN events b ON a.k = b.k AND b.n > 4 AND a.n > 2 WHERE a.id < 30 AND (b.id IS NULL OR b.id > 10);
