"""Options of tables, ours as Flink's and back."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from fluxcore.core.ports import TableDescription
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT
from fluxcore.targets.flink.sql.options import flink_options, fluxcore_options

SCHEMA = Schema.of([Column("id", BIGINT)])


def of(options):
    return flink_options(TableDescription("orders", SCHEMA, options))


FILES = {"connector": "filesystem", "path": "/data/in", "format": "csv"}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/data/in", "file:///data/in"), ("/data/a b", "file:///data/a b"), ("file:///data/a%20b", "file:///data/a b"),
        ("file:/data/in", "file:///data/in"), ("/data/a%20b", "file:///data/a%20b"), ("/data/../in/", "file:///in"),
        ("s3://bucket/in", "s3://bucket/in"), ("hdfs://host:9000/in", "hdfs://host:9000/in"),
    ],
)  # fmt: skip
def test_a_path_becomes_a_whole_url_whose_letters_stand_for_themselves(path, wanted):
    options, unportable = of({**FILES, "path": path})
    assert options["path"] == wanted
    assert unportable == ()


def test_a_relative_path_is_below_the_folder_of_the_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert of({**FILES, "path": "in/a.csv"})[0]["path"] == f"file://{tmp_path}/in/a.csv"


@pytest.mark.parametrize(
    ("pattern", "folder", "yes", "no"),
    [
        ("/d/in/*.csv", "/d/in", ["/d/in/a.csv", "/d/in/.csv"], ["/d/in/b/a.csv", "/d/in/acsv", "/d/in/a.csv.gz"]),
        ("/d/2024-*/x?.csv", "/d", ["/d/2024-01/x1.csv"], ["/d/2023-01/x1.csv", "/d/2024-01/x.csv"]),
        ("/d/**/a.csv", "/d", ["/d/a.csv", "/d/b/c/a.csv"], ["/d/b/xa.csv"]),
        ("/d/[ab!][!c]+(1).csv", "/d", ["/d/ax+(1).csv", "/d/!d+(1).csv"], ["/d/cx+(1).csv", "/d/ac+(1).csv"]),
    ],
)
def test_a_pattern_becomes_the_folder_and_a_regular_expression(pattern, folder, yes, no):
    options, unportable = of({**FILES, "path": pattern})
    assert options["path"] == f"file://{folder}"
    assert unportable == ()
    found = re.compile(options["source.path.regex-pattern"])
    assert all(found.fullmatch(each) for each in yes)
    assert not any(found.fullmatch(each) for each in no)


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    (tmp_path / "a[1].csv").write_text("1\n")
    options, _ = of({**FILES, "path": str(tmp_path / "a[1].csv")})
    assert options["path"] == f"file://{tmp_path}/a[1].csv"
    assert "source.path.regex-pattern" not in options


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"csv.header": "true"}, "has no header"), ({"csv.ignore-first-line": "TRUE"}, "reads every line"),
        ({"row-policy": "skip"}, "fails at a row"), ({"row-policy": "dead-letter", "dead-letter.path": "x"}, "fails at a row"),
    ],
)  # fmt: skip
def test_what_flink_has_no_option_for_is_left_out_and_told(extra, why):
    options, unportable = of({**FILES, **extra})
    assert not set(extra) & set(options)
    assert [each.what for each in unportable] == [f"the option '{key}' = '{value}'" for key, value in extra.items()]
    assert why in unportable[0].why
    assert unportable[0].where == "table 'orders'"


def test_an_option_that_says_nothing_is_left_out_quietly():
    harmless = {"csv.header": "false", "csv.ignore-first-line": "false", "row-policy": "fail"}
    assert of({**FILES, **harmless}) == ({**FILES, "path": "file:///data/in"}, ())


def test_options_of_both_stay_as_they_are():
    csv = {
        "csv.field-delimiter": ";", "csv.null-literal": "", "csv.quote-character": "'", "csv.allow-comments": "true",
        "csv.array-element-delimiter": "|", "csv.escape-character": "\\", "csv.ignore-parse-errors": "true",
        "csv.disable-quote-character": "false", "csv.trim-spaces": "true", "csv.empty-string-as-null": "true",
        "sink.rolling-policy.file-size": "64MB", "scan.watermark.idle-timeout": "5 s",
    }  # fmt: skip
    assert of({**FILES, **csv}) == ({**FILES, "path": "file:///data/in", **csv}, ())
    json = {"connector": "filesystem", "path": "file:///x", "format": "json", "json.timestamp-format.standard": "ISO-8601",
            "json.ignore-parse-errors": "true", "json.encode.ignore-null-fields": "true"}  # fmt: skip
    assert of(json) == (json, ())
    datagen = {"connector": "datagen", "rows-per-second": "5", "number-of-rows": "9", "fields.id.min": "1", "fields.id.max": "3",
               "fields.id.kind": "random", "fields.id.null-rate": "0.5"}  # fmt: skip
    assert of(datagen) == (datagen, ())
    sink = {"connector": "print", "print-identifier": "out", "standard-error": "true", "sink.parallelism": "1"}
    assert of(sink) == (sink, ())
    assert of({"connector": "blackhole"}) == ({"connector": "blackhole"}, ())
    kafka = {
        "connector": "kafka",
        "topic": "t",
        "properties.bootstrap.servers": "h:1",
        "scan.startup.mode": "earliest-offset",
    }
    assert of(kafka) == (kafka, ())


def test_times_of_parquet_are_those_of_utc():
    options, unportable = of({**FILES, "format": "parquet", "parquet.compression": "ZSTD"})
    assert options["parquet.utc-timezone"] == "true"
    assert options["parquet.compression"] == "ZSTD"
    assert unportable == ()


def test_the_seed_of_datagen_is_ours():
    options, unportable = of({"connector": "datagen", "seed": "7"})
    assert options == {"connector": "datagen"}
    assert "other rows each time" in unportable[0].why


def test_a_connector_without_a_twin_keeps_its_options():
    given = {"connector": "nexmark", "table": "bid", "seed": "7"}
    options, (found,) = of(given)
    assert options == given
    assert found.what == "the connector 'nexmark'"
    assert of({"connector": "of a plugin"})[1][0].why == "Flink has no connector of that name"


def test_flinks_options_are_ours_but_for_what_we_lack():
    flink = {**FILES, "path": "file:///data/a%20b", "csv.field-delimiter": ";", "source.monitor-interval": "1 s"}
    options, unportable = fluxcore_options(flink)
    assert options == {**FILES, "path": "/data/a%20b", "csv.field-delimiter": ";"}
    assert [(each.what, each.where) for each in unportable] == [
        ("the option 'source.monitor-interval' = '1 s'", "connector 'filesystem'")
    ]
    assert "a folder is read once" in unportable[0].why


@pytest.mark.parametrize(
    ("flink", "what", "why"),
    [
        ({"connector": "hbase-2.2"}, "the connector 'hbase-2.2'", "no connector of that name"),
        ({"connector": "datagen", "fields.id.var-len": "true"}, "the option 'fields.id.var-len'", "no such option"),
        ({**FILES, "path": "oss://bucket/x"}, "the option 'path'", "can't read the file system 'oss'"),
        ({**FILES, "format": "orc"}, "the option 'format' = 'orc'", "there is no format 'orc'"),
        ({**FILES, "format": "parquet"}, "the option 'parquet.utc-timezone' = 'false'", "in UTC"),
        ({**FILES, "sink.parallelism": "4"}, "the option 'sink.parallelism'", "no such option"),
    ],
)
def test_flinks_options_without_a_twin_are_told(flink, what, why):
    _, unportable = fluxcore_options(flink)
    assert [each.what.startswith(what) for each in unportable] == [True], unportable
    assert why in unportable[0].why


def test_options_survive_the_way_to_flink_and_back(tmp_path):
    given = {
        "connector": "filesystem", "path": str(tmp_path / "a b%20c.csv"), "format": "csv", "csv.field-delimiter": ";",
        "csv.null-literal": "n/a", "scan.watermark.idle-timeout": "5 s",
    }  # fmt: skip
    there, unportable = of(given)
    assert unportable == ()
    assert fluxcore_options(there) == (given, ())
    assert Path(there["path"].removeprefix("file://")) == tmp_path / "a b%20c.csv"
    assert os.fspath(tmp_path) in there["path"]
