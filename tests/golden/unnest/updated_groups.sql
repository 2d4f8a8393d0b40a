/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1. The groups are updated all the time: what came of an array before is taken back.
[1, 5]
[292, 1]
[293, 1]
[296, 1]
[298, 1]
[299, 1]
[52, 1]
[56, 1]
[59, 1]
[62, 1]
[71, 1] */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT x, COUNT(*) AS c FROM (SELECT k, COUNT(*) AS n, MAX(id) AS m FROM events WHERE id < 300 GROUP BY k), UNNEST(ARRAY[n, m, 1]) AS t(x) GROUP BY x;
