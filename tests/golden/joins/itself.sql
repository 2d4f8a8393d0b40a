/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[1, 0]
[10, 9]
[11, 10]
[12, 11]
[13, 12]
[14, 13]
[15, 14]
[16, 15]
[17, 16]
[18, 17]
[19, 18]
[2, 1]
[20, 19]
[21, 20]
[22, 21]
[23, 22]
[3, 2]
[4, 3]
[5, 4]
[6, 5]
[7, 6]
[8, 7]
[9, 8]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT x.id, y.id FROM t x, t y WHERE x.id = y.id + 1;
