/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1: digits beyond those of the DOUBLE in between are zeros.
["x", "87295.718480583", "3810271232.5205936", "7620542465.041187"]
["y", null, "0", null]
["z", null, null, null]
*/
SELECT k, STDDEV_SAMP(a), VAR_POP(a), VARIANCE(a)
FROM (VALUES ('x', CAST(123456.789012345 AS DECIMAL(20, 9))), ('x', 2.000000001), ('y', 4.0), ('z', CAST(NULL AS DECIMAL(20, 9)))) AS t(k, a)
GROUP BY k;
