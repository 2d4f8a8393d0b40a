/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, null, "three", 0]
[1, null, null, "one", 1]
[10, "2", "2", "two", 1]
[11, "1", "1", "one", 1]
[12, "2", "2", "two", 1]
[13, "3", "3", "three", 1]
[14, null, null, null, 1]
[15, null, null, null, 1]
[16, "3", "3", "three", 1]
[17, "4", "4", null, 1]
[18, "3", "3", "three", 1]
[19, "3", "3", "three", 1]
[2, null, null, null, 0]
[20, null, null, "one", 0]
[21, "1", "1", "one", 2]
[22, "3", "3", "three", 0]
[23, "2", "2", "two", 0]
[3, "1", "1", "one", 0]
[4, "2", "2", "two", 0]
[5, null, null, "one", 0]
[6, "1", "1", "one", 0]
[7, "3", "3", "three", 0]
[8, "2", "2", "two", 0]
[9, "5", "5", null, 0]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, SPLIT_INDEX(CONCAT(k, ',', CAST(n AS STRING)), ',', 1) AS s, STR_TO_MAP(CONCAT('a=', k, ',b=', CAST(n AS STRING)))['b'] AS b, ELT(n, 'one', 'two', 'three') AS e, LOCATE('1', CAST(id AS STRING)) AS l FROM t;
