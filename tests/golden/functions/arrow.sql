/* rows by: hand
what is more than 3 is 3; NULL stays.
[1, 1]
[7, 3]
[null, null] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION clipped AS 'golden_functions.clipped' LANGUAGE PYTHON;
SELECT n, clipped(n) AS c FROM (VALUES (1), (7), (CAST(NULL AS INT))) AS t(n);
