-- A shop: what comes in, cleaned, joined, counted in windows, ranked, and written to eight tables by one job.
SET 'parallelism.default' = '2';
SET 'table.exec.state.ttl' = '1 d';

CREATE TABLE orders (
  order_id BIGINT,
  customer_id BIGINT,
  shop STRING,
  currency STRING,
  status STRING,
  total DECIMAL(12, 2),
  note STRING,
  created TIMESTAMP(3),
  WATERMARK FOR created AS created - INTERVAL '5' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '100',
  'fields.customer_id.min' = '1',
  'fields.customer_id.max' = '1000'
);

CREATE TABLE order_items (
  order_id BIGINT,
  product_id BIGINT,
  quantity INT,
  price DECIMAL(10, 2),
  added TIMESTAMP(3),
  amount AS price * quantity,
  WATERMARK FOR added AS added - INTERVAL '5' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '300'
);

CREATE TABLE payments (
  payment_id BIGINT,
  order_id BIGINT,
  paid_by STRING,
  amount DECIMAL(12, 2),
  paid TIMESTAMP(3),
  WATERMARK FOR paid AS paid - INTERVAL '10' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '100'
);

CREATE TABLE clicks (
  session_id STRING,
  customer_id BIGINT,
  url STRING,
  referrer STRING,
  clicked TIMESTAMP(3),
  WATERMARK FOR clicked AS clicked - INTERVAL '2' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '1000'
);

CREATE TABLE customers (
  customer_id BIGINT,
  name STRING,
  country STRING,
  segment STRING,
  changed TIMESTAMP(3),
  PRIMARY KEY (customer_id) NOT ENFORCED,
  WATERMARK FOR changed AS changed
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '5'
);

CREATE TABLE products (
  product_id BIGINT,
  title STRING,
  category STRING,
  weight DOUBLE,
  tags STRING
) WITH (
  'connector' = 'datagen',
  'number-of-rows' = '5000'
);

CREATE TABLE sales_by_shop (shop STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), orders BIGINT, customers BIGINT, total DECIMAL(38, 2))
  WITH ('connector' = 'blackhole');
CREATE TABLE best_products (window_end TIMESTAMP(3), category STRING, place BIGINT, title STRING, sold BIGINT)
  WITH ('connector' = 'blackhole');
CREATE TABLE unpaid (order_id BIGINT, name STRING, total DECIMAL(12, 2), created TIMESTAMP(3))
  WITH ('connector' = 'blackhole');
CREATE TABLE sessions (session_id STRING, customer_id BIGINT, started TIMESTAMP(3), ended TIMESTAMP(3), clicks BIGINT, pages BIGINT, kind STRING)
  WITH ('connector' = 'blackhole');
CREATE TABLE spenders (country STRING, place BIGINT, customer_id BIGINT, spent DECIMAL(38, 2))
  WITH ('connector' = 'blackhole');
CREATE TABLE suspicious (order_id BIGINT, customer_id BIGINT, total DECIMAL(12, 2), before DECIMAL(12, 2), reason STRING)
  WITH ('connector' = 'blackhole');
CREATE TABLE tag_counts (tag STRING, window_end TIMESTAMP(3), sold BIGINT)
  WITH ('connector' = 'blackhole');
CREATE TABLE segments (segment STRING, country STRING, orders BIGINT, average DECIMAL(38, 6), largest DECIMAL(12, 2))
  WITH ('connector' = 'blackhole');

CREATE VIEW valid_orders AS
SELECT
  order_id,
  customer_id,
  UPPER(TRIM(shop)) AS shop,
  CASE currency WHEN 'EUR' THEN total WHEN 'USD' THEN total * 0.92 ELSE total * 1.17 END AS euros,
  total,
  status,
  created
FROM orders
WHERE status <> 'cancelled' AND total > 0 AND shop IS NOT NULL;

CREATE VIEW sold_items AS
SELECT i.order_id, i.product_id, i.quantity, i.amount, i.added, p.title, p.category, p.tags
FROM order_items AS i
JOIN products AS p ON i.product_id = p.product_id
WHERE i.quantity BETWEEN 1 AND 1000;

CREATE VIEW item_windows AS
SELECT product_id, window_start, window_end, SUM(quantity) AS sold, SUM(amount) AS amount
FROM TABLE(HOP(TABLE order_items, DESCRIPTOR(added), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE))
WHERE quantity BETWEEN 1 AND 1000
GROUP BY product_id, window_start, window_end;

CREATE VIEW known_orders AS
SELECT o.order_id, o.customer_id, o.shop, o.euros, o.total, o.created, c.name, c.country, c.segment
FROM valid_orders AS o
LEFT JOIN customers FOR SYSTEM_TIME AS OF o.created AS c ON o.customer_id = c.customer_id;

EXECUTE STATEMENT SET
BEGIN

INSERT INTO sales_by_shop
SELECT shop, window_start, window_end, COUNT(*), COUNT(DISTINCT customer_id), SUM(total)
FROM TABLE(TUMBLE(TABLE valid_orders, DESCRIPTOR(created), INTERVAL '5' MINUTE))
GROUP BY shop, window_start, window_end;

INSERT INTO best_products
SELECT window_end, category, place, title, sold
FROM (
  SELECT w.window_start, w.window_end, p.category, p.title, w.sold,
    ROW_NUMBER() OVER (PARTITION BY w.window_start, w.window_end, p.category ORDER BY w.sold DESC) AS place
  FROM item_windows AS w
  JOIN products AS p ON w.product_id = p.product_id
)
WHERE place <= 5;

INSERT INTO unpaid
SELECT o.order_id, o.name, o.total, o.created
FROM known_orders AS o
LEFT JOIN payments AS p
  ON o.order_id = p.order_id AND p.paid BETWEEN o.created AND o.created + INTERVAL '1' HOUR
WHERE p.payment_id IS NULL AND o.country IN ('DE', 'FR', 'IT', 'ES', 'PL') AND o.total > 50;

INSERT INTO sessions
SELECT session_id, customer_id, window_start, window_end, COUNT(*), COUNT(DISTINCT url),
  CASE
    WHEN COUNT(*) = 1 THEN 'bounced'
    WHEN SUM(CASE WHEN url LIKE '%/checkout%' THEN 1 ELSE 0 END) > 0 THEN 'bought'
    WHEN COUNT(*) FILTER (WHERE REGEXP(referrer, '(google|bing)\.com')) > 0 THEN 'searched'
    ELSE 'looked around'
  END
FROM TABLE(SESSION(TABLE clicks PARTITION BY (session_id, customer_id), DESCRIPTOR(clicked), INTERVAL '30' MINUTE))
WHERE customer_id IS NOT NULL
GROUP BY session_id, customer_id, window_start, window_end;

INSERT INTO spenders
SELECT country, place, customer_id, spent
FROM (
  SELECT country, customer_id, spent, ROW_NUMBER() OVER (PARTITION BY country ORDER BY spent DESC) AS place
  FROM (
    SELECT country, customer_id, SUM(total) AS spent
    FROM known_orders
    WHERE country IS NOT NULL
    GROUP BY country, customer_id
    HAVING SUM(total) > 1000
  )
)
WHERE place <= 10;

INSERT INTO suspicious
SELECT order_id, customer_id, total, before, CONCAT('from ', CAST(before AS STRING), ' to ', CAST(total AS STRING))
FROM (
  SELECT order_id, customer_id, total, LAG(total) OVER (PARTITION BY customer_id ORDER BY created) AS before
  FROM valid_orders
)
WHERE before IS NOT NULL AND total > before * 20
  AND customer_id IN (SELECT customer_id FROM customers WHERE segment = 'new');

INSERT INTO tag_counts
SELECT tag, window_end, SUM(quantity)
FROM TABLE(CUMULATE(TABLE order_items, DESCRIPTOR(added), INTERVAL '10' MINUTE, INTERVAL '1' HOUR)) AS w
JOIN products AS p ON w.product_id = p.product_id
CROSS JOIN UNNEST(SPLIT(p.tags, ',')) AS t (tag)
GROUP BY tag, window_end;

INSERT INTO segments
SELECT COALESCE(segment, 'unknown'), COALESCE(country, 'unknown'), COUNT(*), CAST(AVG(total) AS DECIMAL(38, 6)), MAX(total)
FROM known_orders
WHERE NOT EXISTS (SELECT 1 FROM sold_items AS s WHERE s.order_id = known_orders.order_id AND s.category = 'gifts')
GROUP BY COALESCE(segment, 'unknown'), COALESCE(country, 'unknown');

END;
