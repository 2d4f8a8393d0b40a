/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1]
["b", 7]
["c", 6]
["d", 5]
[null, 5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW agg AS SELECT k, COUNT(*) AS c FROM t GROUP BY k; CREATE VIEW ch AS SELECT * FROM TO_CHANGELOG(input => TABLE agg); SELECT * FROM FROM_CHANGELOG(input => TABLE ch);
