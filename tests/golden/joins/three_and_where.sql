/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, c.note FROM events a, events b, (SELECT DISTINCT note, n FROM events) c WHERE a.id = b.id + 1 AND b.n = c.n AND c.n < 3 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, c.note FROM events a, events b, (SELECT DISTINCT note, n FROM events) c WHERE a.id = b.id + 1 AND b.n = c.n AND c.n < 3;
