/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
versions AS (SELECT * FROM events WHERE k IS NOT NULL AND id % 7 = 0)
SELECT a.id, b.id, b.note FROM events a ASOF LEFT JOIN versions b ON a.k = b.k AND a.ts >= b.ts */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW rates AS SELECT id, k, n, note, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS r FROM events WHERE MOD(id, 7) = 0) WHERE r = 1;
SELECT a.id, b.id AS other, b.note FROM events a LEFT JOIN rates FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k;
