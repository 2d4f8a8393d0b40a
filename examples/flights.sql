-- A year of flights from New York, as a stream.
--
-- `fluxcore demo` prepares the two input files and runs this script; afterwards you can run it yourself:
--     fluxcore run examples/flights.sql
--
-- 1. The input. Each line of flights.csv is one departure (or cancellation), in the order in which it really happened:
--    a flight that was planned for 9:00 and left at 11:30 comes behind one that left at 10:00. Its event time is the
--    planned time, so event time is out of order. The watermark says that we wait two hours for such flights; those that
--    come even later are late: they are left out of what has been answered already, counted, and kept in a folder.

SET 'fluxcore.late-rows.path' = 'work/demo/late';

CREATE TABLE flights (
  event_time TIMESTAMP(3),        -- planned departure, UTC
  happened   TIMESTAMP(3),        -- when it really left, UTC
  origin     STRING,
  dest       STRING,
  carrier    STRING,
  flight     INT,
  tailnum    STRING,              -- the aircraft
  dep_delay  DOUBLE,              -- minutes; NULL for a cancelled flight
  distance   INT,                 -- miles
  WATERMARK FOR event_time AS event_time - INTERVAL '2' HOUR
) WITH (
  'connector' = 'filesystem',
  'path' = 'work/demo/input/flights.csv',
  'format' = 'csv',
  'csv.header' = 'true',          -- ours: Flink's csv format knows no header
  'csv.null-literal' = ''
);

CREATE TABLE weather (
  event_time TIMESTAMP(3),
  origin     STRING,
  temp       DOUBLE,              -- degrees Fahrenheit
  wind_speed DOUBLE,              -- miles per hour
  precip     DOUBLE,              -- inches
  visib      DOUBLE,              -- miles
  WATERMARK FOR event_time AS event_time - INTERVAL '2' HOUR
) WITH (
  'connector' = 'filesystem',
  'path' = 'work/demo/input/weather.csv',
  'format' = 'csv',
  'csv.header' = 'true',
  'csv.null-literal' = ''
);

-- 2. Where the answers go: one folder of Parquet files each.

CREATE TABLE hourly (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3), origin STRING,
  departures BIGINT, cancelled BIGINT, mean_delay DOUBLE, p95_delay DOUBLE
) WITH ('connector' = 'filesystem', 'path' = 'work/demo/answers/hourly', 'format' = 'parquet');

CREATE TABLE worst_routes (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3), place BIGINT,
  origin STRING, dest STRING, flights BIGINT, mean_delay DOUBLE
) WITH ('connector' = 'filesystem', 'path' = 'work/demo/answers/worst_routes', 'format' = 'parquet');

CREATE TABLE delays_and_weather (
  window_start TIMESTAMP(3), origin STRING, departures BIGINT, mean_delay DOUBLE,
  temp DOUBLE, wind_speed DOUBLE, precip DOUBLE, visib DOUBLE
) WITH ('connector' = 'filesystem', 'path' = 'work/demo/answers/delays_and_weather', 'format' = 'parquet');

CREATE TABLE twice_late (
  event_time TIMESTAMP(3), tailnum STRING, carrier STRING, flight INT, origin STRING, dest STRING,
  previous_delay DOUBLE, dep_delay DOUBLE
) WITH ('connector' = 'filesystem', 'path' = 'work/demo/answers/twice_late', 'format' = 'parquet');

-- 3. Tumbling windows: every hour, per airport. A view costs nothing, and the two questions below share its work.

CREATE VIEW hours AS
SELECT
  window_start, window_end, origin,
  COUNT(dep_delay) AS departures,
  COUNT(*) - COUNT(dep_delay) AS cancelled,
  AVG(dep_delay) AS mean_delay,
  PERCENTILE(dep_delay, 0.95) AS p95_delay
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, origin;

INSERT INTO hourly
SELECT window_start, window_end, origin, departures, cancelled, mean_delay, p95_delay FROM hours;

-- 4. Sliding windows and Top-N: the three worst routes of the last 24 hours, told anew every hour. A route counts when at
--    least ten flights left on it. ROW_NUMBER with a bound on it is how Flink writes Top-N.

INSERT INTO worst_routes
SELECT window_start, window_end, place, origin, dest, flights, mean_delay
FROM (
  SELECT *, ROW_NUMBER() OVER (
      PARTITION BY window_start, window_end ORDER BY mean_delay DESC, origin, dest) AS place
  FROM (
    SELECT window_start, window_end, origin, dest, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay
    FROM TABLE(HOP(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' HOUR, INTERVAL '24' HOUR))
    WHERE dep_delay IS NOT NULL
    GROUP BY window_start, window_end, origin, dest
    HAVING COUNT(*) >= 10
  )
)
WHERE place <= 3;

-- 5. A window join: the delays of each hour beside the weather of that hour.

INSERT INTO delays_and_weather
SELECT h.window_start, h.origin, h.departures, h.mean_delay, w.temp, w.wind_speed, w.precip, w.visib
FROM hours h
JOIN (
  SELECT window_start, window_end, origin,
    AVG(temp) AS temp, MAX(wind_speed) AS wind_speed, MAX(precip) AS precip, MIN(visib) AS visib
  FROM TABLE(TUMBLE(TABLE weather, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
  GROUP BY window_start, window_end, origin
) w ON h.window_start = w.window_start AND h.window_end = w.window_end AND h.origin = w.origin;

-- 6. OVER: aircraft that left more than an hour late twice in a row.

INSERT INTO twice_late
SELECT event_time, tailnum, carrier, flight, origin, dest, previous_delay, dep_delay
FROM (
  SELECT *, LAG(dep_delay) OVER (PARTITION BY tailnum ORDER BY event_time) AS previous_delay
  FROM flights
  WHERE dep_delay IS NOT NULL AND tailnum IS NOT NULL
)
WHERE dep_delay > 60 AND previous_delay > 60;
