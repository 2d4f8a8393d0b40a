/* rows by: hand
Each row by itself.
["a b"] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION longest AS 'golden_functions.Longest' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT longest(s) AS l FROM v;
