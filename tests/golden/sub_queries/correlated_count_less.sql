/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, 5]
[1, 0]
[10, 3]
[11, 0]
[12, 3]
[13, 5]
[14, 0]
[15, 0]
[16, 5]
[17, 9]
[18, 5]
[19, 5]
[2, 0]
[20, 0]
[21, 0]
[22, 5]
[23, 3]
[3, 0]
[4, 3]
[5, 0]
[6, 0]
[7, 5]
[8, 3]
[9, 13]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT COUNT(*) FROM u WHERE u.m < t.n) FROM t;
