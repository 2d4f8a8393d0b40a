/* rows by: hand
Both counts grow from 1 to 2, and what they were called before is taken back.
["nn2"] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION longest AS 'golden_functions.Longest' LANGUAGE PYTHON;
SELECT longest(s) AS l FROM (SELECT k, CASE WHEN COUNT(*) = 1 THEN 'nnn1' WHEN COUNT(*) = 2 THEN 'nn2' END AS s FROM (VALUES ('a'), ('b'), ('a'), ('b')) AS t(k) GROUP BY k);
