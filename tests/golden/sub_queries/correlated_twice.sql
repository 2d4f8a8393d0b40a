/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[10, 5]
[12, 4]
[13, 4]
[15, 4]
[16, 5]
[17, 4]
[18, 4]
[19, 4]
[2, 4]
[21, 4]
[22, 4]
[23, 4]
[3, 4]
[4, 5]
[6, 4]
[7, 5]
[8, 5]
[9, 4]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT MAX(m) FROM u WHERE u.k = t.k) AS mm FROM t WHERE (SELECT MAX(m) FROM u WHERE u.k = t.k) > 3;
