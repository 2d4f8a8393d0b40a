/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, 0]
[1, null]
[10, null]
[11, null]
[12, null]
[13, 13]
[14, null]
[15, null]
[16, 16]
[17, 17]
[18, null]
[19, null]
[2, null]
[20, null]
[21, null]
[22, null]
[23, null]
[3, null]
[4, null]
[5, null]
[6, null]
[7, 7]
[8, null]
[9, 9]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT t.id, u.id FROM t LEFT JOIN u ON t.id = u.id AND t.n > 2;
