/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1]
["b", 1]
["b", 12]
["b", 2]
["b", 7]
["b", 9]
["b", 9]
["b", null]
["c", 10]
["c", 11]
["c", 14]
["c", 16]
["c", 3]
["c", 7]
["d", 12]
["d", 2]
["d", 5]
["d", 7]
["d", 9]
[null, 3]
[null, 4]
[null, 5]
[null, 5]
[null, 6]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, SUM(n) OVER w2 FROM t WINDOW w AS (PARTITION BY k), w2 AS (w ORDER BY ts);
