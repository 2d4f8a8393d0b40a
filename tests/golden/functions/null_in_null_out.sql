/* rows by: hand
shown takes None; collatz doesn't, and gives NULL for NULL.
["<1>", 0]
["none", null] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION shown AS 'golden_functions.shown' LANGUAGE PYTHON;
CREATE FUNCTION collatz AS 'golden_functions.collatz' LANGUAGE PYTHON;
SELECT shown(n) AS a, collatz(n) AS b FROM (VALUES (1), (CAST(NULL AS INT))) AS t(n);
