/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["b", null, 7.5]
["c", 3, 4.75]
["c", null, 11.5]
["d", 2, 5.25]
["d", null, 7.25]
[null, 1, 10.25]
[null, 1, 3.25]
[null, 2, 10.0]
[null, 3, 9.25]
[null, null, 3.5]
[null, null, 34.5]
[null, null, 6.75]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, SUM(v) FROM t GROUP BY CUBE (k, n) HAVING COUNT(*) > 2;
