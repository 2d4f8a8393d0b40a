/* rows by: hand
0, 8 and 16 are all multiples of 8.
[0, 3, 24] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION collatz AS 'golden_functions.collatz' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT MOD(collatz(n), 8) AS k, COUNT(*) AS c, SUM(collatz(n)) AS s FROM v GROUP BY MOD(collatz(n), 8);
