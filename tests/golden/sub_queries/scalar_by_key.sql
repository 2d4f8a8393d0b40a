/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null]
[1, 3]
[10, null]
[11, 1]
[12, 2]
[13, 5]
[14, 3]
[15, 1]
[16, 3]
[17, null]
[18, null]
[19, null]
[2, 4]
[20, null]
[21, null]
[22, null]
[23, null]
[3, 4]
[4, 5]
[5, 1]
[6, 2]
[7, 4]
[8, 3]
[9, 4]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, (SELECT m FROM u WHERE u.id = t.id) FROM t;
