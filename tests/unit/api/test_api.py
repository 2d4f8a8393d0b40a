"""The Python API beside SQL, plain Python and DuckDB."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

import fluxcore as fx

ROWS = 5_000


def table():
    number = pa.array(range(ROWS), pa.int64())
    return pa.table(
        {
            "id": number,
            "city": pa.array([None if i % 11 == 0 else f"c{i % 7}" for i in range(ROWS)]),
            "fare": pa.array([None if i % 13 == 0 else (i * 37 % 100) / 4 for i in range(ROWS)]),
            "ts": pa.array([i * 1_000_000 for i in range(ROWS)], pa.int64()).cast(pa.timestamp("us")),
        }
    )


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
def session(request):
    made = fx.Session({"parallelism.default": request.param})
    made.from_arrow(table(), name="rides", watermark=("ts", "5 s"))
    return made


def rows(stream):
    return sorted(stream.to_arrow().to_pylist(), key=repr)


def asked(query):
    rides = table()  # noqa: F841  (DuckDB finds it by its name)
    return sorted(duckdb.sql(query).to_arrow_table().to_pylist(), key=repr)


def test_a_union_takes_the_names_of_its_first_stream(session):
    rides = session.table("rides")
    both = rides.filter(fx.col("id") < 2).select("id").union(rides.filter(fx.col("id") < 1).select(n=fx.col("id") + 5))
    assert rows(both) == [{"id": 0}, {"id": 1}, {"id": 5}]


def test_filter_select_and_computed_columns(session):
    rides = session.table("rides")
    found = rides.filter(fx.col("fare") > 10, fx.col("city").is_not_null()).select("id", double=fx.col("fare") * 2)
    assert rows(found) == asked("SELECT id, fare * 2 AS double FROM rides WHERE fare > 10 AND city IS NOT NULL")
    wide = rides.with_columns(big=fx.col("fare").between(20, 30)).filter(fx.col("big"))
    assert wide.schema.names == ["id", "city", "fare", "ts", "big"]
    assert len(rows(wide)) == len(asked("SELECT 1 FROM rides WHERE fare BETWEEN 20 AND 30"))


def test_the_plan_is_the_one_that_sql_makes(session):
    by_api = session.table("rides").filter(fx.col("fare") > 10.5).select("id")
    by_sql = session.sql("SELECT id FROM rides WHERE fare > 10.5")
    assert by_api.explain().split("rules:")[0] == by_sql.explain().split("rules:")[0]


def test_groups(session):
    found = session.table("rides").group_by("city").agg(
        n=fx.count(), known=fx.count("fare"), total=fx.sum("fare"), least=fx.min("id"), most=fx.max("id"),
        mean=fx.avg("fare"), dear=fx.count().where(fx.col("fare") > 20), kinds=fx.count("fare").distinct(),
    )  # fmt: skip
    wanted = asked(
        "SELECT city, count(*) AS n, count(fare) AS known, sum(fare) AS total, min(id) AS least, max(id) AS most, "
        "avg(fare) AS mean, count(*) FILTER (fare > 20) AS dear, count(DISTINCT fare) AS kinds FROM rides GROUP BY city"
    )
    assert [r["city"] for r in rows(found)] == [r["city"] for r in wanted]
    for got, want in zip(rows(found), wanted, strict=True):
        assert got == pytest.approx(want)


def test_windows(session):
    found = session.table("rides").window(fx.tumble("ts", "1 minute")).group_by("city").agg(n=fx.count())
    wanted = asked("SELECT city, count(*) AS n, time_bucket(INTERVAL '1 minute', ts) AS s FROM rides GROUP BY city, s")
    key = lambda row: (row["city"], row["n"], row.get("s") or row.get("window_start"))  # noqa: E731
    assert sorted(map(key, rows(found)), key=repr) == sorted(map(key, wanted), key=repr)
    sliding = session.table("rides").window(fx.hop("ts", size="1 minute", slide="20 s")).group_by().agg(n=fx.count())
    full = [row["n"] for row in sorted(rows(sliding), key=lambda row: row["window_start"])]
    assert full[2:-3] == [60] * (len(full) - 5)


def test_sessions_and_windows_that_grow(session):
    rides = session.table("rides").filter(fx.col("id") % 100 < 40)
    found = rides.window(fx.session("ts", gap="30 s")).group_by().agg(n=fx.count())
    assert [row["n"] for row in rows(found)] == [40] * 50
    each = rides.window(fx.session("ts", gap="2 minutes", per="city")).group_by("city").agg(n=fx.count())
    assert rows(each.select("city", "n")) == asked(
        "SELECT city, count(*) AS n FROM rides WHERE id % 100 < 40 GROUP BY ALL"
    )
    growing = (
        session.table("rides").window(fx.cumulate("ts", size="1 minute", step="20 s")).group_by().agg(n=fx.count())
    )
    counts = [row["n"] for row in sorted(rows(growing), key=lambda row: row["window_end"])]
    assert counts[:6] == [20, 40, 60, 20, 40, 60]


def test_joins_in_event_time(session):
    rides = session.table("rides")
    dear, cheap = (rides.filter(c).select("id", "city", "ts") for c in (fx.col("fare") > 20, fx.col("fare") < 2))
    near = dear.join(cheap, on=["city"], within=("10 s", "1 minute"))
    assert rows(near.select("id", "id0")) == asked("""
      SELECT a.id, b.id AS id0 FROM (FROM rides WHERE fare > 20) a JOIN (FROM rides WHERE fare < 2) b ON a.city = b.city
        AND b.ts BETWEEN a.ts - INTERVAL 10 SECOND AND a.ts + INTERVAL 1 MINUTE""")
    assert "IntervalJoin" in near.explain()
    for how in ("inner", "left"):
        last = dear.join_as_of(cheap, on=["city"], how=how).select("id", "id0")
        assert rows(last) == asked(f"""
          SELECT a.id, b.id AS id0 FROM (FROM rides WHERE fare > 20) a
          ASOF {how} JOIN (FROM rides WHERE fare < 2) b ON a.city = b.city AND a.ts >= b.ts""")
        near = dear.join_as_of(cheap, on=["city"], how=how, tolerance="90 s").select("id", "id0")
        assert rows(near) == asked(f"""
          WITH met AS (SELECT a.id, a.ts, b.id AS id0, b.ts AS ts0 FROM (FROM rides WHERE fare > 20) a
            ASOF LEFT JOIN (FROM rides WHERE fare < 2) b ON a.city = b.city AND a.ts >= b.ts)
          SELECT id, CASE WHEN ts0 >= ts - INTERVAL 90 SECOND THEN id0 END AS id0 FROM met
          WHERE {how == "left"} OR ts0 >= ts - INTERVAL 90 SECOND""")
    with pytest.raises(fx.ScriptError, match="as of"):
        dear.join_as_of(cheap, on=["city"], how="full")
    with pytest.raises(fx.ScriptError, match="no event time"):
        rides.select("id", "city").join_as_of(cheap, on=["city"])


@pytest.mark.parametrize(("how", "word"), [("semi", ""), ("anti", "NOT ")])
def test_windowed_streams_that_keep_rows_with_or_without_a_partner(session, how, word):
    rides = session.table("rides").window(fx.tumble("ts", "1 minute"))
    dear, cheap = rides.filter(fx.col("fare") > 20), rides.filter(fx.col("fare") < 2)
    found = dear.join(cheap, on=["city"], how=how).select("id", "window_start")
    assert rows(found) == asked(f"""
      WITH w AS (SELECT *, time_bucket(INTERVAL 1 MINUTE, ts) AS window_start FROM rides)
      SELECT id, window_start FROM w AS a WHERE fare > 20 AND {word}EXISTS (
        SELECT 1 FROM w AS b WHERE b.fare < 2 AND b.city = a.city AND b.window_start = a.window_start)""")
    assert "WindowJoin" in found.explain()


@pytest.mark.parametrize("keep", ["first", "last"])
def test_one_row_of_each_key(session, keep):
    rides = session.table("rides")
    order = "ts" if keep == "first" else "ts DESC"
    query = "SELECT id{more} FROM {of} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"
    wanted = asked(query.format(more="", of="rides", keys="city", order=order))
    assert rows(rides.deduplicate("city", keep).select("id")) == wanted
    plain = session.from_arrow(table())
    assert rows(plain.deduplicate(["city"], keep=keep).select("id")) == wanted
    windowed = rides.window(fx.tumble("ts", "10 minutes")).deduplicate("city", keep)
    of = "(SELECT *, time_bucket(INTERVAL 10 MINUTE, ts) AS s FROM rides)"
    assert rows(windowed.select("id")) == asked(query.format(more="", of=of, keys="s, city", order=order))
    with pytest.raises(fx.ScriptError, match="first or last"):
        rides.deduplicate("city", keep="best")


def test_union_join_top_over_sort_and_limit(session):
    rides = session.table("rides")
    twice = rides.select("id").union(rides.select("id"))
    assert len(rows(twice)) == 2 * ROWS
    joined = rides.select("id", "city").join(rides.select("id", "fare"), on=["id"])
    assert rows(joined.select("id", "fare")) == asked("SELECT id, fare FROM rides")
    best = rides.filter(fx.col("fare").is_not_null()).top(1, by=["fare", "id"], per=["city"]).select("city", "id")
    assert rows(best) == asked(
        "SELECT city, id FROM rides WHERE fare IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY city ORDER BY fare DESC, id DESC) = 1"
    )
    before = rides.over(partition_by="city", order_by="ts", last=fx.lag("id")).select("id", "last")
    assert rows(before) == asked("SELECT id, lag(id) OVER (PARTITION BY city ORDER BY ts) AS last FROM rides")
    assert rides.select("id").sort("id", ascending=False).limit(3).to_arrow()["id"].to_pylist() == [4999, 4998, 4997]


def test_over_with_frames_and_orders(session):
    rides = session.table("rides")
    found = rides.over(
        partition_by="city",
        order_by=["fare", "id"],
        ascending=False,
        place=fx.row_number(),
        after=fx.lead("id", 1, -1),
        near=fx.count().rows(2, 3),
        all=fx.sum("id").rows(None, None),
    )
    assert rows(found.select("id", "place", "after", "near", "all")) == asked(
        "SELECT id, row_number() OVER w AS place, lead(id, 1, -1) OVER w AS after, "
        "count(*) OVER (w ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING) AS near, "
        "sum(id) OVER (PARTITION BY city) ::BIGINT AS all FROM rides "
        "WINDOW w AS (PARTITION BY city ORDER BY fare DESC NULLS LAST, id DESC)"
    )
    recent = rides.over(
        order_by="ts", n=fx.count().range("1 minute"), m=fx.max("id").where(fx.col("fare") > 10).rows(9)
    )
    assert rows(recent.select("id", "n", "m")) == asked(
        "SELECT id, count(*) OVER (ORDER BY ts RANGE BETWEEN INTERVAL 1 MINUTE PRECEDING AND CURRENT ROW) AS n, "
        "max(id) FILTER (WHERE fare > 10) OVER (ORDER BY ts, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS m FROM rides"
    )


def test_results_in_three_forms_and_batch_by_batch(session):
    stream = session.table("rides").select("id", "fare")
    arrow = stream.to_arrow()
    assert arrow.num_rows == ROWS
    polars = pytest.importorskip("polars")
    frame = stream.to_polars()
    assert isinstance(frame, polars.DataFrame)
    assert sorted(frame["id"].to_list()) == list(range(ROWS))
    pytest.importorskip("pandas")
    pandas = stream.to_pandas()
    assert str(pandas.dtypes["fare"]) == "double[pyarrow]"
    assert sum(batch.num_rows for batch in stream.batches()) == ROWS


def test_the_changelog_of_an_updated_query():
    session = fx.Session({"parallelism.default": "1"})
    session.from_arrow(
        [pa.record_batch({"k": ["a", "a"], "v": [1, 2]}), pa.record_batch({"k": ["a"], "v": [3]})], name="t"
    )
    found = [row for b in session.sql("SELECT k, SUM(v) AS s FROM t GROUP BY k").batches(changelog=True) for row in b.to_pylist()]  # fmt: skip
    assert found == [
        {"op": "+I", "k": "a", "s": 3}, {"op": "-U", "k": "a", "s": 3}, {"op": "+U", "k": "a", "s": 6},
    ]  # fmt: skip


def test_an_endless_query_is_closed_with_its_iterator():
    session = fx.Session()
    session.execute("CREATE TABLE g (x INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100000')")
    batches = session.table("g").batches()
    assert next(batches).num_rows > 0
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)


def test_a_reader_is_a_source_that_is_read_as_it_comes():
    seen = []

    def batches():
        for number in range(4):
            seen.append(number)
            yield pa.RecordBatch.from_pydict({"n": pa.array([number, number], pa.int64())})

    def reader():
        return pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), batches())

    session = fx.Session({"parallelism.default": "1"})
    stream = session.from_arrow(reader(), name="t")
    assert seen == []
    assert session.sql("SELECT n, COUNT(*) AS c FROM t GROUP BY n").to_arrow()["c"].to_pylist() == [2, 2, 2, 2]
    with pytest.raises(fx.FluxError, match="read already"):
        stream.to_arrow()
    endless = session.from_arrow(reader(), name="u", endless=True)
    with pytest.raises(fx.ScriptError, match="never ends"):
        endless.group_by("n").agg(c=fx.count()).to_arrow()


def test_a_reader_that_breaks_or_lies_fails_the_job_and_says_why():
    schema = pa.schema([("n", pa.int64())])

    def broken():
        yield pa.RecordBatch.from_pydict({"n": [1]})
        raise ValueError("the feed broke")

    def lying():
        yield pa.RecordBatch.from_pydict({"n": ["x"]})

    for batches, words in ((broken, "the feed broke"), (lying, "'x'")):
        stream = fx.Session().from_arrow(pa.RecordBatchReader.from_batches(schema, batches()), name="live")
        with pytest.raises(fx.JobError, match=words) as caught:
            stream.to_arrow()
        assert "live" in str(caught.value)


def test_writing_into_a_table(session, tmp_path):
    session.execute(
        f"CREATE TABLE `out` (id BIGINT, fare DOUBLE) WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'o'}', "
        "'format' = 'json')"
    )
    session.table("rides").select("id", "fare").write("out")
    assert sum(len(file.read_text().splitlines()) for file in (tmp_path / "o").iterdir()) == ROWS


def test_files_are_read_by_their_suffix(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,a\n2,b\n")
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    stream = fx.Session().read(path, schema=schema)
    assert rows(stream) == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


@pytest.mark.parametrize(
    ("wrong", "code", "hint"),
    [
        (lambda s: s.table("rides").select("farre"), "FX-API-0001", "fare"),
        (lambda s: s.table("rides").filter(fx.col("farre") > 1), "FX-API-0001", "fare"),
        (lambda s: s.table("ride"), "FX-SQL-0203", "rides"),
        (lambda s: s.sql("SELEC 1"), "FX-SQL-0106", None),
        (lambda s: s.table("rides").window(fx.tumble("id", "1 minute")), "FX-API-0002", None),
        (lambda s: s.table("rides").window(fx.tumble("ts", "1 minuet")), "FX-API-0003", None),
        (lambda s: s.table("rides").filter(fx.col("fare")), None, None),
        (lambda s: s.table("rides").over(partition_by="city", x=fx.lag("id")), "FX-API-0012", None),
        (lambda s: s.table("rides").over(order_by="ts", x=fx.rank().rows(1)), "FX-API-0012", None),
        (lambda s: s.table("rides").over(order_by="ts", x=fx.sum("id").rows(1, -2)), "FX-API-0012", None),
        (lambda s: s.table("rides").over(order_by="ts", x=fx.ntile(0)), "FX-SQL-0315", None),
        (lambda s: s.from_arrow(table(), name="x", watermark=("id", "5 s")), "FX-API-0010", None),
        (lambda s: s.read("x.dat", schema=pa.schema([("a", pa.int64())])), "FX-API-0009", None),
        (lambda s: fx.Session(target="moon"), None, None),
        (lambda s: fx.Session({"parallelism.defalt": "1"}), None, "parallelism.default"),
    ],
)
def test_mistakes_are_script_errors_that_say_what_to_do(session, wrong, code, hint):
    with pytest.raises(fx.ScriptError) as caught:
        wrong(session)
    if code is not None:
        assert caught.value.code == code
    if hint is not None:
        assert hint in str(caught.value.hint) + str(caught.value)


def test_a_column_has_no_truth_value():
    with pytest.raises(TypeError, match="write & for and"):
        bool(fx.col("a") > 1)


def test_the_shared_session_and_the_names_of_the_package():
    fx.from_arrow(pa.table({"a": [1, 2]}), name="shared_numbers")
    assert rows(fx.sql("SELECT SUM(a) AS s FROM shared_numbers")) == [{"s": 3}]
    for name in fx.__all__:
        assert getattr(fx, name) is not None
    with pytest.raises(AttributeError):
        fx.nothing  # noqa: B018
