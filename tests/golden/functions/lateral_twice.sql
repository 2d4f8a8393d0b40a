/* rows by: hand
Each word of a row with each number up to its length.
["a", 1]
["b", 1]
["cc", 1]
["cc", 2] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION cut AS 'golden_functions.cut' LANGUAGE PYTHON;
CREATE FUNCTION upto AS 'golden_functions.upto' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT w, x FROM v, LATERAL TABLE(cut(s, ' ')) AS t(w, i), LATERAL TABLE(upto(CHAR_LENGTH(w))) AS u(x);
