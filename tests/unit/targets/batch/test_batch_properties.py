"""Random queries over random rows: batch mode gives what the streaming engine gives when no row is late.

The rows hold NULLs, ends of ranges and equal values; doubles are quarters, so that sums don't depend on their order.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fluxcore.api.session import Session
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

Session().sql("SELECT 1")  # binding raises the interpreter's limit of frames, which must not happen within an example
BASE = dt.datetime(2024, 1, 1)
KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "s": (pa.string(), st.sampled_from(["", "a", "b", "ä", "a'\0b"])),
    "i": (pa.int32(), st.sampled_from([-3, 0, 1, 2, 2**31 - 1, -(2**31)])),
    "b": (pa.int64(), st.sampled_from([-7, 0, 1, 5, 2**63 - 1, -(2**63)])),
    "c": (pa.decimal128(20, 3), st.sampled_from([Decimal("1.500"), Decimal("-0.001"), Decimal("99999999999999999.999")])),
    "f": (pa.float64(), st.sampled_from([-0.25, 0.0, 1.5, 7.0])),
    "g": (pa.float64(), st.sampled_from([0.0, -0.0, float("nan"), float("inf"), 2.0])),
    "y": (pa.date32(), st.sampled_from([dt.date(1969, 12, 31), dt.date(2024, 2, 29)])),
    "u": (pa.timestamp("ns"), st.sampled_from([0, 1, -1, 10**18]).map(lambda n: pa.scalar(n, pa.timestamp("ns")))),
    "z": (pa.timestamp("us", "UTC"), st.sampled_from([BASE.replace(tzinfo=dt.UTC), dt.datetime(1960, 1, 1, tzinfo=dt.UTC)])),
    "o": (pa.bool_(), st.booleans()),
}  # fmt: skip
TIMES = st.integers(-50, 50).map(lambda s: BASE + dt.timedelta(seconds=s, milliseconds=s * 7 % 1000))
ROW = st.tuples(TIMES, *(st.one_of(st.none(), strategy) for _, strategy in KINDS.values()))
ROWS = st.lists(ROW, max_size=12)
NAMES = ["ts", *KINDS]
SCHEMA = pa.schema([("ts", pa.timestamp("ms")), *((name, type_) for name, (type_, _) in KINDS.items())])


@dataclass(frozen=True)
class Relation:
    """A query and the kinds of its columns by name."""

    sql: str
    columns: tuple[tuple[str, str], ...]


BASES = tuple(Relation(f"SELECT * FROM {name}", (("ts", "t"), *((k, k) for k in KINDS))) for name in ("l", "r"))
CALLS = {
    "i": ("SUM", "AVG", "MIN", "MAX", "COUNT", "COUNT(DISTINCT "), "b": ("SUM", "AVG", "MIN", "MAX", "SUM(DISTINCT "),
    "c": ("SUM", "AVG", "MIN", "MAX"), "f": ("SUM", "AVG", "MAX"), "g": ("SUM", "MIN", "COUNT"), "s": ("MIN", "MAX", "COUNT"),
    "y": ("MIN", "MAX"), "u": ("MAX",), "z": ("MIN",), "o": ("COUNT",), "t": ("MIN", "MAX"),
}  # fmt: skip
RESULTS = {"COUNT": "b", "COUNT(DISTINCT ": "b"}
TESTS = {
    "i": ("> 0", "= 1", "IS NULL", "+ 1 > 0"), "b": ("<= 5", "<> 0", "% 2 = 1"), "s": ("= 'a'", "LIKE 'a%'", "> ''"),
    "c": ("> 0", "= 1.5"), "f": ("> 0", "= 1.5"), "g": ("> 0", "= 0", "<> 0"), "o": ("", "IS NOT TRUE"),
    "y": ("> DATE '2000-01-01'",), "t": (">= TIMESTAMP '2024-01-01 00:00:00'",), "u": ("IS NOT NULL",),
    "z": ("< TO_TIMESTAMP_LTZ(0, 3)",),
}  # fmt: skip


@st.composite
def relations(draw: st.DrawFn, depth: int) -> Relation:
    if depth == 0:
        return draw(st.sampled_from(BASES))
    below = draw(relations(depth - 1))
    kind = draw(st.sampled_from(["filter", "project", "group", "window", "join", "union", "sort"]))
    return globals()[f"_{kind}"](draw, below, depth)


def _filter(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    name, kind = draw(st.sampled_from(below.columns))
    return Relation(f"SELECT * FROM ({below.sql}) WHERE {name} {draw(st.sampled_from(TESTS[kind]))}", below.columns)


def _project(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    chosen = draw(st.lists(st.sampled_from(below.columns), min_size=1, max_size=4))
    exprs, columns = [], []
    for place, (name, kind) in enumerate(chosen):
        computed = draw(st.booleans()) and kind in ("i", "b", "s")
        exprs.append(f"{name} || 'x'" if computed and kind == "s" else f"{name} + 1" if computed else name)
        columns.append((f"p{place}", kind))
    named = ", ".join(f"{expr} AS {name}" for expr, (name, _) in zip(exprs, columns, strict=True))
    return Relation(f"SELECT {named} FROM ({below.sql})", tuple(columns))


def _calls(draw: st.DrawFn, columns: Sequence[tuple[str, str]]) -> tuple[list[str], list[tuple[str, str]]]:
    texts, results = ["COUNT(*) AS n"], [("n", "b")]
    flags = [name for name, kind in columns if kind == "o"]
    for place, (name, kind) in enumerate(draw(st.lists(st.sampled_from(columns), max_size=3))):
        function = draw(st.sampled_from(CALLS[kind]))
        text = f"{function}{name})" if "(" in function else f"{function}({name})"
        if flags and draw(st.booleans()):
            text += f" FILTER (WHERE {flags[0]})"
        texts.append(f"{text} AS a{place}")
        results.append((f"a{place}", RESULTS.get(function, kind if kind != "c" or function == "MIN" else "c")))
    return texts, results


def _group(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    keys = draw(st.lists(st.sampled_from(below.columns), max_size=2, unique=True))
    keys = [(name, kind) for name, kind in keys if kind != "u"]
    calls, results = _calls(draw, below.columns)
    names = [name for name, _ in keys]
    groups = f" GROUP BY {', '.join(names)}" if names else ""
    renamed = [f"{name} AS k{place}" for place, name in enumerate(names)]
    sql = f"SELECT {', '.join([*renamed, *calls])} FROM ({below.sql}){groups}"
    return Relation(sql, (*((f"k{place}", kind) for place, (_, kind) in enumerate(keys)), *results))


def _window(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    base = draw(st.sampled_from(["l", "r"]))
    function = draw(
        st.sampled_from(
            [
                "TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '10' SECOND)",
                "TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '3' SECOND)",
                "HOP(TABLE {}, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '12' SECOND)",
                "HOP(TABLE {}, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '10' SECOND)",
                "HOP(TABLE {}, DESCRIPTOR(ts), INTERVAL '15' SECOND, INTERVAL '10' SECOND)",
                "CUMULATE(TABLE {}, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND)",
                "SESSION(TABLE {} PARTITION BY s, DESCRIPTOR(ts), INTERVAL '3' SECOND)",
            ]
        )
    )
    calls, results = _calls(draw, BASES[0].columns)
    text = function.format(base)
    sql = f"SELECT s, window_start AS ws, {', '.join(calls)} FROM {text} GROUP BY s, window_start, window_end"
    return Relation(sql, (("s", "s"), ("ws", "t"), *results))


def _join(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    other = draw(relations(max(depth - 2, 0)))
    pairs = [(a, b, kind) for a, kind in below.columns for b, also in other.columns if kind == also and kind != "u"]
    assume(pairs)
    a, b, _ = draw(st.sampled_from(pairs))
    how = draw(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "IN", "NOT IN"]))
    if how in ("IN", "NOT IN"):
        return Relation(f"SELECT * FROM ({below.sql}) WHERE {a} {how} (SELECT {b} FROM ({other.sql}))", below.columns)
    rest = ""
    more = [(c, d) for c, d, which in pairs if which in "ibsct" and (c, d) != (a, b)]
    if more and draw(st.booleans()):
        c, d = draw(st.sampled_from(more))
        rest = f" AND x.{c} {draw(st.sampled_from(['<', '<>', '>=']))} y.{d}"
    left = [f"x.{name} AS x{place}" for place, (name, _) in enumerate(below.columns)]
    right = [f"y.{name} AS y{place}" for place, (name, _) in enumerate(other.columns)]
    sql = f"SELECT {', '.join(left + right)} FROM ({below.sql}) AS x {how} ({other.sql}) AS y ON x.{a} = y.{b}{rest}"
    columns = [(f"x{place}", k) for place, (_, k) in enumerate(below.columns)]
    return Relation(sql, (*columns, *((f"y{place}", k) for place, (_, k) in enumerate(other.columns))))


def _union(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    how = draw(st.sampled_from(["UNION ALL", "UNION"]))
    return Relation(f"SELECT * FROM ({below.sql}) {how} SELECT * FROM ({below.sql})", below.columns)


def _sort(draw: st.DrawFn, below: Relation, depth: int) -> Relation:
    keys = [f"{name}{draw(st.sampled_from(['', ' DESC', ' NULLS LAST']))}" for name, _ in below.columns]
    return Relation(f"SELECT * FROM (SELECT * FROM ({below.sql}) ORDER BY {', '.join(keys)} LIMIT 5)", below.columns)


def plain(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if value != value else float(f"{value:.9e}") + 0.0
    return value


def answer(target: str, query: str, tables: dict[str, pa.Table], folder: Any) -> Counter[tuple[Any, ...]]:
    session = Session({"parallelism.default": "2"}, target=target)
    for name, table in tables.items():
        if folder is None:
            session.from_arrow(table, name=name, watermark=("ts", "1 d"))
        else:
            session.read(folder / f"{name}.parquet", schema=SCHEMA, name=name, watermark=("ts", "1 d"))
    found = session.sql(query).to_arrow()
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in found.columns]
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return Counter(tuple(plain(value) for value in row) for row in rows)


def check(relation: Relation, left: list[Any], right: list[Any], folder: Any) -> None:
    tables = {}
    for name, rows in (("l", left), ("r", right)):
        columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(SCHEMA)]
        tables[name] = pa.Table.from_arrays(columns, schema=SCHEMA)
        if folder is not None:
            pq.write_table(tables[name], folder / f"{name}.parquet")
    try:
        wanted = answer("embedded", relation.sql, tables, folder)
    except ScriptError:
        assume(False)
    assert answer("batch", relation.sql, tables, folder) == wanted, relation.sql


@pytest.mark.parametrize("files", [False, True], ids=["memory", "parquet"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_random_queries(depth: int, files: bool, tmp_path: Any) -> None:
    folder = tmp_path if files else None

    @settings(max_examples=25, deadline=None)
    @given(relation=relations(depth), left=ROWS, right=ROWS)
    def run(relation: Relation, left: list[Any], right: list[Any]) -> None:
        check(relation, left, right, folder)

    run()
