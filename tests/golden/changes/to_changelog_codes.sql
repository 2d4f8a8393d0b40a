/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["U", "b", 1]
["U", "b", 2]
["U", "d", 1]
["U", null, 1]
["U", null, 2]
["U", null, 3]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE VIEW agg AS SELECT k, COUNT(*) AS c FROM t WHERE id < 6 GROUP BY k; SELECT * FROM TO_CHANGELOG(input => TABLE agg, op => DESCRIPTOR(o), op_mapping => MAP['INSERT, UPDATE_AFTER', 'U', 'DELETE', 'D']);
