"""``fluxcore bus`` as a user meets it: pipes, exit codes, errors, and what the files say afterwards."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys

import pytest

BUS = [sys.executable, "-m", "fluxcore.cli.main", "bus"]


@pytest.fixture
def bus(tmp_path):
    def call(*words, lines=None, url="file:data", env=None):
        options = [] if url is None else ["--bus", url]
        given = None if lines is None else "".join(f"{line}\n" for line in lines)
        return subprocess.run(
            [*BUS, *words, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            input=given, env={**os.environ, **(env or {})},
        )  # fmt: skip

    return call


@pytest.fixture
def start(tmp_path):
    started = []

    def call(*words, **more):
        process = subprocess.Popen(
            [*BUS, *words, "--bus", "file:data"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def objects(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_what_is_published_is_replayed_with_all_that_was_said(bus):
    done = bus(
        "publish",
        "orders.eu.created",
        '{"id": 1, "amount": 99.5}',
        "plain words",
        "--key",
        "o-1",
        "--header",
        "source=/shop",
    )
    assert done.returncode == 0
    assert "2 published; safe: disk" in done.stderr
    assert done.stdout == ""
    first, second = objects(bus("replay", "orders.>", "--from", "earliest", "--format", "json"))
    assert list(first) == ["offset", "subject", "key", "time", "headers", "data"]
    assert (first["offset"], first["subject"], first["key"]) == (0, "orders.eu.created", "o-1")
    assert first["headers"] == {"source": "/shop"}
    assert first["data"] == {"id": 1, "amount": 99.5}
    assert second["data"] == "plain words"
    moment = dt.datetime.fromisoformat(first["time"])
    assert abs(dt.datetime.now(dt.UTC) - moment) < dt.timedelta(minutes=5)
    assert first["time"].endswith("Z")


def test_lines_of_standard_input_are_events_and_receipts_can_be_had(bus):
    lines = [json.dumps({"id": f"o-{n}", "region": "eu" if n % 2 else "us"}) for n in range(50)]
    receipts = objects(bus("publish", "orders", "--key-field", "id", "--format", "json", lines=lines))
    assert [each["offset"] for each in receipts] == list(range(50))
    assert {each["survives"] for each in receipts} == {"disk"}
    found = objects(bus("replay", "orders", "--where", "region = 'eu'", "--count", "3"))
    assert [(each["offset"], each["key"]) for each in found] == [(1, "o-1"), (3, "o-3"), (5, "o-5")]
    found = objects(bus("replay", "orders", "--from", "10", "--to", "12"))
    assert [each["offset"] for each in found] == [10, 11]
    found = objects(bus("replay", "orders", "--from", "2100-01-01T00:00:00Z"))
    assert found == []
    table = bus("replay", "orders", "--count", "1", "--format", "table").stdout
    assert 'orders/0 orders [o-0] {"id":"o-0","region":"us"}' in table


def test_events_are_piped_from_one_bus_into_another(bus, tmp_path):
    bus("publish", "orders.eu", "1", "2", "--key", "k", "--header", "a=b")
    lines = bus("replay", ">").stdout.splitlines()
    assert bus("publish", "--events", lines=lines, url="file:other").returncode == 0
    copy = objects(bus("replay", ">", url="file:other"))
    assert [(each["subject"], each["key"], each["headers"], each["data"]) for each in copy] == [
        ("orders.eu", "k", {"a": "b"}, 1),
        ("orders.eu", "k", {"a": "b"}, 2),
    ]
    wrong = bus("publish", "--events", lines=['{"subject": "x", "data": 1}', "no event"], url="file:other")
    assert wrong.returncode == 1
    assert "FX-CLI-0024" in wrong.stderr
    assert "line 2" in wrong.stderr


def test_a_group_goes_on_where_it_stood(bus):
    bus("publish", "jobs.a", *map(str, range(5)))
    first = objects(bus("subscribe", "jobs.>", "--group", "w", "--from", "earliest", "--count", "3"))
    assert [each["data"] for each in first] == [0, 1, 2]
    rest = objects(bus("subscribe", "jobs.>", "--group", "w", "--count", "2"))
    assert [each["data"] for each in rest] == [3, 4]
    (row,) = objects(bus("groups", "--format", "json"))
    assert (row["group"], row["topic"], row["position"], row["lag"]) == ("w", "jobs", 5, 0)
    assert "w " in bus("groups").stdout


def test_a_subscriber_sees_what_comes_and_ends_at_ctrl_c(bus, start):
    bus("publish", "news.a", "0")
    process = start("subscribe", "news.>", "--from", "earliest")
    assert json.loads(process.stdout.readline())["data"] == 0
    bus("publish", "news.b", "1")
    assert json.loads(process.stdout.readline())["data"] == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


def test_the_tail_follows(bus, start):
    bus("publish", "t", *map(str, range(20)))
    assert [each["data"] for each in objects(bus("tail", "t", "-n", "2"))] == [18, 19]
    process = start("tail", "t", "-n", "1", "--follow")
    assert json.loads(process.stdout.readline())["data"] == 19
    bus("publish", "t", "20")
    assert json.loads(process.stdout.readline())["data"] == 20
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143


def test_topics_are_listed_and_inspected(bus):
    bus("publish", "orders.eu", '{"id": 1}')
    bus("publish", "payments", "2", "3")
    rows = objects(bus("topics", "--format", "json"))
    assert [(each["topic"], each["start"], each["end"], each["acks"]) for each in rows] == [
        ("orders", 0, 1, "disk"),
        ("payments", 0, 2, "disk"),
    ]
    assert all(each["bytes"] > 0 for each in rows)
    (found,) = objects(bus("inspect", "payments", "--format", "json"))
    assert found["segments"][0]["events"] == 2
    assert "payments" in bus("inspect", "payments").stdout
    (event,) = objects(bus("inspect", "payments", "1", "--format", "json"))
    assert event["data"] == 3
    missing = bus("inspect", "payment")
    assert missing.returncode == 2
    assert "payments" in missing.stderr
    assert bus("inspect", "payments", "7").returncode == 2


def test_damage_is_found_and_told(bus, tmp_path):
    bus("publish", "orders", *(f'"event {n} {"x" * 500}"' for n in range(20)))
    good = bus("verify", "--format", "json")
    assert objects(good)[0]["ok"] is True
    (segment,) = (tmp_path / "data" / "topics" / "orders").glob("*.seg")
    content = bytearray(segment.read_bytes())
    at = content.find(b"event 7")
    content[at] ^= 1
    segment.write_bytes(content)
    bad = bus("verify", "orders")
    assert bad.returncode == 1
    assert "damaged: orders" in bad.stderr


def test_only_topics_that_are_compacted_are(bus, tmp_path):
    bus("publish", "plain", "1")
    refused = bus("compact", "plain")
    assert refused.returncode == 2
    assert "FX-CLI-0025" in refused.stderr
    program = """
import fluxcore as fx
bus = fx.Bus("file:data")
bus.topic("prices", compact=True)
with bus:
    for number in range(30):
        bus.publish("prices", number, key=f"k{number % 3}").result()
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=120)
    (done,) = objects(bus("compact", "prices", "--format", "json"))
    assert (done["events_before"], done["events_after"]) == (30, 3)
    assert [each["data"] for each in objects(bus("replay", "prices"))] == [27, 28, 29]


def test_the_bus_is_named_by_the_environment(bus):
    assert bus("publish", "a", "1", url=None, env={"FLUXCORE_BUS": "file:data"}).returncode == 0
    assert len(objects(bus("replay", "a"))) == 1


@pytest.mark.parametrize(
    ("words", "url", "code"),
    [
        (("topics",), None, "FX-CLI-0020"),
        (("topics",), "memory:", "FX-CLI-0021"),
        (("topics",), "file:nowhere", "FX-CLI-0026"),
        (("topics", "--format", "xml"), "file:data", "FX-CLI-0002"),
        (("replay", "a", "--from", "yesterday"), "file:data", "FX-CLI-0022"),
        (("replay", "a..b"), "file:data", "FX-BUS-0102"),
        (("publish",), "file:data", "FX-CLI-0023"),
        (("publish", "a b", "1"), "file:data", "FX-BUS-0101"),
        (("publish", "a", "1", "2", "--id", "x"), "file:data", "FX-CLI-0023"),
        (("publish", "a", "1", "--header", "x"), "file:data", "FX-CLI-0001"),
        (("replay", "a", "--where", "amount >"), "file:data", "FX-SQL"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(bus, words, url, code):
    env = {"FLUXCORE_BUS": ""}
    found = bus(*words, url=url, env=env)
    assert found.returncode in (1, 2)
    assert code in found.stderr
    assert "Traceback" not in found.stderr
    assert found.stdout == ""


def test_two_events_of_one_id_are_one(bus):
    bus("publish", "a", "1", "--id", "x")
    done = bus("publish", "a", "2", "--id", "x")
    assert "1 of them duplicates" in done.stderr
    assert [each["data"] for each in objects(bus("replay", "a"))] == [1]


def test_lines_that_are_long_in_coming_are_published_at_once(bus, start):
    process = start("publish", "slow", "--format", "json", stdin=subprocess.PIPE)
    for number in range(3):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["offset"] == number
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert [each["data"] for each in objects(bus("replay", "slow"))] == [0, 1, 2]


def test_the_tail_of_several_topics_is_by_time_and_reads_no_more_than_it_needs(bus):
    for number in range(6):
        bus("publish", f"{'ab'[number % 2]}.x", str(number))
    assert [each["data"] for each in objects(bus("tail", ">", "-n", "3"))] == [3, 4, 5]
    assert [each["data"] for each in objects(bus("tail", "a.>", "-n", "9"))] == [0, 2, 4]
    assert objects(bus("tail", ">", "-n", "0")) == []
    assert bus("replay", "a.>", "--to", "new").returncode == 2
