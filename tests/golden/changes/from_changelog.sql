/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[1, "c"]
[3, "d"]
*/
CREATE VIEW ops AS SELECT * FROM (VALUES (1, 'INSERT', 'a'), (2, 'INSERT', 'b'), (1, 'UPDATE_BEFORE', 'a'), (1, 'UPDATE_AFTER', 'c'), (2, 'DELETE', 'b'), (3, 'INSERT', 'd')) AS x (id, op, v); SELECT * FROM FROM_CHANGELOG(input => TABLE ops);
