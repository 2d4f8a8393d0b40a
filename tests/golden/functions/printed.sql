/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, "00000|null|2.00|3"]
[1, "00001|null|3.25|1"]
[10, "00010|d  |1.50|2"]
[11, "00011|a  |1.50|1"]
[12, "00012|b  |1.50|2"]
[13, "00013|c  |1.50|3"]
[14, "00014|null|1.50|null"]
[15, "00015|b  |1.50|null"]
[16, "00016|d  |0.50|3"]
[17, "00017|c  |1.50|4"]
[18, "00018|b  |0.50|3"]
[19, "00019|c  |nu|3"]
[2, "00002|b  |0.50|null"]
[20, "00020|null|nu|1"]
[21, "00021|c  |2.00|1"]
[22, "00022|c  |3.25|3"]
[23, "00023|c  |3.25|2"]
[3, "00003|b  |2.00|1"]
[4, "00004|d  |3.25|2"]
[5, "00005|null|nu|1"]
[6, "00006|b  |1.50|1"]
[7, "00007|d  |1.50|3"]
[8, "00008|d  |0.50|2"]
[9, "00009|b  |nu|5"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, PRINTF('%05d|%-3s|%.2f|%x', id, k, v, n) AS p FROM t;
