/* duckdb
-- Kathmandu is 5:45 ahead of UTC. Flink 2.3 loses most of these windows: it looks for what is due in steps of UTC's hours.
WITH t AS (SELECT k, v, make_timestamptz((ms + -16092000000) * 1000) AT TIME ZONE 'Asia/Kathmandu' AS shown
  FROM read_csv('{data}/clock_back.csv', header=false, columns={'ms':'BIGINT','k':'VARCHAR','v':'INTEGER'}))
SELECT k, time_bucket(INTERVAL 30 MINUTE, shown) AS s, time_bucket(INTERVAL 30 MINUTE, shown) + INTERVAL 30 MINUTE, COUNT(*), SUM(v)::BIGINT FROM t GROUP BY ALL */
SET 'table.local-time-zone' = 'Asia/Kathmandu';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms + -16092000000, 3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_back.csv', 'format' = 'csv');
SELECT k, window_start, window_end, COUNT(*), SUM(v)
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '30' MINUTE))
GROUP BY k, window_start, window_end;
