/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, true]
[1, true]
[10, true]
[11, true]
[12, true]
[13, true]
[14, null]
[15, null]
[16, true]
[17, true]
[18, true]
[19, true]
[2, null]
[20, true]
[21, true]
[22, true]
[23, true]
[3, true]
[4, true]
[5, true]
[6, true]
[7, true]
[8, true]
[9, true]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, n <> ANY (SELECT m FROM u) FROM t;
