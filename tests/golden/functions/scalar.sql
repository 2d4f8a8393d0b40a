/* rows by: hand
6 takes 8 steps: 3 10 5 16 8 4 2 1; 7 takes 16.
[1, 0]
[6, 8]
[7, 16] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION collatz AS 'golden_functions.collatz' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT n, COLLATZ(n) AS steps FROM v;
