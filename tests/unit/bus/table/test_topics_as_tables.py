"""The connector ``frys``: what SQL reads from the log of a topic, and writes to it."""

from __future__ import annotations

import datetime as dt
import json
import threading

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.bus.event import NO_HEADERS, Event
from fluxcore.bus.log import Log, Reader, ReadOptions
from fluxcore.bus.rows import events_of, plain_row
from fluxcore.bus.table.connector import FrysConnector
from fluxcore.bus.transports.file.layout import Declaration, Folder, schema_text
from fluxcore.core.ports import ScanRequest, Signal
from fluxcore.errors import FluxError

BOUNDED = "'scan.bounded.mode'='latest-offset'"


def declared(root, topic="orders", **options) -> Declaration:
    found = Declaration(topic, (topic, f"{topic}.>"), **options)
    Folder(str(root)).declare(found)
    return found


def published(root, events, topic="orders", declaration=None) -> None:
    """Write single events to a topic, a frame each two."""
    declaration = declaration or declared(root, topic)
    settled = []
    with Log.open(Folder(str(root)).topic(topic), declaration.log_options()) as log:
        producer = log.producer(settled.extend)
        for number, event in enumerate(events):
            producer.append_row(plain_row(event))
            if number % 2:
                log.sync()
    assert not [each for each in settled if each.error is not None]


def event(subject, data, *, key=None, time_ms=1_700_000_000_000, headers=NO_HEADERS, id_=None) -> Event:
    return Event(subject, data, key, headers, id_, time_ms)


def table(root, columns, options=BOUNDED, name="orders", topic="orders") -> str:
    return f"CREATE TABLE {name} ({columns}) WITH ('connector'='frys','bus'='file:{root}','topic'='{topic}'{',' if options else ''}{options});"


def rows(session, query) -> list[dict]:
    return session.sql(query).to_arrow().to_pylist()


@pytest.fixture
def session():
    return fx.Session({"table.local-time-zone": "UTC"})


def test_single_events_are_read_as_json_with_what_the_envelope_says(tmp_path, session):
    moment = 1_700_000_000_123
    published(tmp_path, [
        event("orders.eu.created", {"id": 1, "amount": 1.5, "tags": ["a"]}, key="o-1", time_ms=moment, headers={"h": "1"}, id_="x"),
        event("orders.us", {"id": 2, "note": "ü\n\"quoted\""}),
        event("orders", b'{"id": 3,\n "amount": 3}'),
    ])  # fmt: skip
    session.execute(table(tmp_path, """id INT, amount DOUBLE, tags ARRAY<STRING>, note STRING,
        `offset` BIGINT METADATA VIRTUAL, subject STRING METADATA VIRTUAL, k STRING METADATA FROM 'key' VIRTUAL,
        ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, headers MAP<STRING, STRING> METADATA VIRTUAL,
        eid STRING METADATA FROM 'id' VIRTUAL, topic STRING METADATA VIRTUAL"""))  # fmt: skip
    found = rows(session, "SELECT * FROM orders")
    assert [each["id"] for each in found] == [1, 2, 3]
    assert [each["amount"] for each in found] == [1.5, None, 3.0]
    assert found[1]["note"] == 'ü\n"quoted"'
    first = found[0]
    assert (first["offset"], first["subject"], first["k"], first["eid"], first["topic"]) == (
        0, "orders.eu.created", "o-1", "x", "orders",
    )  # fmt: skip
    assert first["ts"] == dt.datetime.fromtimestamp(moment / 1000, dt.UTC)
    assert first["headers"] == [("h", "1")]
    assert found[1]["headers"] == []
    assert [each["k"] for each in found[1:]] == [None, None]


def test_rows_that_are_left_out_take_their_offsets_with_them(tmp_path, session):
    published(tmp_path, [event("orders", {"id": 0}), event("orders", b"no json"), event("orders", {"id": 2})])
    columns = "id INT, `offset` BIGINT METADATA VIRTUAL"
    session.execute(table(tmp_path, columns, BOUNDED + ",'json.ignore-parse-errors'='true'"))
    assert rows(session, "SELECT * FROM orders") == [{"id": 0, "offset": 0}, {"id": 2, "offset": 2}]
    session.execute(table(tmp_path, columns, name="strict"))
    with pytest.raises(FluxError) as raised:
        rows(session, "SELECT * FROM strict")
    assert "topic orders, from offset 0 on" in raised.value.render() or "offset" in raised.value.render()


def test_only_the_wanted_subjects_are_read(tmp_path, session):
    published(tmp_path, [event(f"orders.{place}.{kind}", {"id": n}) for n, (place, kind) in enumerate(
        [("eu", "created"), ("eu", "paid"), ("us", "created"), ("us", "paid")])])  # fmt: skip
    session.execute(table(tmp_path, "id INT", BOUNDED + ",'subjects'='orders.*.paid; orders.us.>'"))
    assert [each["id"] for each in rows(session, "SELECT id FROM orders")] == [1, 2, 3]


def test_what_is_written_is_read_back_without_decoding(tmp_path, session):
    columns = """id BIGINT, name STRING, price DECIMAL(10, 2), happened TIMESTAMP(3), born DATE, ok BOOLEAN, content BYTES,
        parts ARRAY<INT>, `row` ROW<a INT, b STRING>"""
    session.execute(
        table(tmp_path, columns, BOUNDED + ",'sink.subject'='orders.{name}.written','sink.key'='id'")
        + """INSERT INTO orders VALUES
        (1, 'eu', 1.25, TIMESTAMP '2024-01-01 00:00:00.123', DATE '2024-01-01', true, x'00ff', ARRAY[1, 2], ROW(1, 'x')),
        (2, 'us', CAST(NULL AS DECIMAL(10, 2)), TIMESTAMP '2024-01-02 00:00:00', DATE '2024-01-02', false, x'', ARRAY[3], ROW(2, 'y'));"""
    )
    found = rows(session, "SELECT * FROM orders ORDER BY id")
    assert [str(each["price"]) for each in found] == ["1.25", "None"]
    assert found[0]["row"] == {"a": 1, "b": "x"}
    with Reader.open(Folder(str(tmp_path)).topic("orders")) as reader:
        frames = list(reader.read())
        stored = [each for frame in frames for each in events_of(frame.batch, frame.offsets.tolist(), "orders")]
    assert [(each.subject, each.key) for each in stored] == [("orders.eu.written", "1"), ("orders.us.written", "2")]
    assert stored[0].data["happened"] == dt.datetime(2024, 1, 1, 0, 0, 0, 123000)


def test_frames_that_no_row_can_pass_are_not_read(tmp_path, session, monkeypatch):
    schema = pa.schema([("id", pa.int64()), ("amount", pa.float64())])
    session.execute(table(tmp_path, "id BIGINT, amount DOUBLE"))
    declaration = declared(tmp_path)
    with Log.open(Folder(str(tmp_path)).topic("orders"), declaration.log_options()) as log:
        from fluxcore.bus.rows import batch_rows

        for start in range(0, 10_000, 1000):
            batch = pa.record_batch([list(range(start, start + 1000)), [float(start)] * 1000], schema=schema)
            log.append(batch_rows(batch, event("orders", None)))
    counts = []
    close = Reader.close
    monkeypatch.setattr(
        Reader, "close", lambda self: (counts.append((self.frames_read, self.frames_skipped)), close(self))
    )
    assert len(rows(session, "SELECT * FROM orders WHERE id >= 9950")) == 50
    assert counts[-1] == (1, 9)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("'scan.startup.mode'='latest-offset'", []),
        ("'scan.startup.mode'='specific-offset','scan.startup.offset'='3'", [3, 4, 5]),
        ("'scan.startup.mode'='timestamp','scan.startup.timestamp-millis'='1700000003000'", [3, 4, 5]),
        ("'scan.startup.mode'='timestamp','scan.startup.timestamp-millis'='1900000000000'", []),
    ],
)
def test_reading_begins_where_the_options_say(tmp_path, session, options, ids):
    published(tmp_path, [event("orders", {"id": n}, time_ms=1_700_000_000_000 + 1000 * n) for n in range(6)])
    session.execute(table(tmp_path, "id INT", f"{BOUNDED},{options}"))
    assert [each["id"] for each in rows(session, "SELECT id FROM orders")] == ids


def test_reading_ends_where_the_options_say(tmp_path, session):
    published(tmp_path, [event("orders", {"id": n}) for n in range(6)])
    session.execute(table(tmp_path, "id INT", "'scan.bounded.mode'='specific-offset','scan.bounded.offset'='2'"))
    assert [each["id"] for each in rows(session, "SELECT id FROM orders")] == [0, 1]


def test_a_live_table_goes_on_with_what_comes(tmp_path, session):
    declaration = declared(tmp_path)
    published(tmp_path, [event("orders", {"id": 0})], declaration=declaration)
    session.execute(table(tmp_path, "id INT", ""))
    seen: list[int] = []
    come = threading.Event()

    def read() -> None:
        for batch in session.sql("SELECT id FROM orders").batches():
            seen.extend(batch.column(0).to_pylist())
            come.set()
            if len(seen) >= 3:
                return

    reading = threading.Thread(target=read)
    reading.start()
    assert come.wait(60)
    published(tmp_path, [event("orders", {"id": 1}), event("orders", {"id": 2})], declaration=declaration)
    reading.join(60)
    assert seen == [0, 1, 2]


def test_events_with_a_schema_are_windowed_by_their_time(tmp_path, session):
    schema, columns = schema_text(pa.schema([("id", pa.int64()), ("happened", pa.timestamp("us"))]))
    declared(tmp_path, schema=schema, columns=columns)
    session.execute(
        table(tmp_path, "id BIGINT, happened TIMESTAMP(3), WATERMARK FOR happened AS happened - INTERVAL '1' SECOND")
        + """INSERT INTO orders SELECT id, TIMESTAMPADD(SECOND, CAST(id AS INT), TIMESTAMP '2024-01-01 00:00:00')
        FROM (VALUES (1), (2), (11), (12), (13)) AS t(id);"""
    )
    found = rows(session, "SELECT window_start, COUNT(*) AS n FROM TUMBLE(TABLE orders, DESCRIPTOR(happened), INTERVAL '10' SECOND) GROUP BY window_start, window_end")  # fmt: skip
    assert [each["n"] for each in found] == [2, 3]


def test_a_reader_goes_on_at_the_position_that_another_gave(tmp_path, session):
    published(tmp_path, [event("orders", {"id": n}) for n in range(6)])
    session.execute(table(tmp_path, "id INT"))
    scan = session.table("orders").node.input
    (split,) = FrysConnector().source(ScanRequest(scan.table, (0,))).splits()
    reader, places, ids = split.open(), [], []
    while (unit := reader.take()) is not Signal.END:
        ids.append(reader.decode(unit).data.column(0).to_pylist())
        places.append(reader.position())
    assert ids == [[0, 1], [2, 3], [4, 5]]
    assert [each["offset"] for each in places] == [2, 4, 6]
    again = split.open(places[0])
    assert again.position() == places[0]
    assert again.decode(again.take()).data.column(0).to_pylist() == [2, 3]


def test_a_null_in_the_event_time_is_a_fault_of_its_row(tmp_path, session):
    session.execute(
        table(tmp_path, "id INT, happened TIMESTAMP(3)", name="plain")
        + "INSERT INTO plain VALUES (1, TIMESTAMP '2024-01-01 00:00:00'), (2, CAST(NULL AS TIMESTAMP(3)));"
        + table(tmp_path, "id INT, happened TIMESTAMP(3), WATERMARK FOR happened AS happened")
    )
    with pytest.raises(FluxError) as raised:
        rows(session, "SELECT * FROM orders")
    assert raised.value.code == "FX-DAT-0001"
    assert "offset 1" in raised.value.render()


def test_columns_are_cast_as_the_table_declares_them(tmp_path, session):
    session.execute(
        table(tmp_path, "id INT, name STRING") + "INSERT INTO orders VALUES (1, 'x');"
        + table(tmp_path, "id BIGINT, name STRING, extra DOUBLE", name="wide")
        + table(tmp_path, "id INT, name INT", name="wrong")
    )  # fmt: skip
    assert rows(session, "SELECT * FROM wide") == [{"id": 1, "name": "x", "extra": None}]
    with pytest.raises(FluxError) as raised:
        rows(session, "SELECT * FROM wrong")
    assert raised.value.code == "FX-CON-0164"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("'scan.startup.mode'='timestamp'", "needs 'scan.startup.timestamp-millis'"),
        ("'scan.startup.offset'='3'", "needs 'scan.startup.mode' = 'specific-offset'"),
        ("'subjects'='a..b'", "a..b"),
        ("'sink.key'='nome'", "did you mean 'name'"),
        ("'sink.subject'='orders.{place}'", "'place', which is no column"),
    ],
)
def test_wrong_options_are_refused(tmp_path, session, options, part):
    with pytest.raises(FluxError) as raised:
        session.execute(table(tmp_path, "id INT, name STRING", options) + "INSERT INTO orders VALUES (1, 'x');")
    assert raised.value.code == "FX-CON-0160"
    assert part in raised.value.render()


def test_an_unknown_topic_is_named_with_those_there_are(tmp_path, session):
    declared(tmp_path)
    session.execute(table(tmp_path, "id INT", name="t", topic="order"))
    with pytest.raises(FluxError) as raised:
        rows(session, "SELECT * FROM t")
    assert raised.value.code == "FX-CON-0167"
    assert "'orders'" in raised.value.render()


def test_rows_that_don_t_fit_the_topic_are_refused(tmp_path, session):
    schema, columns = schema_text(pa.schema([pa.field("id", pa.int64(), nullable=False)]))
    declared(tmp_path, schema=schema, columns=columns)
    session.execute(table(tmp_path, "id BIGINT") + table(tmp_path, "name STRING", name="other"))
    for script in ("INSERT INTO orders VALUES (CAST(NULL AS BIGINT));", "INSERT INTO other VALUES ('x');"):
        with pytest.raises(FluxError) as raised:
            session.execute_script(script)
        assert raised.value.code == "FX-CON-0166"
    session.execute(
        table(
            tmp_path, "id BIGINT, region STRING", BOUNDED + ",'sink.subject'='{region}'", name="elsewhere", topic="free"
        )
    )
    with pytest.raises(FluxError) as raised:
        session.execute_script("INSERT INTO elsewhere VALUES (1, 'returns');")
    assert raised.value.code == "FX-CON-0165"


def test_a_writer_in_the_same_process_is_shared(tmp_path, session):
    from fluxcore.bus.transports.file import registry

    declaration = declared(tmp_path)
    folder = Folder(str(tmp_path)).topic("orders")
    log = registry.acquire(folder, declaration.log_options())
    try:
        session.execute_script(table(tmp_path, "id INT") + "INSERT INTO orders VALUES (1), (2);")
        assert log.durable_end == 2
    finally:
        registry.release(log)
    with Log.open(folder, declaration.log_options()):  # given back by all
        pass
    assert json.loads((tmp_path / "topics" / "orders" / "topic.json").read_text())["name"] == "orders"
    with Reader.open(folder) as reader:
        assert sum(frame.count for frame in reader.read(ReadOptions())) == 2


def test_a_bus_gives_its_topics_as_streams(tmp_path, session):
    bus = fx.Bus(f"file:{tmp_path}")
    with bus:
        for number in range(3):
            bus.publish("payments.eu", {"id": number}, key=str(number)).result()
        schema = pa.schema([("id", pa.int64())])
        assert bus.table("payments", schema=schema, session=session).to_arrow().column("id").to_pylist() == [0, 1, 2]
        assert rows(session, "SELECT COUNT(*) AS n FROM payments") == [{"n": 3}]
        with pytest.raises(FluxError) as raised:
            bus.table("payments", session=session)
        assert raised.value.code == "FX-BUS-0116"
    declaration = Declaration("typed", ("typed",), schema=schema_text(schema)[0])
    Folder(str(tmp_path)).declare(declaration)
    assert bus.table("typed", session=session).to_arrow().num_rows == 0
    with pytest.raises(FluxError) as raised:
        fx.Bus("memory:").table("payments", schema=schema)
    assert raised.value.code == "FX-BUS-0115"


def test_a_group_that_runs_has_all_that_sql_writes_into_a_new_topic(tmp_path, session):
    bus, seen, done = fx.Bus(f"file:{tmp_path}"), [], threading.Event()

    @bus.on("made.>", group="new here")
    def take(row: dict) -> None:
        seen.append(row["id"])
        if len(seen) == 3:
            done.set()

    with bus:
        bus.publish("other", 1).result()
        options = "'sink.subject'='made.{id}'"
        session.execute(table(tmp_path, "id INT", options, name="made", topic="made"))
        session.execute_script("INSERT INTO made VALUES (1), (2), (3);")
        assert done.wait(60)
    assert sorted(seen) == [1, 2, 3]
