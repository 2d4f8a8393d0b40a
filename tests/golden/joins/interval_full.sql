/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, b.id AS other FROM (SELECT * FROM events WHERE n < 4) a FULL JOIN (SELECT * FROM events WHERE n > 2) b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL 20 SECOND AND a.ts + INTERVAL 1 MINUTE */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, b.id AS other FROM (SELECT * FROM events WHERE n < 4) a FULL JOIN (SELECT * FROM events WHERE n > 2) b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '20' SECOND AND a.ts + INTERVAL '1' MINUTE;
