/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[10, "d", 2, 1.5, "2024-01-01T00:20:00.000", 2]
[11, "a", 1, 1.5, "2024-01-01T00:22:00.000", 1]
[14, null, null, 1.5, "2024-01-01T00:28:00.000", 2]
[15, "b", null, 1.5, "2024-01-01T00:30:00.000", 2]
[16, "d", 3, 0.5, "2024-01-01T00:32:00.000", 1]
[18, "b", 3, 0.5, "2024-01-01T00:36:00.000", 1]
[20, null, 1, null, "2024-01-01T00:40:00.000", 1]
[22, "c", 3, 3.25, "2024-01-01T00:44:00.000", 2]
[23, "c", 2, 3.25, "2024-01-01T00:46:00.000", 1]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY id DESC) AS r FROM t) WHERE r < 3;
