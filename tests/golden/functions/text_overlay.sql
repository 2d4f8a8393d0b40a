/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, "3", null]
[1, null, "a", null]
[10, "1d000", "b", false]
[11, "1a000", "a", true]
[12, "1b000", "b", false]
[13, "1c000", "3", false]
[14, null, null, null]
[15, "1b000", null, false]
[16, "1d000", "3", false]
[17, "1c000", "4", false]
[18, "1b000", "3", false]
[19, "1c000", "3", false]
[2, "2b00", null, false]
[20, null, "a", null]
[21, "2c000", "a", false]
[22, "2c000", "3", false]
[23, "2c000", "b", false]
[3, "3b00", "a", false]
[4, "4d00", "b", false]
[5, null, "a", null]
[6, "6b00", "a", false]
[7, "7d00", "3", false]
[8, "8d00", "b", false]
[9, "9b00", "5", false]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, OVERLAY(CAST(id * 1000 AS STRING) PLACING k FROM 2 FOR 1) AS o, TRANSLATE(CAST(n AS STRING), '12', 'ab') AS x, STARTSWITH(k, 'a') AS w FROM t;
