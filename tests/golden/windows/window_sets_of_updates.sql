/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2020-01-01T00:00:00.000", "a", 1]
["2020-01-01T00:00:00.000", null, 2]
["2020-01-01T00:00:00.000", "b", 1]
["2020-01-01T00:00:10.000", "a", 0]
["2020-01-01T00:00:10.000", null, 0]
["2020-01-01T00:00:20.000", null, 0]
["2020-01-01T00:00:20.000", "c", 0]
["2020-01-01T00:00:40.000", null, 0]
["2020-01-01T00:00:40.000", "c", 0]
*/
CREATE TABLE t (id INT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '15' SECOND, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '{data}/updates.debezium.jsonl', 'format' = 'debezium-json');
SELECT window_start, k, COUNT(*) FILTER (WHERE v > 8) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY GROUPING SETS ((window_start, window_end, k), (window_start, window_end));
