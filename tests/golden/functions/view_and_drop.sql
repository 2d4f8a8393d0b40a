/* rows by: hand
A view calls it too.
[16] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION collatz AS 'golden_functions.collatz' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
CREATE VIEW w AS SELECT collatz(n) AS c FROM v;
SELECT MAX(c) AS m FROM w;
