"""The CSV reader against Python's csv module, by Flink's rules."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxcore.core.ports import Pushdown, RowPolicy, Signal
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, BOOLEAN, DOUBLE, INT, STRING, TIMESTAMP, ArrayType, RowType
from fluxcore.errors import DataError
from fluxcore.formats.csv import CsvFormat
from fluxcore.formats.csv_decoder import CsvDecoder
from fluxcore.formats.faults import RowError

TEXT = st.text(st.sampled_from("ab\",;\n\r\t \\#é\U0001f600'0"), max_size=80) | st.text(max_size=8)
THREE = Schema.of([Column("a", STRING), Column("b", BIGINT), Column("c", STRING)])
calm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(rows: Iterable[Sequence[Any]], quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
    out = io.StringIO()
    rows = list(rows)
    if any("\r" in str(value) for row in rows for value in row):
        quoting = csv.QUOTE_ALL  # this writer leaves a carriage return bare
    csv.writer(out, quoting=quoting, lineterminator=end).writerows(rows)
    return out.getvalue()


def clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


@calm
@given(
    rows=st.lists(st.tuples(TEXT, st.integers(-(2**63), 2**63 - 1), TEXT), max_size=30),
    block=st.sampled_from([1, 7, 64, 200, 1 << 20]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_any_text_comes_back_whatever_the_block_size(reading, rows, block, quoting, end, last) -> None:
    rows = [(clean(a), b, clean(c)) for a, b, c in rows]
    content = written(rows, quoting, end) if last else written(rows, quoting, end).removesuffix(end)
    found = reading("csv", THREE, block=block).rows(content)
    assert [(row["a"], row["b"], row["c"]) for row in found] == rows


@calm
@given(
    rows=st.lists(st.tuples(TEXT, st.integers(0, 99), TEXT), max_size=20),
    columns=st.permutations([0, 1, 2]).flatmap(lambda order: st.integers(1, 3).map(lambda count: order[:count])),
    block=st.sampled_from([5, 64, 1000]),
)
def test_only_wanted_columns_come_in_the_wanted_order(reading, rows, columns, block) -> None:
    rows = [(clean(a), b, clean(c)) for a, b, c in rows]
    found = reading("csv", THREE, columns=columns, block=block).rows(written(rows))
    assert [list(row) for row in found[:1]] == [[THREE[index].name for index in columns]][: len(found)]
    assert [tuple(row.values()) for row in found] == [tuple(row[index] for index in columns) for row in rows]


def test_an_empty_file_has_no_rows(reading) -> None:
    assert reading("csv", THREE).rows(b"") == []
    assert reading("csv", THREE, options={"csv.header": "true"}).rows(b"") == []
    assert reading("csv", THREE).rows(b"\n\r\n\n") == []


def test_a_byte_order_mark_and_empty_lines_are_no_data(reading) -> None:
    for block in (1, 1000):
        found = reading("csv", THREE, block=block).rows(b"\xef\xbb\xbfx,1,y\n\n\r\nz,2,w")
        assert [tuple(row.values()) for row in found] == [("x", 1, "y"), ("z", 2, "w")]


def test_an_empty_line_of_a_table_of_one_text_is_an_empty_text(reading) -> None:
    assert reading("csv", STRING).values("a\n\nb\n") == ["a", "", "b"]


def test_a_quote_inside_a_plain_field_is_a_character(reading) -> None:
    found = reading("csv", THREE).rows('a"b,1,5" pipe\n"x",2,say ""hi""\n')
    assert [tuple(row.values()) for row in found] == [('a"b', 1, '5" pipe'), ("x", 2, 'say ""hi""')]


def test_empty_fields_are_empty_texts_or_the_null_literal(reading) -> None:
    assert reading("csv", THREE, options={"csv.null-literal": ""}).rows(',,""\n') == [{"a": None, "b": None, "c": None}]
    assert reading("csv", THREE, options={"csv.null-literal": "NULL"}).rows(",NULL,NULL\n") == [
        {"a": "", "b": None, "c": None}
    ]
    assert reading("csv", THREE, options={"csv.empty-string-as-null": "true"}).rows(",,x\n") == [
        {"a": None, "b": None, "c": "x"}
    ]
    with pytest.raises(DataError, match="not a BIGINT"):
        reading("csv", THREE).rows("x,,y\n")


def test_other_characters_delimit_quote_and_escape(reading) -> None:
    options = {"csv.field-delimiter": "\\t", "csv.quote-character": "'", "csv.escape-character": "\\"}
    found = reading("csv", THREE, options=options).rows("'a\tb'\t1\t'it\\'s'\nx\\\ty\t2\tline\\n\n")
    assert [tuple(row.values()) for row in found] == [("a\tb", 1, "it's"), ("x\ty", 2, "line\n")]
    options = {"csv.field-delimiter": "|", "csv.disable-quote-character": "true"}
    assert reading("csv", THREE, options=options).rows('"a|1|b"\n') == [{"a": '"a', "b": 1, "c": 'b"'}]


def test_comments_are_skipped_even_with_quotes_in_them(reading) -> None:
    content = '# "open, quote\na,1,b\n"#no",2,"x\n# still text"\n#end'
    for block in (16, 40, 1000):
        found = reading("csv", THREE, options={"csv.allow-comments": "true"}, block=block).rows(content)
        assert [tuple(row.values()) for row in found] == [("a", 1, "b"), ("#no", 2, "x\n# still text")]


def test_spaces_are_kept_or_trimmed(reading) -> None:
    assert reading("csv", THREE).rows(" a , 1 , b\n") == [{"a": " a ", "b": 1, "c": " b"}]
    options = {"csv.trim-spaces": "true"}
    assert reading("csv", THREE, options=options).rows(' a , 1 , " b" \n') == [{"a": "a", "b": 1, "c": " b"}]


def test_a_delimiter_may_end_a_line_unless_the_table_says_no(reading) -> None:
    assert reading("csv", THREE).rows("a,1,b,\r\n") == [{"a": "a", "b": 1, "c": "b"}]
    with pytest.raises(DataError, match="4 fields instead of 3"):
        reading("csv", THREE, options={"csv.allow-trailing-comma": "false"}).rows("a,1,b,\n")


def test_a_header_maps_columns_by_name(reading) -> None:
    options = {"csv.header": "true"}
    for block in (3, 1000):
        found = reading("csv", THREE, options=options, block=block).rows('more,c,"b",a\n0,see,7,ay\n')
        assert found == [{"a": "ay", "b": 7, "c": "see"}]
    assert reading("csv", THREE, options=options).rows("a,b,c") == []


def test_a_wrong_header_names_what_is_missing(reading) -> None:
    with pytest.raises(DataError) as caught:
        reading("csv", THREE, options={"csv.header": "true"}).rows("a,bb,x\n1,2,3\n")
    assert caught.value.code == "FX-DAT-0006"
    assert "'b', 'c'" in caught.value.message
    assert "'bb'" in str(caught.value.hint)


def test_the_first_line_can_be_skipped(reading) -> None:
    assert reading("csv", INT, options={"csv.ignore-first-line": "true"}).values("whatever\n1\n2\n") == [1, 2]


def test_collections_are_split_at_their_delimiter(reading) -> None:
    schema = Schema.of([Column("a", ArrayType(element=INT)), Column("r", RowType(fields=(("x", INT), ("y", STRING))))])
    assert reading("csv", schema).rows("1;2;3,4;z\n,5;\n") == [
        {"a": [1, 2, 3], "r": {"x": 4, "y": "z"}},
        {"a": [], "r": {"x": 5, "y": ""}},
    ]


BAD = {
    "text for a number": ("x,one,y", "b", "not a BIGINT"),
    "too few fields": ("x,1", None, "2 fields instead of 3"),
    "too many fields": ("x,1,y,z", None, "4 fields instead of 3"),
    "a number out of range": ("x,9223372036854775808,y", "b", "out of the range"),
    "text behind a quote": ('"x"z,1,y', None, "follows a closing quote"),
    "bytes that are no text": (b"\xff,1,y", None, "not valid UTF-8"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_fails_with_its_place(reading, kind) -> None:
    bad, field, cause = BAD[kind]
    raw = bad if isinstance(bad, bytes) else bad.encode()
    content = b'a,1,"b\nb"\n' + raw + b"\nc,3,d\n"
    for block in (10, 1000):
        with pytest.raises(DataError) as caught:
            reading("csv", THREE, block=block).rows(content)
        assert caught.value.code == "FX-DAT-0001"
        assert cause in caught.value.message
        assert caught.value.place is not None
        assert (caught.value.place.line, caught.value.place.field) == (3, field)
        assert str(caught.value.place.file).endswith("data")
        assert "row-policy" in str(caught.value.hint)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_skipped_or_goes_to_the_dead_letters(reading, kind, tmp_path: Path) -> None:
    bad, field, cause = BAD[kind]
    raw = bad if isinstance(bad, bytes) else bad.encode()
    content = b"a,1,b\n" + raw + b"\nc,3,d\n"
    kept = [{"a": "a", "b": 1, "c": "b"}, {"a": "c", "b": 3, "c": "d"}]
    skipping = reading("csv", THREE, policy=RowPolicy.SKIP)
    assert skipping.rows(content) == kept
    assert skipping.faults.statistics() == {"skipped_rows": 1, "dead_letter_rows": 0}
    keeping = reading("csv", THREE, policy=RowPolicy.DEAD_LETTER)
    assert keeping.rows(content) == kept
    assert keeping.faults.statistics() == {"skipped_rows": 0, "dead_letter_rows": 1}
    (letter,) = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]
    assert letter["row"] == raw.decode("utf-8", "backslashreplace")
    assert (letter["line"], letter["field"]) == (2, field)
    assert cause in letter["cause"]


def test_a_quote_that_stays_open_is_one_bad_row(reading) -> None:
    for block in (8, 1000):
        skipping = reading("csv", THREE, policy=RowPolicy.SKIP, block=block)
        assert skipping.rows('a,1,b\nc,2,"d\ne,3,f\n') == [{"a": "a", "b": 1, "c": "b"}]
        assert skipping.faults.statistics()["skipped_rows"] == 1


def test_wrong_fields_are_null_and_wrong_rows_skipped_when_errors_are_ignored(reading) -> None:
    lenient = reading("csv", THREE, options={"csv.ignore-parse-errors": "true"})
    found = lenient.rows('a,one,b\nc\nd,2,e,f\n"x"y,1,z\ng,4,h\n')
    assert [tuple(row.values()) for row in found] == [("a", None, "b"), ("c", None, None), ("g", 4, "h")]
    assert lenient.faults.statistics()["skipped_rows"] == 2


def test_null_in_a_not_null_column_is_a_bad_row(reading) -> None:
    schema = Schema.of([Column("v", BIGINT.with_nullable(False)), Column("s", STRING.with_nullable(False))])
    options = {"csv.null-literal": ""}
    with pytest.raises(DataError, match="null in a column of type BIGINT NOT NULL"):
        reading("csv", schema, options=options).rows("1,x\n,y\n")
    assert reading("csv", schema, options=options, policy=RowPolicy.SKIP).rows("1,x\n,y\n2,\n3,z\n") == [
        {"v": 1, "s": "x"},
        {"v": 3, "s": "z"},
    ]


def test_a_record_beyond_all_bounds_is_an_error(reading) -> None:
    with pytest.raises(DataError) as caught:
        reading("csv", STRING, block=64, record_max=1000).rows('"' + "x" * 5000)
    assert caught.value.code == "FX-DAT-0002"


def test_a_record_longer_than_a_block_is_read(reading) -> None:
    long = "x" * 5000
    assert reading("csv", STRING, block=64).values(f'a\n"{long}"\nb\n') == ["a", long, "b"]


@calm
@given(rows=st.lists(st.tuples(TEXT, st.integers(0, 9), TEXT), min_size=1, max_size=20), cut=st.integers(0, 20))
def test_a_reader_goes_on_where_another_stopped(reading, rows, cut) -> None:
    rows = [(clean(a), b, clean(c)) for a, b, c in rows]
    content = written([("c", "b", "a"), *((c, b, a) for a, b, c in rows)]).encode()
    settings_ = {"options": {"csv.header": "true"}, "block": 30}
    for name, data in (("data", content), ("data.gz", gzip.compress(content))):
        first = reading("csv", THREE, **settings_)
        reader = first.open(data, name)
        found = []
        for _ in range(cut):
            unit = reader.take()
            if unit is Signal.END:
                break
            found += reader.decode(unit).data.to_pylist()
        position = json.loads(json.dumps(dict(reader.position())))
        assert position["line"] == content[: position["offset"]].count(b"\n") + 1
        reader.close()
        again = first.open(data, name, position)
        while (unit := again.take()) is not Signal.END:
            found += again.decode(unit).data.to_pylist()
        again.close()
        assert [(row["a"], row["b"], row["c"]) for row in found] == rows


def test_compressed_files_are_read_by_their_suffix(reading) -> None:
    content = b"".join(b"x%d,%d,y\n" % (number, number) for number in range(500))
    zstd = pa.compress(content, codec="zstd", asbytes=True)
    for name, data in (("a.csv.gz", gzip.compress(content)), ("a.csv.zst", zstd)):
        found = reading("csv", THREE, block=100).rows(data, name)
        assert [row["b"] for row in found] == list(range(500))
    with pytest.raises(DataError) as caught:
        reading("csv", THREE).rows(b"not gzip at all", "b.csv.gz")
    assert caught.value.code == "FX-DAT-0005"


def test_the_predicate_is_applied_and_late_texts_match_their_rows(reading) -> None:
    content = "".join(f'"t""{number}",{number},s{number}\n' for number in range(100))
    pushdown = Pushdown(lambda batch: pc.equal(pc.bit_wise_and(batch.column(1), 7), 3), columns=(1,))
    found = reading("csv", THREE, pushdown=pushdown, block=200).rows(content)
    assert found == [{"a": f't"{n}', "b": n, "c": f"s{n}"} for n in range(100) if n % 8 == 3]


def test_the_predicate_meets_repaired_rows_too(reading) -> None:
    pushdown = Pushdown(lambda batch: pc.greater(batch.column(1), 1), columns=(1,))
    content = '"a" ,1,x\n"b" ,2,y\nbad\nc,3,z\n'
    found = reading("csv", THREE, pushdown=pushdown, policy=RowPolicy.SKIP).rows(content)
    assert [tuple(row.values()) for row in found] == [("b", 2, "y"), ("c", 3, "z")]


def test_types_have_the_tables_arrow_types(reading) -> None:
    schema = Schema.of([Column("i", INT), Column("d", DOUBLE), Column("t", TIMESTAMP), Column("b", BOOLEAN)])
    reader = reading("csv", schema).open(b"1,2.5,2024-01-01 00:00:00,TRUE\n")
    batch = reader.decode(reader.take())
    reader.close()
    assert batch.data.schema.types == [pa.int32(), pa.float64(), pa.timestamp("us"), pa.bool_()]


def test_messages_are_decoded_without_a_file(reading) -> None:
    decoder = CsvFormat().decoder(reading("csv", THREE).request())
    found = decoder.decode_messages([b"a,1,b", b'"x\ny",2,z\n', b"c,3,d\r\n"]).data.to_pylist()
    assert [tuple(row.values()) for row in found] == [("a", 1, "b"), ("x\ny", 2, "z"), ("c", 3, "d")]
    assert decoder.decode_messages([]).rows == 0
    with pytest.raises(DataError) as caught:
        decoder.decode_messages([b"a,1,b", b"nope"], "topic")
    assert caught.value.place is not None
    assert (caught.value.place.file, caught.value.place.line) == ("topic", 2)


def records(content: bytes, escape: str, comments: bool) -> Iterator[bytes]:
    """Split content into records, one character at a time."""
    text, at, start, quoted, fresh = content.decode(), 0, 0, False, True
    text = text if text.endswith("\n") else text + "\n"
    while at < len(text):
        character = text[at]
        if comments and at == start and character == "#":
            at = start = text.index("\n", at) + 1
            fresh = True
        elif character == escape:
            at, fresh = at + 2, False
        elif quoted and character == '"':
            quoted = text[at + 1 : at + 2] == '"'
            at, fresh = at + (2 if quoted else 1), False
        elif quoted:
            at, fresh = at + 1, False
        elif character == "\n":
            if text[start:at] not in ("", "\r"):
                yield text[start:at].removesuffix("\r").encode()
            at = start = at + 1
            fresh = True
        else:
            quoted = fresh and character == '"'
            at, fresh = at + 1, character == ","
    if start < len(text):
        yield text[start:].removesuffix("\n").removesuffix("\r").encode()


@calm
@given(
    content=st.lists(st.sampled_from([b'"', b",", b"\n", b"1", b"x", b'""', b'","', b" ", b"\r\n", b'"\n"'])).map(
        b"".join
    ),
    block=st.sampled_from([1, 9, 1 << 20]),
    style=st.sampled_from(["plain", "escape", "comments"]),
)
def test_both_readings_agree_about_what_is_wrong(reading, content, block, style) -> None:
    options = {"plain": {}, "escape": {"csv.escape-character": "x"}, "comments": {"csv.allow-comments": "true"}}[style]
    if style == "comments":
        content = content.replace(b"x", b"#")
    schema = Schema.of([Column("a", STRING), Column("b", STRING)])
    whole = reading("csv", schema, options=options, block=block, policy=RowPolicy.SKIP)
    found = whole.rows(content)
    statistics = whole.faults.statistics()
    decoder = CsvFormat().decoder(whole.request())
    assert isinstance(decoder, CsvDecoder)
    wanted, dead = [], 0
    for raw in records(content, "x" if style == "escape" else "", style == "comments"):
        try:
            values = decoder.read_row(raw, None)
            wanted.append(dict(zip(schema.names, values, strict=True)))
        except RowError:
            dead += 1
    assert found == wanted
    assert statistics["skipped_rows"] == dead
