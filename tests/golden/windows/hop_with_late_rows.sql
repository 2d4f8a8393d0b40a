/* duckdb
WITH e AS (SELECT *, row_number() OVER () AS i FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
m AS (SELECT *, max(ts) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - INTERVAL 60 SECOND AS mark FROM e),
w AS (SELECT m.*, time_bucket(INTERVAL 1 MINUTE, ts) - to_minutes(j) AS s FROM m, range(3) r(j))
SELECT s, k, count(*), sum(n)::INTEGER FROM w WHERE mark IS NULL OR mark < s + INTERVAL 3 MINUTE - INTERVAL 1 MILLISECOND GROUP BY ALL */
/* batch duckdb
WITH e AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
w AS (SELECT e.*, time_bucket(INTERVAL 1 MINUTE, ts) - to_minutes(j) AS s FROM e, range(3) r(j))
SELECT s, k, count(*), sum(n)::INTEGER FROM w GROUP BY ALL */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '60' SECOND) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, k, COUNT(*), SUM(n)
FROM TABLE(HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '3' MINUTE)) GROUP BY k, window_start, window_end;
