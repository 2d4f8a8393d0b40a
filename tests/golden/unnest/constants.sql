/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
[1, 2]
[2, 3]
[3, 1] */
SELECT * FROM UNNEST(ARRAY[3, 1, 2]) WITH ORDINALITY AS t(x, i);
