/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 to 03:00 on 2024-03-10 at 07:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["a", "2024-03-10T00:05:00.000", "2024-03-10T02:17:00.000", "2024-03-10T07:16:59.999", 12, 108]
["a", "2024-03-10T03:11:00.000", "2024-03-10T05:44:00.000", "2024-03-10T09:43:59.999", 14, 399]
["b", "2024-03-10T00:19:00.000", "2024-03-10T00:39:00.000", "2024-03-10T05:38:59.999", 1, 3]
["b", "2024-03-10T00:40:00.000", "2024-03-10T01:00:00.000", "2024-03-10T05:59:59.999", 1, 6]
["b", "2024-03-10T01:16:00.000", "2024-03-10T01:59:00.000", "2024-03-10T06:58:59.999", 3, 45]
["b", "2024-03-10T03:25:00.000", "2024-03-10T03:45:00.000", "2024-03-10T07:44:59.999", 1, 21]
["b", "2024-03-10T03:46:00.000", "2024-03-10T04:06:00.000", "2024-03-10T08:05:59.999", 1, 24]
["b", "2024-03-10T04:24:00.000", "2024-03-10T04:44:00.000", "2024-03-10T08:43:59.999", 1, 30]
["b", "2024-03-10T04:49:00.000", "2024-03-10T05:09:00.000", "2024-03-10T09:08:59.999", 1, 33] */
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_forward.csv', 'format' = 'csv');
SELECT k, window_start, window_end, window_time, COUNT(*) AS n, SUM(v) AS s
FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '20' MINUTE))
GROUP BY k, window_start, window_end, window_time;
