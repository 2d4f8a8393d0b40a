/* rows by: hand
1 takes no step, so it is not among them.
[6] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION collatz AS 'golden_functions.collatz' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT n FROM v WHERE collatz(n) > 5 AND n < 7;
