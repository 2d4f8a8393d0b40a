/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[2, "z"]
*/
CREATE VIEW ops AS SELECT * FROM (VALUES (1, 'INSERT', 'a'), (1, 'UPDATE_BEFORE', 'a'), (1, 'UPDATE_AFTER', 'b'), (3, 'INSERT', 'z')) AS x (id, op, v); SELECT COUNT(*), MAX(v) FROM FROM_CHANGELOG(input => TABLE ops);
