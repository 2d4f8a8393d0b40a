/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1, 1]
["b", 1, 2]
["b", 12, 7]
["b", 2, 3]
["b", 7, 4]
["b", 9, 5]
["b", 9, 6]
["b", null, 1]
["c", 10, 3]
["c", 11, 4]
["c", 14, 5]
["c", 16, 6]
["c", 3, 1]
["c", 7, 2]
["d", 12, 5]
["d", 2, 1]
["d", 5, 2]
["d", 7, 3]
["d", 9, 4]
[null, 3, 1]
[null, 4, 2]
[null, 5, 3]
[null, 5, 4]
[null, 6, 5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, SUM(n) OVER w, COUNT(*) OVER w FROM t WINDOW w AS (PARTITION BY k ORDER BY ts);
