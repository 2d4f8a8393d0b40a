/* duckdb
SELECT k, n, count(*), sum(v), avg(v), min(note), max(id) FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='') GROUP BY ALL HAVING count(*) > 5 */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, COUNT(*), SUM(v), AVG(v), MIN(note), MAX(id) FROM events GROUP BY k, n HAVING COUNT(*) > 5;
