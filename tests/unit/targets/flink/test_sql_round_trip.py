"""Plans printed as Flink SQL and read again by our own SQL give the same rows."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime import test_random_plans as random_plans
from tests.unit.targets.flink import pipelines

import fluxcore as fx
from fluxcore.connectors.collect import CollectSink
from fluxcore.sql.script import SelectStatement
from fluxcore.targets.flink.sql.job import print_job

GOLDEN = Path(__file__).parents[3] / "golden"
QUERIES = sorted(path for path in GOLDEN.rglob("*.sql") if path.parent.name != "functions")
BATCH_OR_LACKING = {
    "aggregates/over_ahead", "joins/lookup", "joins/lookup_in_groups", "over/ahead", "over/any_order", "over/of_groups",
    "over/ranks", "ranking/bound_by_a_column", "ranking/filter_between", "ranking/first_by_two_columns",
}  # fmt: skip
"""Golden queries of which Flink can't do all while their input may go on."""

NO_WORDING = {
    "changes/debezium", "changes/debezium_in_groups", "joins/temporal_of_changes", "windows/cumulate_of_updates",
    "windows/hop_in_group_by_of_updates", "windows/hop_of_updates", "windows/tumble_of_updates", "windows/window_sets_of_updates",
    "changes/from_changelog", "changes/from_changelog_codes", "changes/from_changelog_in_groups", "changes/there_and_back",
    "changes/table_beside_its_changes", "changes/to_changelog", "changes/to_changelog_codes", "changes/to_changelog_in_windows", "changes/to_changelog_of_query",
    "changes/to_changelog_of_rows", "sets/except_all", "sets/intersect_all", "stateless/watermark_of_late_rows", "sub_queries/correlated_count_less",
    "sub_queries/correlated_nested", "sub_queries/correlated_not_equal", "sub_queries/scalar_by_key",
    "sub_queries/scalar_of_no_row", "sub_queries/scalar_two", "functions/variants_cast",
}  # fmt: skip
"""Golden queries that are sent as they stand: their plans can't be put into words of Flink SQL."""

LACKING = {"OVER in another order than of event time", "one row of each partition in an order of several columns"}
"""What of the random queries Flink can't do."""


def rows_of(columns):
    return Counter(repr(row) for row in zip(*columns, strict=True))


def answer(session, script):
    """Return the rows of a script's last SELECT."""
    sinks = []

    def output(_):
        sinks.append(CollectSink())
        return sinks[-1]

    session.execute_script(script, output=output)
    found = Counter()
    for batch in sinks[-1].batches:
        found += rows_of(column.to_pylist() for column in batch.data.columns)
    return found


def printed(node, settings_):
    job = print_job([node], settings_)
    return ";\n".join(job.statements) + ";", job.unportable


def new_session():
    return fx.Session({"parallelism.default": "1"})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs of flink")
    pipelines.write_inputs(folder)
    return folder


@pytest.mark.parametrize("name", sorted(pipelines.PIPELINES))
def test_pipelines_read_again_give_the_same_rows(name, inputs):
    session = new_session()
    stream = pipelines.PIPELINES[name](*pipelines.tables(session, inputs))
    script, unportable = printed(stream.node, session.settings)
    assert unportable == ()
    wanted = rows_of(column.to_pylist() for column in stream.to_arrow().columns)
    assert wanted, "a pipeline without rows proves nothing"
    assert answer(new_session(), script) == wanted, script


@pytest.fixture(scope="module")
def golden_data(tmp_path_factory):
    """The inputs of the golden queries without a header, which Flink's CSV has not."""
    folder = tmp_path_factory.mktemp("golden")
    for file in (GOLDEN / "data").iterdir():
        if file.is_dir():
            shutil.copytree(file, folder / file.name)
            continue
        text = file.read_text("utf-8")
        (folder / file.name).write_text(text.partition("\n")[2] if file.suffix == ".csv" else text, "utf-8")
    return folder


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: str(path.relative_to(GOLDEN).with_suffix("")))
def test_golden_queries_read_again_give_the_same_rows(path, golden_data):
    text = path.read_text("utf-8").replace("{data}", str(golden_data)).replace(", 'csv.header' = 'true'", "")
    session = new_session()
    select = [each for each in session.bind(text).statements if isinstance(each, SelectStatement)][-1]
    script, unportable = printed(select.plan, select.settings)
    name = str(path.relative_to(GOLDEN).with_suffix(""))
    assert bool(unportable) == (name in BATCH_OR_LACKING or name in NO_WORDING), unportable
    if name in NO_WORDING:
        return
    again = answer(fx.Session({**new_session().settings.values, **select.settings.values}), script)
    assert again, "an answer without rows proves nothing"
    assert again == answer(new_session(), text), script


@settings(max_examples=settings.default.max_examples // 2)
@given(query=random_plans.queries(), t=random_plans.TABLE, u=random_plans.TABLE)
def test_any_query_read_again_gives_the_same_rows(query, t, u):
    session = new_session()
    for name, rows in (("t", t), ("u", u)):
        session.from_arrow(random_plans.as_table(rows), name=name, watermark=("ts", f"{random_plans.DELAY_S} s"))
    try:
        for name, text, _ in query.steps:
            session.execute(f"CREATE VIEW {name} AS {text}")
        stream = session.sql(f"SELECT * FROM {query.steps[-1][0]}")
    except fx.ScriptError as error:
        if error.code == "FX-SQL-0900":
            return
        raise
    script, unportable = printed(stream.node, session.settings)
    places = {each.what for each in unportable}
    assert {each for each in places if "connector 'memory'" not in each} <= LACKING
    wanted = rows_of(column.to_pylist() for column in stream.to_arrow().columns)
    assert answer(new_session(), script) == wanted, f"{random_plans.told(query)}\n\n{script}"


@given(parts=st.lists(st.sampled_from(["filter", "select", "group", "top", "join", "union", "window"]), max_size=6))
def test_any_chain_of_verbs_read_again_gives_the_same_rows(parts):
    session = new_session()
    rows = [(key, number % 3, number, 0) for number, key in enumerate("abcab" * 6)]
    rows = [("a" if key == "a" else "b", None if g == 2 else g, v, x) for key, g, v, x in rows]
    table = random_plans.as_table([(k, g, v, float(x), 0) for k, g, v, x in rows])
    stream = source = session.from_arrow(table, name="t", watermark=("ts", "13 s"))
    for part in parts:
        stream = _next(part, stream, source)
    script, _ = printed(stream.node, session.settings)
    wanted = rows_of(column.to_pylist() for column in stream.to_arrow().columns)
    assert answer(new_session(), script) == wanted, script


def _next(part, stream, source):
    """Return the stream after one more verb; all streams of the chain have the columns k and v."""
    match part:
        case "filter":
            return stream.filter(fx.col("v") % 5 != 1)
        case "select":
            return stream.with_columns(v=fx.col("v") + 1)
        case "group":
            return stream.select("k", "v").group_by("k", fx.call("MOD", fx.col("v"), 3).alias("m")).agg(v=fx.sum("v"))
        case "top":
            return stream.select("k", "v").top(4, by="v", per=["k"])
        case "join":
            return stream.select("k", "v").join(source.select("k", w=fx.col("v")).filter(fx.col("w") > 20), on=["k"])
        case "union":
            return stream.select("k", "v").union(source.select("k", "v"))
    rows = source.window(fx.tumble("ts", "5 s")).group_by("k").agg(v=fx.max("v")).select("k", "v")
    return rows.union(stream.select("k", "v"))
