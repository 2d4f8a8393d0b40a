"""Random queries over random rows out of order: one, two and three threads give the answer that DuckDB gives.

A query is a chain of views. Each step is written down twice, in Flink's SQL and in DuckDB's; a step that DuckDB can't say
leaves the comparison of the threads among themselves. Values are such that sums of doubles are exact in any order, and event
times differ, so that every order is total. ``make test-long`` runs thousands of them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import fluxcore as fx

EPOCH = dt.datetime(2024, 1, 1)
SCHEMA = pa.schema(
    [
        ("id", pa.int64()), ("k", pa.string()), ("g", pa.int32()), ("v", pa.int64()), ("x", pa.float64()),
        ("ts", pa.timestamp("ms")),
    ]
)  # fmt: skip
COLUMNS = (("id", "big"), ("k", "str"), ("g", "int"), ("v", "big"), ("x", "dbl"), ("ts", "ts"))
ROW = st.tuples(
    st.sampled_from([None, "a", "b", "c", "d"]), st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, -3, 1, 2, 8]),
    st.sampled_from([None, -1.5, 0.5, 2.0]), st.integers(-6, 6),
)  # fmt: skip
TABLE = st.lists(ROW, max_size=40)
DELAY_S = 13
"""How late a row may come at most; the rows are never later than that unless a test wants late rows."""


@dataclass(frozen=True)
class View:
    """A relation: its columns with their types, its event time (None: no longer one), whether its rows are never updated."""

    name: str
    columns: tuple[tuple[str, str], ...]
    time: str | None
    append_only: bool = True
    windowed: bool = False

    def of(self, *types):
        return [name for name, type_ in self.columns if type_ in types]


@dataclass
class Query:
    """The views of a query in order: (name, Flink's SQL, DuckDB's SQL)."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    has_duckdb: bool = True

    def add(self, flink, columns, time, duck="", **more):
        name = f"v{len(self.steps)}"
        self.has_duckdb = self.has_duckdb and duck is not None
        self.steps.append((name, flink, duck or flink))
        return View(name, tuple(columns), time, **more)


def predicate(draw, view):
    """Return a condition over a view's columns, the same text for both engines."""
    name, type_ = draw(st.sampled_from([each for each in view.columns if each[1] != "ts"] or [("1", "big")]))
    constants = {"str": ["'a'", "'b'", "'zz'"], "big": ["1", "2", "-3"], "int": ["0", "1"], "dbl": ["0.5", "2.0"]}
    simple = f"{name} {draw(st.sampled_from(['=', '<>', '<', '>=']))} {draw(st.sampled_from(constants[type_]))}"
    form = draw(st.sampled_from(["{0}", "{0}", "NOT ({0})", "{1} IS NULL", "{1} IS NOT NULL", "({0} OR {1} IS NULL)"]))
    return form.format(simple, name)


def expression(draw, view):
    """Return (text, type) of a computed column."""
    name, type_ = draw(st.sampled_from(view.columns))
    forms = {
        "str": [
            "{0}",
            "UPPER({0})",
            "{0} || 'x'",
            "COALESCE({0}, 'none')",
            "CASE WHEN {0} = 'a' THEN 'b' ELSE {0} END",
        ],
        "big": ["{0}", "{0} + 1", "COALESCE({0}, 7)", "{0} * 2", "CASE WHEN {0} > 1 THEN {0} END"],
        "int": ["{0}", "{0} + 1", "COALESCE({0}, 7)"],
        "dbl": ["{0}", "{0} + 0.5E0", "{0} * 2E0"],
        "ts": ["{0}"],
    }
    return draw(st.sampled_from(forms[type_])).format(name), type_


def aggregates(draw, view):
    """Return [(Flink's text, DuckDB's text, type)] of one to three calls."""
    found = [("COUNT(*)", "COUNT(*)", "big")]
    for name, type_ in view.columns:
        if type_ in ("big", "dbl", "int"):
            cast = {"big": "BIGINT", "int": "INT", "dbl": "DOUBLE"}[type_]
            found += [(f"{each}({name})", f"CAST({each}({name}) AS {cast})", type_) for each in ("SUM", "MIN", "MAX")]
            found.append((f"COUNT(DISTINCT {name})", f"COUNT(DISTINCT {name})", "big"))
        if type_ == "big":
            mean = f"CAST(trunc(CAST(SUM({name}) AS DOUBLE) / COUNT({name})) AS BIGINT)"
            found.append((f"AVG({name})", mean, "big"))
            found.append((f"SUM({name}) FILTER (WHERE {name} > 1)",
                          f"CAST(SUM({name}) FILTER (WHERE {name} > 1) AS BIGINT)", "big"))  # fmt: skip
        if type_ == "str":
            found += [(f"{each}({name})", f"{each}({name})", "str") for each in ("MIN", "MAX")]
            found.append((f"COUNT(DISTINCT {name})", f"COUNT(DISTINCT {name})", "big"))
    return draw(st.lists(st.sampled_from(found), min_size=1, max_size=3))


def filtered(draw, query, view):
    text = f"SELECT * FROM {view.name} WHERE {predicate(draw, view)}"
    return query.add(text, view.columns, view.time, append_only=view.append_only, windowed=view.windowed)


def projected(draw, query, view):
    chosen = [expression(draw, view) for _ in range(draw(st.integers(1, 4)))]
    columns = [(f"c{i}", type_) for i, (_, type_) in enumerate(chosen)]
    texts = [f"{text} AS c{i}" for i, (text, _) in enumerate(chosen)]
    kept = view.time if view.time and draw(st.booleans()) else None
    if kept:
        columns.append((kept, "ts"))
        texts.append(kept)
    return query.add(f"SELECT {', '.join(texts)} FROM {view.name}", columns, kept, append_only=view.append_only)


def grouped(draw, query, view):
    keys = draw(st.lists(st.sampled_from(view.of("str", "int", "big") or ["1"]), max_size=2, unique=True))
    keys = [key for key in keys if key != "1"]
    types = dict(view.columns)
    calls = aggregates(draw, view)
    columns = [(key, types[key]) for key in keys] + [(f"a{i}", type_) for i, (_, _, type_) in enumerate(calls)]
    end = f" FROM {view.name}" + (f" GROUP BY {', '.join(keys)}" if keys else "")
    if keys and draw(st.booleans()):
        end += " HAVING COUNT(*) > 1"
    flink, duck = (
        "SELECT " + ", ".join([*keys, *(f"{call[side]} AS a{i}" for i, call in enumerate(calls))]) + end
        for side in (0, 1)
    )
    return query.add(flink, columns, None, duck, append_only=False)


def distinct(draw, query, view):
    names = draw(st.lists(st.sampled_from([name for name, _ in view.columns]), min_size=1, max_size=3, unique=True))
    types = dict(view.columns)
    text = f"SELECT DISTINCT {', '.join(names)} FROM {view.name}"
    return query.add(text, [(name, types[name]) for name in names], None, append_only=False)


def in_windows(draw, *views):
    """Return for each view its rows in windows, in Flink's SQL and in DuckDB's; the windows of all are alike."""
    kind = draw(st.sampled_from(["TUMBLE", "HOP", "CUMULATE"]))
    slide = draw(st.sampled_from([2, 5]))
    size = slide * (1 if kind == "TUMBLE" else draw(st.integers(1, 3)))
    lengths = ", ".join(f"INTERVAL '{each}' SECOND" for each in ([size] if kind == "TUMBLE" else [slide, size]))
    found = []
    for view in views:
        flink = f"TABLE({kind}(TABLE {view.name}, DESCRIPTOR({view.time}), {lengths}))"
        edges = windows_of(kind, view.time, slide, size)
        duck = f"SELECT * FROM (SELECT *, {edges} FROM {view.name}, range({size // slide}) AS n(i))"
        found.append((flink, f"{duck} WHERE {view.time} >= window_start AND {view.time} < window_end"))
    return found


def windowed(draw, query, view):
    """Aggregate in windows; the window's time is an event time again."""
    ((source, rows),) = in_windows(draw, view)
    keys = draw(st.lists(st.sampled_from(view.of("str", "int") or ["1"]), max_size=1, unique=True))
    keys = [key for key in keys if key != "1"]
    types, calls = dict(view.columns), aggregates(draw, view)
    columns = [(key, types[key]) for key in keys] + [(f"a{i}", call[2]) for i, call in enumerate(calls)]
    columns += [("ws", "ts"), ("we", "ts"), ("wt", "ts")]
    shown = [*keys, *(f"{call[0]} AS a{i}" for i, call in enumerate(calls))]
    shown += ["window_start AS ws", "window_end AS we", "window_time AS wt"]
    by = ", ".join([*keys, "window_start", "window_end"])
    flink = f"SELECT {', '.join(shown)} FROM {source} GROUP BY {by}, window_time"
    shown = [*keys, *(f"{call[1]} AS a{i}" for i, call in enumerate(calls))]
    shown += ["window_start AS ws", "window_end AS we", "window_end - INTERVAL 1 MILLISECOND AS wt"]
    duck = f"SELECT {', '.join(shown)} FROM ({rows}) GROUP BY {by}"
    return query.add(flink, columns, "wt", duck, windowed=True)


def ranked_in_windows(draw, query, view):
    """Keep the first rows of each window in a total order."""
    if any(name in ("ws", "we") for name, _ in view.columns):
        return filtered(draw, query, view)
    ((source, rows),) = in_windows(draw, view)
    part = draw(st.lists(st.sampled_from(view.of("str", "int") or ["window_start"]), max_size=1, unique=True))
    names = draw(st.permutations([name for name, _ in view.columns]))
    ways = [draw(st.booleans()) for _ in names]
    shown = ", ".join([*(name for name, _ in view.columns), "window_start AS ws", "window_end AS we"])
    keep = draw(st.integers(1, 2))
    texts = []
    for source_text, forms in ((source, ("ASC", "DESC")), (f"({rows})", ("ASC NULLS FIRST", "DESC NULLS LAST"))):
        order = ", ".join(f"{name} {forms[down]}" for name, down in zip(names, ways, strict=True))
        by = ", ".join(dict.fromkeys(["window_start", "window_end", *part]))
        inner = f"SELECT *, ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY {order}) AS rn FROM {source_text}"
        texts.append(f"SELECT {shown} FROM ({inner}) AS r WHERE rn <= {keep}")
    return query.add(texts[0], [*view.columns, ("ws", "ts"), ("we", "ts")], None, texts[1])


def joined_in_windows(draw, query, view, other):
    """Join rows of equal windows."""
    types = [each for each in ("str", "int") if view.of(each) and other.of(each)]
    if not types:
        return filtered(draw, query, view)
    type_ = draw(st.sampled_from(types))
    keys = f"l.{draw(st.sampled_from(view.of(type_)))} = r.{draw(st.sampled_from(other.of(type_)))}"
    kind = draw(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]))
    left = [(f"l{i}", name, t) for i, (name, t) in enumerate(view.columns[:5])]
    right = [(f"r{i}", name, t) for i, (name, t) in enumerate(other.columns[:5])]
    shown = [f"l.{name} AS {new}" for new, name, _ in left] + [f"r.{name} AS {new}" for new, name, _ in right]
    same = "l.window_start = r.window_start AND l.window_end = r.window_end"
    mine, theirs = in_windows(draw, view, other)
    flink, duck = (
        f"SELECT {', '.join(shown)} FROM ({a}) AS l {kind} ({b}) AS r ON {keys} AND {same}"
        for a, b in ((f"SELECT * FROM {mine[0]}", f"SELECT * FROM {theirs[0]}"), (mine[1], theirs[1]))
    )
    return query.add(flink, [(new, t) for new, _, t in (*left, *right)], None, duck)


def windows_of(kind, time, slide, size):
    """Return the start and the end of the i-th window of a row, in DuckDB's SQL."""

    def moment(ms):
        return f"make_timestamp(({ms}) * 1000)"

    ms = f"epoch_ms({time})"
    if kind == "CUMULATE":
        start = f"{ms} // {size * 1000} * {size * 1000}"
        return f"{moment(start)} AS window_start, {moment(f'{start} + (i + 1) * {slide * 1000}')} AS window_end"
    start = f"{ms} // {slide * 1000} * {slide * 1000} - i * {slide * 1000}"
    return f"{moment(start)} AS window_start, {moment(f'{start} + {size * 1000}')} AS window_end"


def session(draw, query, view):
    keys = draw(st.lists(st.sampled_from(view.of("str", "int") or ["1"]), max_size=1, unique=True))
    keys = [key for key in keys if key != "1"]
    types, calls = dict(view.columns), aggregates(draw, view)
    columns = [(key, types[key]) for key in keys] + [(f"a{i}", call[2]) for i, call in enumerate(calls)]
    columns += [("ws", "ts"), ("we", "ts")]
    by = f" PARTITION BY {', '.join(keys)}" if keys else ""
    source = f"TABLE(SESSION(TABLE {view.name}{by}, DESCRIPTOR({view.time}), INTERVAL '3' SECOND))"
    shown = [*keys, *(f"{call[0]} AS a{i}" for i, call in enumerate(calls)), "window_start AS ws", "window_end AS we"]
    flink = f"SELECT {', '.join(shown)} FROM {source} GROUP BY {', '.join([*keys, 'window_start', 'window_end'])}"
    part = f"PARTITION BY {', '.join(keys)} " if keys else ""
    gap = f"SELECT *, {view.time} >= lag({view.time}) OVER w + INTERVAL 3 SECOND AS fresh FROM {view.name}"
    gap += f" WINDOW w AS ({part}ORDER BY {view.time})"
    numbered = f"SELECT *, SUM(CASE WHEN fresh THEN 1 ELSE 0 END) OVER ({part}ORDER BY {view.time}, 1) AS session_ FROM ({gap})"
    shown = [*keys, *(f"{call[1]} AS a{i}" for i, call in enumerate(calls))]
    shown += [f"MIN({view.time}) AS ws", f"MAX({view.time}) + INTERVAL 3 SECOND AS we"]
    duck = f"SELECT {', '.join(shown)} FROM ({numbered}) GROUP BY {', '.join([*keys, 'session_'])}"
    return query.add(flink, columns, None, duck)


def ranked(draw, query, view):
    """Keep the first rows of each key in a total order."""
    names = draw(st.permutations([name for name, _ in view.columns]))
    part = draw(st.lists(st.sampled_from(view.of("str", "int", "big") or ["1"]), max_size=1))
    part = [key for key in part if key != "1"]
    ways = [draw(st.booleans()) for _ in names]
    number, keep = draw(st.booleans()), draw(st.integers(1, 3))
    by = f"PARTITION BY {', '.join(part)} " if part else ""
    flink_order = ", ".join(f"{name} {'DESC' if down else 'ASC'}" for name, down in zip(names, ways, strict=True))
    duck_order = ", ".join(
        f"{name} {'DESC NULLS LAST' if down else 'ASC NULLS FIRST'}" for name, down in zip(names, ways, strict=True)
    )
    texts = []
    for order in (flink_order, duck_order):
        inner = f"SELECT *, ROW_NUMBER() OVER ({by}ORDER BY {order}) AS rn FROM {view.name}"
        shown = ", ".join(name for name, _ in view.columns) + (", rn" if number else "")
        texts.append(f"SELECT {shown} FROM ({inner}) AS r WHERE rn <= {keep}")
    columns = [*view.columns, *([("rn", "big")] if number else [])]
    if number and any(name == "rn" for name, _ in view.columns):
        return filtered(draw, query, view)
    return query.add(texts[0], columns, None, texts[1], append_only=False)


def deduplicated(draw, query, view):
    keys = draw(st.lists(st.sampled_from(view.of("str", "int")), min_size=1, max_size=2, unique=True))
    way = draw(st.sampled_from(["ASC", "DESC"]))
    shown = ", ".join(name for name, _ in view.columns)
    inner = f"SELECT *, ROW_NUMBER() OVER (PARTITION BY {', '.join(keys)} ORDER BY {view.time} {way}) AS rn FROM {view.name}"
    return query.add(f"SELECT {shown} FROM ({inner}) AS r WHERE rn = 1", view.columns, None, append_only=False)


def over(draw, query, view):
    part = draw(st.lists(st.sampled_from(view.of("str", "int") or ["1"]), max_size=1))
    by = f"PARTITION BY {part[0]} " if part and part != ["1"] else ""
    name = draw(st.sampled_from(view.of("big")))
    function = draw(st.sampled_from(["SUM", "COUNT", "MIN", "MAX"]))
    first = draw(st.sampled_from(["UNBOUNDED PRECEDING", "2 PRECEDING", "0 PRECEDING"]))
    frame = f"({by}ORDER BY {view.time} ROWS BETWEEN {first} AND CURRENT ROW)"
    new = f"o{len(query.steps)}"
    flink = f"SELECT *, {function}({name}) OVER {frame} AS {new} FROM {view.name}"
    duck = f"SELECT *, CAST({function}({name}) OVER {frame} AS BIGINT) AS {new} FROM {view.name}"
    return query.add(flink, [*view.columns, (new, "big")], view.time, duck)


def united(draw, query, view, other):
    """Put two views on each other, as many columns as they have of equal types."""
    pairs, free = [], list(other.columns)
    for name, type_ in view.columns:
        match = next((each for each in free if each[1] == type_), None)
        if match:
            free.remove(match)
            pairs.append((name, match[0], type_))
    if not pairs:
        return filtered(draw, query, view)
    word = draw(st.sampled_from(["UNION ALL", "UNION ALL", "UNION"]))
    sides = [
        f"SELECT {', '.join(f'{pair[side]} AS c{i}' for i, pair in enumerate(pairs))} FROM {each.name}"
        for side, each in enumerate((view, other))
    ]
    columns = [(f"c{i}", pair[2]) for i, pair in enumerate(pairs)]
    both = view.append_only and other.append_only and word == "UNION ALL"
    return query.add(f" {word} ".join(sides), columns, None, append_only=both)


def joined(draw, query, view, other):
    """Join on equal columns of a type, with another condition now and then."""
    types = [each for each in ("str", "int", "big") if view.of(each) and other.of(each)]
    if not types:
        return filtered(draw, query, view)
    type_ = draw(st.sampled_from(types))
    condition = f"l.{draw(st.sampled_from(view.of(type_)))} = r.{draw(st.sampled_from(other.of(type_)))}"
    numbers = view.of("big"), other.of("big")
    if all(numbers) and draw(st.booleans()):
        condition += f" AND l.{draw(st.sampled_from(numbers[0]))} < r.{draw(st.sampled_from(numbers[1]))}"
    kind = draw(st.sampled_from(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]))
    left = [(f"l{i}", name, t) for i, (name, t) in enumerate(view.columns[:5])]
    right = [(f"r{i}", name, t) for i, (name, t) in enumerate(other.columns[:5])]
    shown = [f"l.{name} AS {new}" for new, name, _ in left] + [f"r.{name} AS {new}" for new, name, _ in right]
    columns = [(new, t) for new, _, t in (*left, *right)]
    text = f"SELECT {', '.join(shown)} FROM {view.name} AS l {kind} {other.name} AS r ON {condition}"
    append_only = kind == "JOIN" and view.append_only and other.append_only
    return query.add(text, columns, None, append_only=append_only)


def joined_in_time(draw, query, view, other):
    """Join rows of a few seconds."""
    types = [each for each in ("str", "int") if view.of(each) and other.of(each)]
    if not types:
        return filtered(draw, query, view)
    type_ = draw(st.sampled_from(types))
    keys = f"l.{draw(st.sampled_from(view.of(type_)))} = r.{draw(st.sampled_from(other.of(type_)))}"
    low, high = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    between = f"r.{other.time} - INTERVAL '{low}' SECOND AND r.{other.time} + INTERVAL '{high}' SECOND"
    kind = draw(st.sampled_from(["JOIN", "LEFT JOIN", "FULL JOIN"]))
    left = [(f"l{i}", name, t) for i, (name, t) in enumerate(view.columns[:6])]
    right = [(f"r{i}", name, t) for i, (name, t) in enumerate(other.columns[:6])]
    shown = [f"l.{name} AS {new}" for new, name, _ in left] + [f"r.{name} AS {new}" for new, name, _ in right]
    columns = [(new, t) for new, _, t in (*left, *right)]
    text = f"SELECT {', '.join(shown)} FROM {view.name} AS l {kind} {other.name} AS r ON {keys} AND l.{view.time} BETWEEN {between}"
    return query.add(text, columns, None)


def among(draw, query, view, other):
    """Keep rows whose value is, or is not, among those of another view."""
    types = [each for each in ("str", "int", "big") if view.of(each) and other.of(each)]
    if not types:
        return filtered(draw, query, view)
    type_ = draw(st.sampled_from(types))
    mine, theirs = draw(st.sampled_from(view.of(type_))), draw(st.sampled_from(other.of(type_)))
    where = f"m.{mine} {draw(st.sampled_from(['IN', 'NOT IN']))} (SELECT {theirs} FROM {other.name})"
    text = f"SELECT * FROM {view.name} AS m WHERE {where}"
    return query.add(text, view.columns, None, append_only=False)


def steps_for(view, other, *, linear):
    """Return the steps that can follow."""
    found = [filtered, projected, grouped, distinct]
    if len(view.columns) < 12:
        found.append(ranked)
    if view.append_only and view.time:
        found += [windowed, windowed, ranked_in_windows]
        if not view.windowed:  # of these alone, event times differ
            found += [session]
            if view.of("str", "int"):
                found += [deduplicated]
            if view.of("big"):
                found += [over]
    if not linear:
        found += [united, joined, joined, among]
        if view.append_only and other.append_only and view.time and other.time:
            found += [joined_in_time, joined_in_windows]
    return found


_OF_TWO = (united, joined, joined_in_time, joined_in_windows, among)


@st.composite
def queries(draw, *, linear=False):
    """Return a query of a few steps over ``t`` and ``u``."""
    query = Query()
    known = [View("t", COLUMNS, "ts")] + ([] if linear else [View("u", COLUMNS, "ts")])
    for _ in range(draw(st.integers(1, 4))):
        view = known[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(known))
        other = draw(st.sampled_from(known))
        step = draw(st.sampled_from(steps_for(view, other, linear=linear)))
        made = step(draw, query, view, other) if step in _OF_TWO else step(draw, query, view)
        event(step.__name__)
        known.append(made)
    return query


def as_table(rows):
    """Return rows a second apart, each a few places away from where its time belongs; times differ."""
    moments = [1000 * (number + row[4]) + number % 1000 for number, row in enumerate(rows)]
    columns = [range(len(rows)), *([row[i] for row in rows] for i in range(4))]
    columns.append([EPOCH + dt.timedelta(milliseconds=ms) for ms in moments])
    return pa.table([pa.array(each, field.type) for each, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def run(query, tables, parallelism, *, delay_s=DELAY_S, chunk=7, changelog=False, off=""):
    """Return how often each row of the last view stands in the answer; None for what isn't supported."""
    session = fx.Session({"parallelism.default": str(parallelism), "fluxcore.optimizer.disabled-rules": off})
    for name, table in tables.items():
        batches = table.to_batches(max_chunksize=chunk) or [pa.RecordBatch.from_pylist([], schema=SCHEMA)]
        session.from_arrow(batches, name=name, watermark=("ts", f"{delay_s} s"))
    try:
        for name, text, _ in query.steps:
            session.execute(f"CREATE VIEW {name} AS {text}")
        stream = session.sql(f"SELECT * FROM {query.steps[-1][0]}")
        if not changelog:
            return rows_of(stream.to_arrow())
        found = Counter()
        for batch in stream.batches(changelog=True):
            for op, *row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                found[tuple(row)] += 1 if op in ("+I", "+U") else -1
        return +found if min(found.values(), default=0) >= 0 else found
    except fx.FluxError as error:
        if error.code != "FX-SQL-0900":
            raise
        event(f"not supported: {error.message}")
        return None


def rows_of(table):
    return Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))


def answer_of_duckdb(query, tables):
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register(name, table)
    for name, _, text in query.steps:
        connection.execute(f"CREATE VIEW {name} AS {text}")
    return Counter(connection.execute(f"SELECT * FROM {query.steps[-1][0]}").fetchall())


def told(query):
    return "\n".join(f"CREATE VIEW {name} AS {text};" for name, text, _ in query.steps)


fx.Session().sql("SELECT 1").to_arrow()  # the first query raises the recursion limit, which Hypothesis watches
CASES = settings(max_examples=settings.default.max_examples * 5 // 3)


@CASES
@given(query=queries(), t=TABLE, u=TABLE, chunk=st.sampled_from([1, 3, 7, 50]))
def test_any_query_gives_the_answer_of_duckdb(query, t, u, chunk):
    tables = {"t": as_table(t), "u": as_table(u)}
    found = run(query, tables, 1, chunk=chunk)
    if found is None:
        return
    event("rows" if found else "no rows")
    if query.has_duckdb:
        assert found == answer_of_duckdb(query, tables), told(query)
    for parallelism in (2, 3):
        assert run(query, tables, parallelism, chunk=chunk) == found, f"{parallelism} threads\n{told(query)}"
    assert run(query, tables, 2, chunk=chunk, changelog=True) == found, f"changelog\n{told(query)}"


@pytest.mark.parametrize("delay_s", [0, 3])
@settings(max_examples=settings.default.max_examples // 2)
@given(query=queries(linear=True), t=TABLE)
def test_late_rows_are_judged_alike(query, t, delay_s):
    tables = {"t": as_table(t)}
    found = run(query, tables, 1, delay_s=delay_s)
    for parallelism, chunk in ((1, 1), (2, 3), (3, 50)):
        assert run(query, tables, parallelism, delay_s=delay_s, chunk=chunk) == found, (
            f"{parallelism}, {chunk}\n{told(query)}"
        )
