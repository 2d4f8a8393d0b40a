/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 back to 01:00 on 2024-11-03 at 06:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["a", "2024-11-03T00:05:00.000", "2024-11-03T03:44:00.000", "2024-11-03T08:43:59.999", 26, 507]
["b", "2024-11-03T00:19:00.000", "2024-11-03T00:39:00.000", "2024-11-03T04:38:59.999", 1, 3]
["b", "2024-11-03T00:40:00.000", "2024-11-03T01:00:00.000", "2024-11-03T04:59:59.999", 1, 6]
["b", "2024-11-03T01:16:00.000", "2024-11-03T02:06:00.000", "2024-11-03T07:05:59.999", 6, 117]
["b", "2024-11-03T02:24:00.000", "2024-11-03T02:44:00.000", "2024-11-03T07:43:59.999", 1, 30]
["b", "2024-11-03T02:49:00.000", "2024-11-03T03:09:00.000", "2024-11-03T08:08:59.999", 1, 33] */
/* batch rows
Flink 2.3 has no such windows in batch mode; in streaming it gave these with a watermark ten days behind, so that no row is late.
["a", "2024-11-03T00:05:00.000", "2024-11-03T03:44:00.000", "2024-11-03T08:43:59.999", 26, 507]
["b", "2024-11-03T00:13:00.000", "2024-11-03T00:39:00.000", "2024-11-03T04:38:59.999", 2, 12]
["b", "2024-11-03T00:40:00.000", "2024-11-03T01:00:00.000", "2024-11-03T04:59:59.999", 1, 6]
["b", "2024-11-03T01:16:00.000", "2024-11-03T02:06:00.000", "2024-11-03T07:05:59.999", 6, 117]
["b", "2024-11-03T02:22:00.000", "2024-11-03T02:44:00.000", "2024-11-03T07:43:59.999", 2, 66]
["b", "2024-11-03T02:49:00.000", "2024-11-03T03:09:00.000", "2024-11-03T08:08:59.999", 1, 33] */
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_back.csv', 'format' = 'csv');
SELECT k, window_start, window_end, window_time, COUNT(*) AS n, SUM(v) AS s
FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '20' MINUTE))
GROUP BY k, window_start, window_end, window_time;
