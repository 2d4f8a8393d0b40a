/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[1, "a"]
[1, "b"]
[4, "q"]
*/
CREATE VIEW ops AS SELECT * FROM (VALUES (1, 'I', 'a'), (1, 'R', 'b'), (3, 'D', 'z'), (3, 'I', 'z'), (4, 'R', 'q')) AS x (id, o, v); SELECT * FROM FROM_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(o), op_mapping => MAP['I, R', 'INSERT', 'D', 'DELETE']);
