/* rows by: hand
Each row by itself.
[1, 1.5]
[4, 6.0]
[null, null] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION scaled AS 'golden_functions.scaled' LANGUAGE PYTHON;
SELECT n, scaled(n, 1.5) AS x FROM (VALUES (1), (4), (CAST(NULL AS INT))) AS t(n);
