"""The JSON lines reader against Python's json module, by Flink's rules."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxcore.core.ports import Pushdown, RowPolicy, Signal
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INT,
    SMALLINT,
    STRING,
    TIME,
    TIMESTAMP,
    TIMESTAMP_LTZ,
    TINYINT,
    ArrayType,
    DecimalType,
    MapType,
    RowType,
)
from fluxcore.errors import DataError
from fluxcore.formats.json import JsonFormat

TEXT = st.text(st.sampled_from('ab"\\{}[]:,\n\t\r/é\U0001f600 \x01'), max_size=80) | st.text(max_size=8)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TWO = Schema.of([Column("a", STRING), Column("b", BIGINT)])
calm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[tuple[str | None, int | None]], str]:
    rows, texts = [], []
    for _ in range(draw(st.integers(0, 20))):
        row = (draw(st.none() | TEXT), draw(st.none() | st.integers(-(2**63), 2**63 - 1)))
        fields = {"a": row[0], "b": row[1], **draw(st.dictionaries(TEXT, VALUE, max_size=3))}
        fields |= {"a": row[0], "b": row[1]}
        if row[0] is None and draw(st.booleans()):
            del fields["a"]
        order = draw(st.permutations(list(fields)))
        style = {
            "ensure_ascii": draw(st.booleans()),
            "separators": draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
        }
        text = json.dumps({key: fields[key] for key in order}, **style)
        texts.append(text)
        rows.append(row)
    return rows, "".join(text + draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n"])) for text in texts)


@calm
@given(case=lines(), block=st.sampled_from([1, 30, 64, 200, 1 << 20]), last=st.booleans())
def test_any_line_comes_back_whatever_the_block_size(reading, case, block, last) -> None:
    rows, content = case
    try:
        data = content.encode()
    except UnicodeEncodeError:
        return
    found = reading("json", TWO, block=block).rows(data if last else data.rstrip(b"\r\n "))
    wanted = [(a if a is None else a.encode("utf-8", "replace").decode(), b) for a, b in rows]
    assert [(row["a"], row["b"]) for row in found] == wanted


def test_an_empty_file_and_empty_lines_have_no_rows(reading) -> None:
    assert reading("json", TWO).rows(b"") == []
    assert reading("json", TWO).rows(b"\xef\xbb\xbf\n  \n\r\n") == []


def test_a_missing_field_is_null_or_an_error(reading) -> None:
    content = '{}\n{"b":1}\n{"a":"x","b":2}\n'
    assert reading("json", TWO).rows(content) == [
        {"a": None, "b": None},
        {"a": None, "b": 1},
        {"a": "x", "b": 2},
    ]
    with pytest.raises(DataError, match="the field 'a' is missing"):
        reading("json", TWO, options={"json.fail-on-missing-field": "true"}).rows('{"a":null,"b":1}\n{"b":1}\n')


def test_the_last_of_repeated_keys_counts(reading) -> None:
    assert reading("json", TWO).rows('{"a":"x","b":1,"a":"y","b":null}\n') == [{"a": "y", "b": None}]


def test_keys_may_be_escaped_and_change_their_order(reading) -> None:
    content = '{"a":"1","b":1}\n{"b":2,"a":"2"}\n{"\\u0061":"3","b":3}\n{"bb":9,"aa":"9","a":"4"}\n'
    assert [tuple(row.values()) for row in reading("json", TWO).rows(content)] == [
        ("1", 1),
        ("2", 2),
        ("3", 3),
        ("4", None),
    ]


def test_more_keys_than_are_remembered(reading) -> None:
    row = {f"k{number}": number for number in range(400)} | {"a": "x", "b": 7}
    assert reading("json", TWO).rows((json.dumps(row) + "\n") * 3) == [{"a": "x", "b": 7}] * 3


COERCIONS = [
    (BIGINT, ['"12"', '" 12 "', "12", "12.9", "-1e3", '"+5"'], [12, 12, 12, 12, -1000, 5]),
    (INT, ["2147483647", "-2147483648", "1.5", "null"], [2147483647, -2147483648, 1, None]),
    (SMALLINT, ["-32768", '"32767"'], [-32768, 32767]),
    (TINYINT, ["-128", "127"], [-128, 127]),
    (DOUBLE, ["1", '"1.5"', "-1e-5", '"NaN"', '"-Infinity"'], [1.0, 1.5, -1e-5, "nan", float("-inf")]),
    (BOOLEAN, ["true", "false", '"TRUE"', '"yes"', "1"], [True, False, True, False, False]),
    (STRING, ["1", "1.50", "true", '{"x": [1, "y"]}', "null"], ["1", "1.50", "true", '{"x":[1,"y"]}', None]),
    (DATE, ['"2024-02-29"', '"0001-01-01"'], [datetime.date(2024, 2, 29), datetime.date(1, 1, 1)]),
    (TIME, ['"12:30:00"', '"23:59:59.999"'], [datetime.time(12, 30), datetime.time(23, 59, 59)]),
    (
        TIMESTAMP,
        ['"2024-01-02 03:04:05.678"', '"2024-01-02T03:04:05"', '"1969-12-31 23:59:59.999999"'],
        [
            datetime.datetime(2024, 1, 2, 3, 4, 5, 678000),
            datetime.datetime(2024, 1, 2, 3, 4, 5),
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999000),
        ],
    ),
    (TIMESTAMP_LTZ, ['"2024-01-02 03:04:05Z"', '"2024-01-02T03:04:05.5Z"'], [
        datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 500000, tzinfo=datetime.UTC),
    ]),
    (DecimalType(precision=5, scale=2), ["1.005", '"2.5"', "-1.005", "1e2", "1000", " 123456789012345678901e-19"], [
        Decimal("1.01"), Decimal("2.50"), Decimal("-1.01"), Decimal("100.00"), None, Decimal("12.35"),
    ]),
    (BYTES, ['"AP8="', '""', "null"], [b"\x00\xff", b"", None]),
    (ArrayType(element=INT), ["[1,null,3]", "[]", "null"], [[1, None, 3], [], None]),
    (MapType(key=STRING, value=INT), ['{"x":1,"y":null}', "{}"], [[("x", 1), ("y", None)], []]),
    (RowType(fields=(("x", INT), ("t", TIMESTAMP))), ['{"t":"2024-01-01 00:00:00","x":1,"z":2}', "{}"], [
        {"x": 1, "t": datetime.datetime(2024, 1, 1)}, {"x": None, "t": None},
    ]),
]  # fmt: skip


@pytest.mark.parametrize("case", COERCIONS, ids=lambda case: case[0].name())
def test_values_are_converted_as_in_flink(reading, case) -> None:
    type_, texts, wanted = case
    found = reading("json", type_).values("".join(f'{{"v":{text}}}\n' for text in texts))
    assert ["nan" if value != value else value for value in found] == wanted


WRONG = [
    (BIGINT, ['"x"', '""', "true", "[1]", "9223372036854775808", "{}"]),
    (INT, ["2147483648", '"1.5"']),
    (TINYINT, ["128", "1.5"]),
    (DOUBLE, ['"x"', "true", '"1_0"']),
    (DATE, ['"2023-02-29"', '"yesterday"', "20240101"]),
    (TIME, ['"25:00:00"']),
    (TIMESTAMP, ['"2024-01-01"', '"2024-13-01 00:00:00"', '"2024-01-01T00:00:00Z"', "1704067200000"]),
    (TIMESTAMP_LTZ, ['"2024-01-01 00:00:00"']),
    (DecimalType(precision=5, scale=2), ['"x"', "true"]),
    (BYTES, ['"???"', "1"]),
    (ArrayType(element=INT), ["1", '["x"]', "{}"]),
    (MapType(key=STRING, value=INT), ["[]", '{"x":"y"}']),
    (RowType(fields=(("x", INT),)), ["1", '{"x":"y"}']),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case[0].name())
def test_wrong_values_are_bad_rows_or_null_when_errors_are_ignored(reading, case) -> None:
    type_, texts = case
    for text in texts:
        with pytest.raises(DataError) as caught:
            reading("json", type_).rows(f'{{"v":null}}\n{{"v":{text}}}\n')
        assert caught.value.place is not None
        assert (caught.value.place.line, caught.value.place.field) == (2, "v")
    lenient = reading("json", type_, options={"json.ignore-parse-errors": "true"})
    assert lenient.values("".join(f'{{"v":{text}}}\n' for text in texts)) == [None] * len(texts)


BAD = [
    b"nonsense",
    b"[1]",
    b'"text"',
    b'{"a":"x","b":1',
    b'{"a":"x" "b":1}',
    b'{"a":"x","b":1}}',
    b'{"a":"x","b":1} {"a":"y"}',
    b'{"a":"x","b":01}',
    b'{"a":"x","b":1,}',
    b'{"a":"x,"b":1}',
    b'{"a":"open, "b":1}',
    b'{"a":"tab\there","b":1}',
    b'{"a":"\\q","b":1}',
    b'{"a":"\\u12","b":1}',
    b'{"a":"\xff","b":1}',
    b'{"a":x,"b":1}',
    b'{"z":[1,2},"b":1}',
    b'{"z":nul,"b":1}',
    b'{"z":[1 2],"b":1}',
    b'{"z":[1,],"b":1}',
    b'{"z":{"x"},"b":1}',
    b'{"z":{"x":},"b":1}',
    b'{"z":[{"x":1,}],"b":1}',
    b'{"z":["x":1],"b":1}',
    b'{"a":"x","b":NaN}',
    b'{a:"x"}',
    b"{",
    b"}",
    b'{"a"}',
    b'{"a":}',
    b'{,"a":"x"}',
]


@pytest.mark.parametrize("bad", BAD)
def test_a_line_that_is_no_object_is_one_bad_row(reading, bad, tmp_path) -> None:
    content = b'{"a":"1","b":1}\n' + bad + b'\n{"a":"3","b":3}\n'
    for block in (16, 1000):
        with pytest.raises(DataError) as caught:
            reading("json", TWO, block=block).rows(content)
        assert caught.value.place is not None
        assert (caught.value.code, caught.value.place.line) == ("FX-DAT-0001", 2)
        skipping = reading("json", TWO, block=block, policy=RowPolicy.SKIP)
        assert [tuple(row.values()) for row in skipping.rows(content)] == [("1", 1), ("3", 3)]
        assert skipping.faults.statistics()["skipped_rows"] == 1
    keeping = reading("json", TWO, policy=RowPolicy.DEAD_LETTER)
    assert len(keeping.rows(content)) == 2
    letter = json.loads((tmp_path / "dead.jsonl").read_text())
    assert (letter["line"], letter["row"]) == (2, bad.decode("utf-8", "backslashreplace"))
    lenient = reading("json", TWO, options={"json.ignore-parse-errors": "true"})
    assert [row["b"] for row in lenient.rows(content)] == [1, 3]


def test_many_control_characters_make_only_their_rows_bad(reading) -> None:
    content = b"".join(b'{"a":"x\x01","b":1}\n' if n % 3 else b'{"a":"y","b":%d}\n' % n for n in range(300))
    skipping = reading("json", TWO, policy=RowPolicy.SKIP)
    assert [row["b"] for row in skipping.rows(content)] == list(range(0, 300, 3))
    assert skipping.faults.statistics()["skipped_rows"] == 200


def test_a_lone_surrogate_becomes_a_question_mark(reading) -> None:
    assert reading("json", STRING).values('{"v":"a\\ud800b\\ud83d\\ude00"}\n') == ["a?b\U0001f600"]


def test_deep_nesting_is_no_crash(reading) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(DataError, match="not JSON"):
        reading("json", TWO).rows(f'{{"z":{deep},"b":1}}\n')


def test_a_reader_goes_on_where_another_stopped(reading) -> None:
    content = b"".join(b'{"a":"%d","b":%d}\n' % (n, n) for n in range(50))
    first = reading("json", TWO, block=100)
    reader = first.open(content)
    found = [row for _ in range(4) for row in reader.decode(reader.take()).data.to_pylist()]
    position = reader.position()
    assert position["line"] == len(found) + 1
    reader.close()
    again = first.open(content, position=position)
    while (unit := again.take()) is not Signal.END:
        found += again.decode(unit).data.to_pylist()
    again.close()
    assert [row["b"] for row in found] == list(range(50))


def test_late_texts_match_their_rows_even_with_odd_escapes(reading) -> None:
    texts = ["plain", '\\"q\\"', "\\ud800", "\\u00e9\\n"]
    content = "".join(f'{{"a":"{texts[n % 4]}{n}","b":{n}}}\n' for n in range(40))
    wanted = {n: json.loads(f'"{texts[n % 4]}{n}"').encode("utf-8", "replace").decode() for n in range(40)}
    for chosen in (lambda n: n % 4 == 1, lambda n: n > 30, lambda _: False, lambda _: True):
        keep = {n for n in range(40) if chosen(n)}
        values = pc.SetLookupOptions(value_set=pc.cast(list(keep), "int64") if keep else pc.cast([], "int64"))
        pushdown = Pushdown(lambda batch, v=values: pc.is_in(batch.column(1), options=v), columns=(1,))
        found = reading("json", TWO, pushdown=pushdown).rows(content)
        assert found == [{"a": wanted[n], "b": n} for n in sorted(keep)]


def test_messages_may_be_spread_over_lines(reading) -> None:
    decoder = JsonFormat().decoder(reading("json", TWO).request())
    found = decoder.decode_messages([b'{"a":"x",\n "b":1}', b'{"b":2}', b""]).data.to_pylist()
    assert found == [{"a": "x", "b": 1}, {"a": None, "b": 2}]


@calm
@given(
    rows=st.lists(st.fixed_dictionaries({"a": TEXT, "b": st.integers(0, 99), "z": VALUE}), min_size=1, max_size=6),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(b'{}[]:,"0x. \n-e')), max_size=4),
    remove=st.booleans(),
)
def test_both_readings_agree_about_what_is_wrong(reading, rows, changes, remove) -> None:
    content = bytearray("".join(json.dumps(row) + "\n" for row in rows).replace("\\", "/").encode())
    for place, byte in changes:
        at = place % len(content)
        content[at : at + 1] = b"" if remove else bytes([byte])
    whole = reading("json", TWO, policy=RowPolicy.SKIP, block=1000)
    found = whole.rows(bytes(content))
    single = reading("json", TWO, policy=RowPolicy.SKIP)
    decoder = JsonFormat().decoder(single.request())
    # a message with an inner line end is read by the row reader alone
    messages = [b"\n \n" + line for line in bytes(content).split(b"\n") if line.strip()]
    assert found == decoder.decode_messages(messages).data.to_pylist()
    assert whole.faults.statistics() == single.faults.statistics()
