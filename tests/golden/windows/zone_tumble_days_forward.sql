/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 to 03:00 on 2024-03-10 at 07:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["a", "2024-03-10T00:00:00.000", "2024-03-11T00:00:00.000", "2024-03-11T03:59:59.999", 26, 507]
["b", "2024-03-10T00:00:00.000", "2024-03-11T00:00:00.000", "2024-03-11T03:59:59.999", 12, 234] */
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_forward.csv', 'format' = 'csv');
SELECT k, window_start, window_end, window_time, COUNT(*) AS n, SUM(v) AS s
FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY))
GROUP BY k, window_start, window_end, window_time;
