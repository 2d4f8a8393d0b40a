/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, b.note, b.v FROM events a LEFT JOIN (SELECT note, v, n FROM events WHERE id < 20) b ON a.n + 1 = b.n AND a.v < b.v */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW small AS SELECT note, v, n FROM events WHERE id < 20;
SELECT a.id, b.note, b.v FROM (SELECT *, PROCTIME() AS now FROM events) a LEFT JOIN small FOR SYSTEM_TIME AS OF a.now AS b ON a.n + 1 = b.n AND a.v < b.v;
