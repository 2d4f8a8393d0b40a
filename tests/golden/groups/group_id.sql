/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 0, 1]
["b", 0, 7]
["c", 0, 6]
["d", 0, 5]
[null, 0, 24]
[null, 0, 5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, GROUP_ID(), COUNT(*) FROM t GROUP BY GROUPING SETS ((k), ());
