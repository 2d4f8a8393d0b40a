/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 back to 01:00 on 2024-11-03 at 06:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["2024-11-03T00:00:00.000", "2024-11-03T02:00:00.000", "2024-11-03T05:59:59.999", 4, 352]
["2024-11-03T02:00:00.000", "2024-11-03T04:00:00.000", "2024-11-03T08:59:59.999", 3, 389] */
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_back.csv', 'format' = 'csv');
CREATE VIEW hours AS SELECT window_time AS wt, k, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY k, window_start, window_end, window_time;
SELECT window_start, window_end, window_time, COUNT(*) AS n, SUM(s) AS s
FROM TABLE(TUMBLE(TABLE hours, DESCRIPTOR(wt), INTERVAL '2' HOUR))
GROUP BY window_start, window_end, window_time;
