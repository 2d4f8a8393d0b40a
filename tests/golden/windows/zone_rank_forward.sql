/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0); instants in UTC.
Clocks in New York go from 02:00 to 03:00 on 2024-03-10 at 07:00Z. Rows are out of order and some late, judged by one split's watermark row by row.
["a", 16, "2024-03-10T01:00:00.000", "2024-03-10T02:00:00.000", 2]
["a", 17, "2024-03-10T01:00:00.000", "2024-03-10T02:00:00.000", 1]
["a", 23, "2024-03-10T03:00:00.000", "2024-03-10T04:00:00.000", 2]
["a", 25, "2024-03-10T03:00:00.000", "2024-03-10T04:00:00.000", 1]
["a", 34, "2024-03-10T04:00:00.000", "2024-03-10T05:00:00.000", 2]
["a", 35, "2024-03-10T04:00:00.000", "2024-03-10T05:00:00.000", 1]
["a", 37, "2024-03-10T05:00:00.000", "2024-03-10T06:00:00.000", 2]
["a", 38, "2024-03-10T05:00:00.000", "2024-03-10T06:00:00.000", 1]
["a", 7, "2024-03-10T00:00:00.000", "2024-03-10T01:00:00.000", 2]
["a", 8, "2024-03-10T00:00:00.000", "2024-03-10T01:00:00.000", 1]
["b", 15, "2024-03-10T01:00:00.000", "2024-03-10T02:00:00.000", 2]
["b", 18, "2024-03-10T01:00:00.000", "2024-03-10T02:00:00.000", 1]
["b", 24, "2024-03-10T03:00:00.000", "2024-03-10T04:00:00.000", 2]
["b", 27, "2024-03-10T03:00:00.000", "2024-03-10T04:00:00.000", 1]
["b", 33, "2024-03-10T04:00:00.000", "2024-03-10T05:00:00.000", 2]
["b", 36, "2024-03-10T04:00:00.000", "2024-03-10T05:00:00.000", 1]
["b", 6, "2024-03-10T00:00:00.000", "2024-03-10T01:00:00.000", 2]
["b", 9, "2024-03-10T00:00:00.000", "2024-03-10T01:00:00.000", 1] */
SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE t (ms BIGINT, k STRING, v INT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/clock_forward.csv', 'format' = 'csv');
SELECT k, v, window_start, window_end, n FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY v DESC) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR))
) WHERE n <= 2;
