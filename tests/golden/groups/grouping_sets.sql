/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 0, 0, 1]
["a", 0, 1, 1]
["b", 0, 0, 1]
["b", 0, 0, 1]
["b", 0, 0, 1]
["b", 0, 0, 2]
["b", 0, 0, 2]
["b", 0, 1, 7]
["c", 0, 0, 1]
["c", 0, 0, 1]
["c", 0, 0, 1]
["c", 0, 0, 3]
["c", 0, 1, 6]
["d", 0, 0, 2]
["d", 0, 0, 3]
["d", 0, 1, 5]
[null, 0, 0, 1]
[null, 0, 0, 1]
[null, 0, 0, 3]
[null, 0, 1, 5]
[null, 1, 3, 24]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, GROUPING(k), GROUPING_ID(k, n), COUNT(*) FROM t GROUP BY GROUPING SETS ((k, n), (k), ());
