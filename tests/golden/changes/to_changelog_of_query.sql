/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["INSERT", "a", 1]
["INSERT", "b", null]
["INSERT", "c", 3]
["INSERT", "d", 2]
["INSERT", null, 3]
["UPDATE_AFTER", "b", 1]
["UPDATE_AFTER", "b", 5]
["UPDATE_AFTER", "c", 4]
["UPDATE_AFTER", "d", 3]
["UPDATE_BEFORE", "b", 1]
["UPDATE_BEFORE", "b", null]
["UPDATE_BEFORE", "c", 3]
["UPDATE_BEFORE", "d", 2]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT * FROM TO_CHANGELOG(input => (SELECT k, MAX(n) AS c FROM t GROUP BY k));
