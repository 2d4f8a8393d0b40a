/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 back to 01:00 on 2024-11-03 at 06:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["a", 25, "2024-11-03T01:00:00.000", "2024-11-03T02:00:00.000"]
["a", 35, "2024-11-03T02:00:00.000", "2024-11-03T03:00:00.000"]
["a", 38, "2024-11-03T03:00:00.000", "2024-11-03T04:00:00.000"]
["a", 8, "2024-11-03T00:00:00.000", "2024-11-03T01:00:00.000"]
["b", 24, "2024-11-03T01:00:00.000", "2024-11-03T02:00:00.000"]
["b", 33, "2024-11-03T02:00:00.000", "2024-11-03T03:00:00.000"]
["b", 6, "2024-11-03T00:00:00.000", "2024-11-03T01:00:00.000"] */
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_back.csv', 'format' = 'csv');
SELECT k, v, window_start, window_end FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY ts DESC) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR))
) WHERE n = 1;
