/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, "2.00", 2, "3  ", "2024-01-01", "00:00:00", null]
[1, "3.25", 3, "1  ", "2024-01-01", "00:02:00", null]
[10, "1.50", 1, "2  ", "2024-01-01", "00:20:00", null]
[11, "1.50", 1, "1  ", "2024-01-01", "00:22:00", null]
[12, "1.50", 1, "2  ", "2024-01-01", "00:24:00", null]
[13, "1.50", 1, "3  ", "2024-01-01", "00:26:00", null]
[14, "1.50", 1, null, "2024-01-01", "00:28:00", null]
[15, "1.50", 1, null, "2024-01-01", "00:30:00", null]
[16, "0.50", 0, "3  ", "2024-01-01", "00:32:00", null]
[17, "1.50", 1, "4  ", "2024-01-01", "00:34:00", null]
[18, "0.50", 0, "3  ", "2024-01-01", "00:36:00", null]
[19, null, null, "3  ", "2024-01-01", "00:38:00", null]
[2, "0.50", 0, null, "2024-01-01", "00:04:00", null]
[20, null, null, "1  ", "2024-01-01", "00:40:00", null]
[21, "2.00", 2, "1  ", "2024-01-01", "00:42:00", null]
[22, "3.25", 3, "3  ", "2024-01-01", "00:44:00", null]
[23, "3.25", 3, "2  ", "2024-01-01", "00:46:00", null]
[3, "2.00", 2, "1  ", "2024-01-01", "00:06:00", null]
[4, "3.25", 3, "2  ", "2024-01-01", "00:08:00", null]
[5, null, null, "1  ", "2024-01-01", "00:10:00", null]
[6, "1.50", 1, "1  ", "2024-01-01", "00:12:00", null]
[7, "1.50", 1, "3  ", "2024-01-01", "00:14:00", null]
[8, "0.50", 0, "2  ", "2024-01-01", "00:16:00", null]
[9, null, null, "5  ", "2024-01-01", "00:18:00", null]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, CAST(CAST(v AS DECIMAL(6, 2)) AS STRING) AS d, CAST(v AS INT) AS i, CAST(n AS CHAR(3)) AS c, CAST(ts AS DATE) AS t, CAST(ts AS TIME) AS h, TRY_CAST(k AS INT) AS x FROM t;
