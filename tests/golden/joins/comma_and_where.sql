/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, b.id, a.k FROM events a, events b WHERE a.k = b.k AND a.n = 3 AND b.n > a.n AND a.id < b.id */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, b.id AS other, a.k FROM events a, events b WHERE a.k = b.k AND a.n = 3 AND b.n > a.n AND a.id < b.id;
