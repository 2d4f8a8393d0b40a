/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, false]
[1, false]
[10, false]
[11, false]
[12, false]
[13, false]
[14, null]
[15, null]
[16, false]
[17, false]
[18, false]
[19, false]
[2, null]
[20, false]
[21, false]
[22, false]
[23, false]
[3, false]
[4, false]
[5, false]
[6, false]
[7, false]
[8, false]
[9, false]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, n NOT IN (SELECT m FROM u) FROM t;
