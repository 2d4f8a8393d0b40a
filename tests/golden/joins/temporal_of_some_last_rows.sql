/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
versions AS (SELECT * FROM events WHERE k IS NOT NULL AND id % 7 = 0),
met AS (SELECT a.id, b.id AS other, b.n * 2 AS twice FROM events a ASOF JOIN versions b ON a.k = b.k AND a.ts >= b.ts)
SELECT * FROM met WHERE twice > 4 AND twice % 4 = 0 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW rates AS SELECT id, k, n, note, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS r FROM events WHERE MOD(id, 7) = 0) WHERE r = 1;
CREATE VIEW chosen AS SELECT id, k, twice, ts FROM (SELECT id, k, n * 2 AS twice, ts FROM rates WHERE n > 2) WHERE twice % 4 = 0;
SELECT a.id, b.id AS other, b.twice FROM events a JOIN chosen FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k;
