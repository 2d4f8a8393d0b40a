/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1, 1.5]
["b", 3, 0.5]
["c", 2, 3.25]
["d", 3, 0.5]
[null, 1, null]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, v FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY id DESC) = 1;
