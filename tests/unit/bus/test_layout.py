"""What lies in the folder of a bus, and who shares an open log."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.bus.errors import BusError
from fluxcore.bus.log import LogOptions
from fluxcore.bus.transports.file import registry
from fluxcore.bus.transports.file.layout import (
    Declaration,
    Folder,
    GroupState,
    Progress,
    file_name,
    folder_of,
    plain_name,
    schema_text,
)
from fluxcore.bus.transports.file.transport import FileTransport
from fluxcore.errors import FluxError
from fluxcore.testing.disk import SimulatedDisk


@pytest.mark.parametrize("name", ["orders", "a.b", "..", ".", "a/b", "route to x.{region}", "ü~%", "A_b-9"])
def test_any_name_is_the_name_of_a_file(tmp_path: Path, name: str) -> None:
    assert plain_name(file_name(name)) == name
    folder = Folder(str(tmp_path))
    folder.declare(Declaration(name, (name,)))
    folder.save_group(GroupState(name))
    assert folder.topics() == folder.groups() == [name]
    assert {each.name for each in tmp_path.iterdir()} == {"topics", "groups"}


@pytest.mark.parametrize("name", ["", "x" * 247, "é" * 42, "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    folder = Folder(str(tmp_path))
    for call in (folder.declaration, folder.group, folder.group_lock, lambda each: folder.save_group(GroupState(each))):
        with pytest.raises(BusError) as caught:
            call(name)
        assert caught.value.code == "FX-BUS-0120"
    assert not list(tmp_path.rglob("*.json*"))


def test_the_longest_name_is_the_name_of_a_file(tmp_path: Path) -> None:
    folder, name = Folder(str(tmp_path)), "x" * 246
    folder.declare(Declaration(name, (name,)))
    folder.save_group(GroupState(name))
    assert folder.topics() == folder.groups() == [name]


def test_small_files_hold_what_was_saved(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert (folder.topics(), folder.groups(), folder.declaration("x"), folder.group("x")) == ([], [], None, None)
    schema = pa.schema([("id", pa.int64()), ("amount", pa.decimal128(10, 2))])
    text, columns = schema_text(schema)
    written = Declaration("orders", ("orders.>",), acks="os", retain_ms=1000, schema=text, columns=columns)
    folder.declare(written)
    found = folder.declaration("orders")
    assert found == written
    assert found.payload_schema() == schema
    assert found.log_options().retention.age_us == 1_000_000
    state = GroupState("billing", {"orders": Progress(5, [(7, 9)], {6: 2})}, paused=True)
    folder.save_group(state)
    assert folder.group("billing") == state


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"group": ',
        '{"group": "g", "format": 2}',
        '{"group": "g", "topics": {"t": {"position": -1}}}',
        '{"group": "g", "topics": {"t": {"position": 1, "done": [[2, 9223372036854775808]]}}}',
        '{"group": "g", "topics": {"t": {"position": 1, "attempts": {"1": -4}}}}',
    ],
)
def test_a_damaged_group_is_named(tmp_path: Path, content: str) -> None:
    folder = Folder(str(tmp_path))
    folder.save_group(GroupState("g"))
    (tmp_path / "groups" / "g.json").write_text(content)
    with pytest.raises(BusError, match=r"g\.json") as caught:
        folder.group("g")
    assert caught.value.code == "FX-BUS-0401"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"format": 2},
        {"schema": "!!!"},
        {"schema": "aGVsbG8="},
        {"schema": "/////wEAAAAB"},
        {"subjects": ["a..b"]},
        {"acks": "never"},
        {"compression": "rar"},
        {"segment_bytes": -1},
        {"retain_ms": -1},
        {"dedup_ms": -1},
    ],
)
def test_a_damaged_declaration_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    Folder(str(tmp_path)).declare(Declaration("t", ("t",)))
    path = tmp_path / "topics" / "t" / "topic.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BusError, match=r"topic\.json") as caught:
        FileTransport(str(tmp_path)).declared("t")
    assert caught.value.code == "FX-BUS-0401"


def test_after_a_crash_a_group_stands_where_it_was_saved_last_or_before() -> None:
    choose = random.Random(3)
    disk = SimulatedDisk()
    folder = Folder("bus", disk)
    for position in range(4):
        folder.save_group(GroupState("g", {"orders": Progress(position)}))
        disk.note(position)
    saved = -1
    for state, entry in disk.replay():
        saved = entry.data if entry.kind == "note" else saved
        for crashed in state.crashes(8, choose):
            found = Folder("bus", crashed).group("g")
            assert (found is None and saved < 0) or (
                found is not None and found.topics["orders"].position - saved in (0, 1)
            )


def test_those_who_write_to_one_log_in_a_process_share_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    first = registry.acquire(str(tmp_path / "log"), LogOptions())
    second = registry.acquire(str(tmp_path / "link" / "log"), LogOptions())
    assert first is second
    registry.release(first)
    first.append(pa.record_batch({"a": [1]}))
    registry.release(second)
    with pytest.raises(FluxError) as caught:
        first.append(pa.record_batch({"a": [1]}))
    assert caught.value.code == "FX-LOG-0002"
    third = registry.acquire(str(tmp_path / "log"), LogOptions())
    assert third is not first
    assert third.end == 1
    registry.release(third)


def test_an_address_means_one_folder_to_all(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with fx.Bus("file:~/data") as bus:
        bus.publish("orders", 1).result()
    assert folder_of("file:~/data").root == str(tmp_path / "data")
    assert folder_of(f"file://{tmp_path}/data").topics() == folder_of("file:~/data").topics() == ["orders"]
    monkeypatch.chdir(tmp_path)
    relative = folder_of("file:./data")
    monkeypatch.chdir("/")
    assert relative.topics() == ["orders"]


def test_a_file_is_no_bus(tmp_path):
    (tmp_path / "data").touch()
    for use in (folder_of, fx.Bus):
        with pytest.raises(BusError) as raised:
            use(f"file:{tmp_path}/data")
        assert raised.value.code == "FX-BUS-0403"
