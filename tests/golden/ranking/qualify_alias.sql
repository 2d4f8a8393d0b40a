/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1, 1.5, 1]
["b", 3, 0.5, 1]
["b", null, 1.5, 2]
["c", 2, 3.25, 1]
["c", 3, 3.25, 2]
["d", 2, 1.5, 2]
["d", 3, 0.5, 1]
[null, 1, null, 1]
[null, null, 1.5, 2]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY id DESC) AS rn FROM t QUALIFY rn <= 2;
