/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[10, "d", 2, 1.5, "2024-01-01T00:20:00.000", 2]
[12, "b", 2, 1.5, "2024-01-01T00:24:00.000", 3]
[22, "c", 3, 3.25, "2024-01-01T00:44:00.000", 2]
[8, "d", 2, 0.5, "2024-01-01T00:16:00.000", 3]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY id DESC) AS r FROM t) WHERE r >= 2 AND r <= 3 AND n > 1;
