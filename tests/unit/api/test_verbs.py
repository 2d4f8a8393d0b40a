"""Verbs over whole rows: functions that keep nothing, samples, splits, reducing by key, enriching."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

import fluxcore as fx

ROWS = 10_000


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
def rides(request):
    session = fx.Session({"parallelism.default": request.param})
    return session.from_arrow(
        pa.table(
            {
                "id": pa.array(range(ROWS), pa.int64()),
                "city": [None if i % 11 == 0 else f"c{i % 7}" for i in range(ROWS)],
                "ts": pa.array([i * 1_000_000 for i in range(ROWS)], pa.int64()).cast(pa.timestamp("us")),
            }
        ),
        name="rides",
        watermark=("ts", "5 s"),
    )


def by_id(stream):
    return sorted(stream.to_arrow().to_pylist(), key=lambda row: row["id"])


def test_map_gives_a_row_or_none_for_each(rides):
    def even(row):
        return {"id": row["id"], "half": row["id"] // 2} if row["id"] % 2 == 0 else None

    found = rides.map(even, schema={"half": pa.int64(), "id": pa.int64()})
    assert by_id(found) == [{"half": i // 2, "id": i} for i in range(0, ROWS, 2)]
    assert found.schema.names == ["half", "id"]


def test_flat_map_gives_any_number_of_rows(rides):
    def copies(row):
        for number in range(row["id"] % 3):
            yield {"id": row["id"], "number": number, "city": row["city"]}

    found = rides.flat_map(copies, schema={"id": pa.int64(), "number": pa.int32(), "city": pa.string()}).to_arrow()
    assert found.num_rows == sum(i % 3 for i in range(ROWS))
    assert Counter(found["number"].to_pylist()) == Counter(n for i in range(ROWS) for n in range(i % 3))


def test_times_go_along_into_windows(rides):
    found = rides.flat_map(
        lambda row: [{"at": row["ts"], "city": row["city"]}] * 2,
        schema={"at": pa.timestamp("ms"), "city": pa.string()},
        time="at",
    )
    counts = found.window(fx.tumble("at", "1 hour")).group_by("city").agg(n=fx.count()).to_arrow()
    wanted = rides.window(fx.tumble("ts", "1 hour")).group_by("city").agg(n=fx.count()).to_arrow()
    key = lambda row: (row["window_start"], row["city"] or "")  # noqa: E731
    twice = [{**row, "n": row["n"] * 2} for row in sorted(wanted.to_pylist(), key=key)]
    assert sorted(counts.to_pylist(), key=key) == twice


def test_map_batches_takes_and_gives_columns(rides):
    found = rides.map_batches(lambda batch: {"id": batch["id"]}, schema={"id": pa.int64()})
    assert by_id(found) == [{"id": i} for i in range(ROWS)]

    def thinned(batch):
        kept = pa.array([i for i, each in enumerate(batch["id"].to_pylist()) if each % 10 == 0], pa.int64())
        return batch.select(["id"]).take(kept), kept.to_numpy()

    assert by_id(rides.map_batches(thinned, schema={"id": pa.int64()})) == [{"id": i} for i in range(0, ROWS, 10)]
    assert rides.map_batches(lambda batch: None, schema={"id": pa.int64()}).to_arrow().num_rows == 0


def test_rows_that_are_taken_back_are_mapped_too(rides):
    counts = rides.group_by("city").agg(n=fx.count())
    found = counts.map(
        lambda row: {"city": row["city"] or "-", "n": -row["n"]}, schema={"city": pa.string(), "n": pa.int64()}
    )
    wanted = {row["city"] or "-": -row["n"] for row in counts.to_arrow().to_pylist()}
    changed = Counter()
    for batch in found.batches(changelog=True):
        for row in batch.to_pylist():
            changed[row["city"], row["n"]] += 1 if row["op"] in ("+I", "+U") else -1
    assert {key for key, count in changed.items() if count} == set(wanted.items())
    fewer = counts.map_batches(lambda batch: batch.select(["n"]).slice(1), schema={"n": pa.int64()})
    with pytest.raises(fx.JobError, match="taken back"):
        list(fewer.batches(changelog=True))


def test_errors_name_the_function_its_line_and_the_row(rides):
    def broken(row):
        return {"id": 1 // row["id"]}

    with pytest.raises(fx.FluxError, match="ZeroDivisionError") as told:
        rides.map(broken, schema={"id": pa.int64()}).to_arrow()
    assert told.value.code == "FX-RUN-0210"
    assert "broken" in told.value.hint
    assert "test_verbs.py" in told.value.hint
    assert "'id': 0" in told.value.hint
    with pytest.raises(fx.FluxError, match="does not fit its schema") as unfit:
        rides.map(lambda row: {"di": row["id"]}, schema={"id": pa.int64()}).to_arrow()
    assert unfit.value.code == "FX-RUN-0211"
    with pytest.raises(fx.FluxError, match="differ in length|does not fit|do not fit"):
        rides.map_batches(lambda batch: {"no": batch["id"]}, schema={"id": pa.int64()}).to_arrow()
    with pytest.raises(fx.FluxError, match="with 1 numbers"):
        rides.map_batches(lambda batch: (batch.select(["id"]), [0]), schema={"id": pa.int64()}).to_arrow()

    async def waits(row):
        return row

    for wrong in (waits, 5):
        with pytest.raises(fx.ScriptError) as refused:
            rides.map(wrong, schema={"id": pa.int64()})
        assert refused.value.code == "FX-API-0021"


def test_a_sample_has_its_share_and_is_the_same_again(rides):
    first = {row["id"] for row in by_id(rides.sample(0.1))}
    assert first == {row["id"] for row in by_id(rides.sample(0.1))}
    assert abs(len(first) - ROWS / 10) < 4 * (ROWS * 0.09) ** 0.5
    assert first != {row["id"] for row in by_id(rides.sample(0.1, seed=1))}
    assert first < {row["id"] for row in by_id(rides.sample(0.2))}, "a larger share holds the smaller one"
    assert by_id(rides.sample(0)) == []
    assert len(by_id(rides.sample(1))) == ROWS
    with pytest.raises(fx.ScriptError, match="between 0 and 1"):
        rides.sample(10)


def test_a_sample_by_key_keeps_all_rows_of_a_key(rides):
    counts = {row["city"]: row["n"] for row in rides.group_by("city").agg(n=fx.count()).to_arrow().to_pylist()}
    kept = rides.sample(0.5, by="city").group_by("city").agg(n=fx.count()).to_arrow().to_pylist()
    assert 0 < len(kept) < len(counts)
    assert all(counts[row["city"]] == row["n"] for row in kept)


def test_a_split_sends_each_row_to_one_stream(rides):
    first, second, rest = rides.split(fx.col("city") == "c1", fx.col("id") < 100)
    tables = fx.collect(first, second, rest)
    ids = [set(table["id"].to_pylist()) for table in tables]
    assert ids[0] == {i for i in range(ROWS) if i % 11 and i % 7 == 1}
    assert ids[1] == set(range(100)) - ids[0]
    assert ids[2] == set(range(ROWS)) - ids[0] - ids[1], "NULL is not TRUE: its rows are among the rest"


def test_reduce_keeps_what_each_key_has_come_to(rides):
    def longest(kept, row):
        return {**row, "id": kept["id"] + row["id"]}

    sums = rides.select("city", "id").key_by("city").reduce(longest).deduplicate("city", keep="last")
    wanted = {row["city"]: row["n"] for row in rides.group_by("city").agg(n=fx.sum("id")).to_arrow().to_pylist()}
    assert {row["city"]: row["id"] for row in sums.to_arrow().to_pylist()} == wanted


def test_reduce_gives_a_row_for_each_and_names_what_fails(rides):
    rows = rides.select("city", "id").key_by("city").reduce(lambda kept, row: kept).to_arrow()
    assert rows.num_rows == ROWS

    def broken(kept, row):
        raise ValueError("no")

    with pytest.raises(fx.FluxError, match="no") as told:
        rides.select("city", "id").key_by("city").reduce(broken).to_arrow()
    assert "broken" in told.value.hint
    with pytest.raises(fx.ScriptError):
        rides.key_by("town")


def test_enrich_appends_what_a_table_holds(rides):
    names = rides.session.from_arrow(pa.table({"city": ["c1", "c2"], "name": ["One", "Two"]}), name="names")
    found = rides.select("id", "city").enrich(names, on=["city"]).to_arrow().to_pylist()
    assert len(found) == ROWS
    assert {(row["city"], row["name"]) for row in found} >= {("c1", "One"), ("c2", "Two"), ("c3", None), (None, None)}
    inner = rides.select("id", "city").enrich(names, on=["city"], how="inner").to_arrow()
    assert set(inner["city"].to_pylist()) == {"c1", "c2"}
    with pytest.raises(fx.ScriptError):
        rides.enrich(names, on=["city"], how="full")
