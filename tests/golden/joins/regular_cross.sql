/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT x.id, y.n FROM (SELECT id FROM events WHERE id < 10) x CROSS JOIN (SELECT DISTINCT n FROM events) y */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT x.id, y.n FROM (SELECT id FROM events WHERE id < 10) x CROSS JOIN (SELECT DISTINCT n FROM events) y;
