/* duckdb
-- Clocks on Lord Howe go from 02:00 to 02:30.
WITH t AS (SELECT k, v, make_timestamptz((ms + -2471400000) * 1000) AT TIME ZONE 'Australia/Lord_Howe' AS shown
  FROM read_csv('{data}/clock_back.csv', header=false, columns={'ms':'BIGINT','k':'VARCHAR','v':'INTEGER'}))
SELECT k, time_bucket(INTERVAL 30 MINUTE, shown) AS s, time_bucket(INTERVAL 30 MINUTE, shown) + INTERVAL 30 MINUTE, COUNT(*), SUM(v)::BIGINT FROM t GROUP BY ALL */
SET 'table.local-time-zone' = 'Australia/Lord_Howe';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms + -2471400000, 3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_back.csv', 'format' = 'csv');
SELECT k, window_start, window_end, COUNT(*), SUM(v)
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '30' MINUTE))
GROUP BY k, window_start, window_end;
