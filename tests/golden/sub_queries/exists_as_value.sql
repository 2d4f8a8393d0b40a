/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, false]
[1, false]
[10, true]
[11, true]
[12, true]
[13, true]
[14, false]
[15, true]
[16, true]
[17, true]
[18, true]
[19, true]
[2, true]
[20, false]
[21, true]
[22, true]
[23, true]
[3, true]
[4, true]
[5, false]
[6, true]
[7, true]
[8, true]
[9, true]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, EXISTS (SELECT 1 FROM u WHERE u.k = t.k) FROM t;
