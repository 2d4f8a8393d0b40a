/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1, 1.5, 1]
["b", 1, 3.5, 5]
["b", 2, 1.5, 3]
["b", 3, 0.5, 2]
["b", 5, null, 1]
["b", null, 2.0, 4]
["c", 1, 2.0, 2]
["c", 2, 3.25, 3]
["c", 3, 4.75, 4]
["c", 4, 1.5, 1]
["d", 2, 5.25, 2]
["d", 3, 2.0, 1]
[null, 1, 3.25, 3]
[null, 3, 2.0, 2]
[null, null, 1.5, 1]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, SUM(v), RANK() OVER (PARTITION BY k ORDER BY SUM(v)) FROM t GROUP BY k, n;
