/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT id FROM events WHERE EXISTS (SELECT 1 FROM events WHERE v > 0 AND n = 1) AND NOT EXISTS (SELECT 1 FROM events WHERE v > 1E9) AND id < 20 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id FROM events WHERE EXISTS (SELECT 1 FROM events WHERE v > 0 AND n = 1) AND NOT EXISTS (SELECT 1 FROM events WHERE v > 1E9) AND id < 20;
