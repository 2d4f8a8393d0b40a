/* duckdb
WITH e AS (SELECT *, row_number() OVER () AS i FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
m AS (SELECT *, max(ts) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - INTERVAL 60 SECOND AS mark, time_bucket(INTERVAL 1 MINUTE, ts) AS s FROM e)
SELECT s, count(*), sum(id)::BIGINT FROM m WHERE mark IS NULL OR mark < s + INTERVAL 1 MINUTE - INTERVAL 1 MILLISECOND GROUP BY ALL */
/* batch duckdb
SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS s, count(*), sum(id)::BIGINT
FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='') GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '60' SECOND) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, COUNT(*), SUM(id)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
