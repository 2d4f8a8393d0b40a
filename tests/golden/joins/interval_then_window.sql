/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr=''))
SELECT time_bucket(INTERVAL 5 MINUTE, a.ts) AS s, count(*) FROM events a, events b WHERE a.n = b.n AND a.ts BETWEEN b.ts AND b.ts + INTERVAL 30 SECOND GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW pairs AS SELECT a.ts AS ts FROM events a, events b WHERE a.n = b.n AND a.ts BETWEEN b.ts AND b.ts + INTERVAL '30' SECOND;
SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE pairs, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end;
