"""datagen and Nexmark: how many rows, of what kind, and the same ones for the same seed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.nexmark.files import FileOptions, write_files
from fluxcore.errors import ScriptError


def table(ddl, query="SELECT * FROM g", parallelism="1"):
    session = Session({"parallelism.default": parallelism})
    session.execute(ddl)
    return session.sql(query).to_arrow()


def with_options(options):
    return ", ".join(f"'{key}' = '{value}'" for key, value in options.items())


def datagen(columns, **options):
    given = {"connector": "datagen", "rows-per-second": "10000000", **options}
    return f"CREATE TABLE g ({columns}) WITH ({with_options(given)})"


def test_sequences_end_the_table():
    found = table(
        datagen("a INT, b BIGINT", **{"fields.a.kind": "sequence", "fields.a.start": "5", "fields.a.end": "9"})
    )
    assert found["a"].to_pylist() == [5, 6, 7, 8, 9]
    assert found["b"].null_count == 0


def test_random_values_keep_to_their_bounds_and_their_seed():
    ddl = datagen(
        "i INT, d DOUBLE, s STRING, f BOOLEAN, m DECIMAL(10, 2), ts TIMESTAMP(3)",
        **{"number-of-rows": "20000", "fields.i.min": "-3", "fields.i.max": "3", "fields.d.min": "0", "fields.d.max": "1",
           "fields.s.length": "5", "fields.s.null-rate": "0.5", "seed": "7"},
    )  # fmt: skip
    found = table(ddl)
    assert found.num_rows == 20_000
    assert set(found["i"].to_pylist()) == {-3, -2, -1, 0, 1, 2, 3}
    assert all(0 <= value <= 1 for value in found["d"].to_pylist())
    assert {len(text) for text in found["s"].to_pylist() if text is not None} == {5}
    assert 8_000 < found["s"].null_count < 12_000
    assert set(found["f"].to_pylist()) == {True, False}
    again = table(ddl)
    assert again.drop_columns(["ts"]) == found.drop_columns(["ts"])
    assert table(ddl.replace("'seed' = '7'", "'seed' = '8'"))["i"] != found["i"]


@pytest.mark.parametrize(
    ("columns", "options", "code"),
    [
        ("a INT", {"fields.b.kind": "random"}, "FX-CON-0121"),
        ("a INT", {"fields.a.kind": "secuence"}, None),
        ("a INT", {"fields.a.min": "x"}, "FX-CON-0122"),
        ("a ARRAY<INT>", {}, "FX-SQL-0900"),
    ],
)
def test_wrong_options_of_datagen(columns, options, code):
    with pytest.raises(ScriptError) as caught:
        table(datagen(columns, **{"number-of-rows": "1", **options}))
    assert code is None or caught.value.code == code


def nexmark(name, events=10_000, **options):
    given = {"connector": "nexmark", "table": name, "events.num": str(events), **options}
    schemas = {
        "person": "id BIGINT, name STRING, city STRING, state STRING, `dateTime` TIMESTAMP(3)",
        "auction": "id BIGINT, seller BIGINT, category BIGINT, `dateTime` TIMESTAMP(3), expires TIMESTAMP(3)",
        "bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3)",
    }
    return f"CREATE TABLE g ({schemas[name]}) WITH ({with_options(given)})"


def test_of_fifty_events_one_is_a_person_three_are_auctions_and_the_rest_bids():
    counts = {name: table(nexmark(name)).num_rows for name in ("person", "auction", "bid")}
    assert counts == {"person": 200, "auction": 600, "bid": 9200}
    odd = {name: table(nexmark(name, 107)).num_rows for name in counts}
    assert sum(odd.values()) == 107


@pytest.mark.parametrize("name", ["person", "auction", "bid"])
def test_the_same_seed_gives_the_same_events(name):
    first = table(nexmark(name))
    assert table(nexmark(name)) == first
    order = [(column, "ascending") for column in first.schema.names]
    assert table(nexmark(name), parallelism="2").sort_by(order) == first.sort_by(order)
    assert table(nexmark(name, seed="2")) != first


def test_bids_are_for_auctions_and_by_persons_that_exist():
    persons, auctions, bids = (table(nexmark(name)) for name in ("person", "auction", "bid"))
    assert set(auctions["seller"].to_pylist()) <= set(range(1000, 1000 + 200 + 1000))
    known = set(auctions["id"].to_pylist())
    share = sum(auction in known for auction in bids["auction"].to_pylist()) / bids.num_rows
    assert share > 0.95
    times = bids["dateTime"].cast(pa.int64()).to_pylist()
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(999_500, abs=2_000), "10,000 events at 10,000 a second are one second"
    assert all(late > early for early, late in zip(auctions["dateTime"].to_pylist(), auctions["expires"].to_pylist(), strict=True))  # fmt: skip
    assert len(set(persons["city"].to_pylist())) > 5


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_files_hold_the_events_of_the_connector(tmp_path, form):
    path = write_files(tmp_path, FileOptions(5_000, form))["bid"]
    ddl = nexmark("bid", 5_000)
    columns = ddl[ddl.index("(") + 1 : ddl.index(") WITH")].replace(
        "`dateTime` TIMESTAMP(3)", "`dateTime` TIMESTAMP(3), extra STRING"
    )
    files = f"CREATE TABLE g ({columns}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{form}')"
    names = ["auction", "bidder", "price", "channel", "url", "dateTime"]
    order = [(name, "ascending") for name in names]
    assert table(files).select(names).sort_by(order) == table(ddl).sort_by(order)
    if form == "parquet":
        assert sum(pq.read_metadata(file).num_rows for file in path.glob("*.parquet")) == 4_600


def test_a_table_that_nexmark_does_not_have():
    with pytest.raises(ScriptError):
        table("CREATE TABLE g (a INT) WITH ('connector' = 'nexmark', 'table' = 'bids', 'events.num' = '1')")
