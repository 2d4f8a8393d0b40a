/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 back to 01:00 on 2024-11-03 at 06:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["a", "2024-11-03T00:00:00.000", "2024-11-03T01:00:00.000", 6, 27]
["a", "2024-11-03T01:00:00.000", "2024-11-03T02:00:00.000", 11, 190]
["a", "2024-11-03T02:00:00.000", "2024-11-03T03:00:00.000", 7, 215]
["a", "2024-11-03T03:00:00.000", "2024-11-03T04:00:00.000", 2, 75]
["b", "2024-11-03T00:00:00.000", "2024-11-03T01:00:00.000", 3, 18]
["b", "2024-11-03T01:00:00.000", "2024-11-03T02:00:00.000", 6, 117]
["b", "2024-11-03T02:00:00.000", "2024-11-03T03:00:00.000", 3, 99] */
SET 'table.local-time-zone' = 'America/New_York';
SET 'table.exec.emit.late-fire.enabled' = 'true';
SET 'table.exec.emit.late-fire.delay' = '0 s';
SET 'table.exec.emit.allow-lateness' = '30 min';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_back.csv', 'format' = 'csv');
SELECT k, TUMBLE_START(ts, INTERVAL '1' HOUR), TUMBLE_END(ts, INTERVAL '1' HOUR), COUNT(*), SUM(v)
FROM t GROUP BY k, TUMBLE(ts, INTERVAL '1' HOUR);
