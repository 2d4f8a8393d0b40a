/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, a.n, b.id, b.note FROM (SELECT * FROM events WHERE n > 2) a JOIN (SELECT * FROM events WHERE id % 3 = 0) b ON a.k = b.k AND a.n = b.n AND a.v < b.v */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, a.n, b.id, b.note FROM (SELECT * FROM events WHERE n > 2) a JOIN (SELECT * FROM events WHERE MOD(id, 3) = 0) b ON a.k = b.k AND a.n = b.n AND a.v < b.v;
