/* rows by: hand
Counts grow to 2 and 1; the rows of the smaller counts are taken back.
["a", 1]
["a", 2]
["b", 1] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION upto AS 'golden_functions.upto' LANGUAGE PYTHON;
SELECT k, x FROM (SELECT k, COUNT(*) AS c FROM (VALUES ('a'), ('b'), ('a')) AS t(k) GROUP BY k), LATERAL TABLE(upto(c)) AS u(x);
