/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1, 1.5]
["a", null, 1.5]
["b", 1, 3.5]
["b", 2, 1.5]
["b", 3, 0.5]
["b", 5, null]
["b", null, 2.0]
["b", null, 7.5]
["c", 1, 2.0]
["c", 2, 3.25]
["c", 3, 4.75]
["c", 4, 1.5]
["c", null, 11.5]
["d", 2, 5.25]
["d", 3, 2.0]
["d", null, 7.25]
[null, 1, 3.25]
[null, 3, 2.0]
[null, null, 1.5]
[null, null, 34.5]
[null, null, 6.75]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, SUM(v) FROM t GROUP BY ROLLUP (k, n);
