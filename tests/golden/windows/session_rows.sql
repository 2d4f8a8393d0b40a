/* duckdb
WITH events AS (SELECT * FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')),
marked AS (SELECT *, sum(fresh) OVER (PARTITION BY k ORDER BY ts ROWS UNBOUNDED PRECEDING) AS s FROM (
  SELECT *, CASE WHEN ts <= lag(ts) OVER (PARTITION BY k ORDER BY ts) + INTERVAL 20 SECOND THEN 0 ELSE 1 END AS fresh FROM events))
SELECT id, k, min(ts) OVER (PARTITION BY k, s) AS a, max(ts) OVER (PARTITION BY k, s) + INTERVAL 20 SECOND FROM marked */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, k, window_start, window_end FROM TABLE(SESSION(DATA => TABLE events PARTITION BY k, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '20' SECOND));
