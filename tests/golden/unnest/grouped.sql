/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
["a", 616, 2433]
["b", 607, 2481]
["c", 573, 2264]
["d", 635, 2630]
["long text, with comma", 749, 3032]
["quote \" inside", 775, 3094]
["x", 720, 2918]
["é", 569, 2331]
[null, 756, 3095] */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT x, COUNT(*) AS c, SUM(n) AS s FROM events, UNNEST(ARRAY[k, note]) AS t(x) GROUP BY x;
