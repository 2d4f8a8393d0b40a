/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, "d", 1.5]
[1, "a", 0.5]
[10, null, 2.0]
[11, "c", 3.25]
[12, "a", 2.0]
[13, null, 2.0]
[14, "b", 2.0]
[15, null, 2.0]
[16, "c", 1.5]
[17, "a", 1.5]
[18, null, null]
[19, null, null]
[2, "c", 0.5]
[20, null, null]
[21, null, null]
[22, null, null]
[23, null, null]
[3, null, 2.0]
[4, "d", 0.5]
[5, "d", 1.5]
[6, null, 0.5]
[7, "b", 2.0]
[8, null, null]
[9, "c", 0.5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT k FROM u WHERE u.id = t.id), (SELECT w FROM u WHERE u.id = t.id) FROM t;
