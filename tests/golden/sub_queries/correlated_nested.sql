/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, 3]
[1, 1]
[10, null]
[11, 4]
[12, 1]
[13, null]
[14, 5]
[15, null]
[16, 4]
[17, 1]
[18, null]
[19, null]
[2, 4]
[20, null]
[21, null]
[22, null]
[23, null]
[3, null]
[4, 3]
[5, 3]
[6, null]
[7, 5]
[8, null]
[9, 4]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT (SELECT MAX(x.n) FROM t x WHERE x.k = u.k) FROM u WHERE u.id = t.id) FROM t;
