/* duckdb
SELECT time_bucket(INTERVAL 5 MINUTE, ts, INTERVAL 2 MINUTE) AS s, count(*), max(id)
FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='') GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, COUNT(*), MAX(id)
FROM TABLE(TUMBLE(DATA => TABLE events, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '5' MINUTE, `OFFSET` => INTERVAL '2' MINUTE)) GROUP BY window_start, window_end;
