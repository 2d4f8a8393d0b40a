/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, 0]
[1, 0]
[10, 3]
[11, 3]
[12, 2]
[13, 4]
[14, 0]
[15, 2]
[16, 3]
[17, 4]
[18, 2]
[19, 4]
[2, 2]
[20, 0]
[21, 4]
[22, 4]
[23, 4]
[3, 2]
[4, 3]
[5, 0]
[6, 2]
[7, 3]
[8, 3]
[9, 2]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT COUNT(*) FROM u WHERE u.k = t.k) FROM t;
