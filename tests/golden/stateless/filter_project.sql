/* duckdb
SELECT id, k || '!' AS kk, n * 2 + 1 AS m, v / 2 AS half, CASE WHEN v > 50 THEN 'high' WHEN v IS NULL THEN 'none' ELSE 'low' END AS c
FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='') WHERE n % 3 = 1 AND k <> 'd' */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, k || '!' AS kk, n * 2 + 1 AS m, v / 2 AS half, CASE WHEN v > 50 THEN 'high' WHEN v IS NULL THEN 'none' ELSE 'low' END AS c
FROM events WHERE n % 3 = 1 AND k <> 'd';
