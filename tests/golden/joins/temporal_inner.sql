/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT a.id, b.id, b.v FROM (SELECT * FROM events WHERE n < 3) a ASOF JOIN (SELECT * FROM events WHERE ts IS NOT NULL) b ON a.k = b.k AND a.ts >= b.ts */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE rates (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, PRIMARY KEY (k) NOT ENFORCED, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, b.id AS other, b.v FROM (SELECT * FROM events WHERE n < 3) a JOIN rates FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k;
