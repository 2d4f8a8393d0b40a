/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, 1]
[1, 1]
[10, 4]
[11, 4]
[12, 3]
[13, 5]
[14, 1]
[15, 3]
[16, 4]
[17, 5]
[18, 3]
[19, 5]
[2, 3]
[20, 1]
[21, 5]
[22, 5]
[23, 5]
[3, 3]
[4, 4]
[5, 1]
[6, 3]
[7, 4]
[8, 4]
[9, 3]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT COUNT(*) + 1 FROM u WHERE u.k = t.k) FROM t;
