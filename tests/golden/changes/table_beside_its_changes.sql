/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["INSERT", "b", 1]
["INSERT", "d", 1]
["INSERT", null, 1]
["UPDATE_AFTER", "b", 2]
["UPDATE_AFTER", null, 2]
["UPDATE_AFTER", null, 3]
["UPDATE_BEFORE", "b", 1]
["UPDATE_BEFORE", null, 1]
["UPDATE_BEFORE", null, 2]
["left", "b", 2]
["left", "d", 1]
["left", null, 3]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW agg AS SELECT k, COUNT(*) AS c FROM t WHERE id < 6 GROUP BY k;
SELECT 'left' AS op, k, c FROM agg UNION ALL SELECT op, k, c FROM TO_CHANGELOG(input => TABLE agg);
