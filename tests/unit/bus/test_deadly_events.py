"""Events that kill the process of their handler, in real processes: they are counted, and become dead letters, and all others are handled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.bus.hold import counted
from fluxcore.bus.transports.file.hands import Hands, left_in_hand
from fluxcore.bus.transports.file.layout import Folder

LONG = os.environ.get("FLUXCORE_TEST_PROFILE") == "long"
ATTEMPTS = 4 if LONG else 2
POISON, EVENTS = 7, 20

WORKER = """
import asyncio, ctypes, os, signal, sys
import pyarrow as pa
import fluxcore as fx

folder, kind, death, last = sys.argv[1:]
bus = fx.Bus("file:" + folder)
flight = 4 if kind.endswith("-4") else 1
on = bus.on("n", group="g", start="earliest", max_in_flight=flight, retry=fx.Retry(attempts=ATTEMPTS, delay=0),
            batch=5 if kind == "batch" else None)

def die():
    if death == "exit":
        os._exit(3)
    if death == "segv":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGKILL)

def had(n):
    if n == POISON:
        die()
    os.write(1, f"{n}\\n".encode())

if kind.startswith("async"):
    @on
    async def handle(n: int):
        await asyncio.sleep(0)
        had(n)
elif kind.startswith("thread"):
    @on
    def handle(n: int):
        had(n)
elif kind == "list":
    @on
    async def handle(ns: list[int]):
        for n in ns:
            had(n)
elif kind == "rows":
    @on
    async def handle(row: dict):
        had(row["n"])
elif kind == "batch":
    @on
    async def handle(rows: pa.RecordBatch):
        for n in rows["n"].to_pylist():
            had(n)

async def main():
    async with bus:
        await bus.drain()

asyncio.run(main())
"""


def fill(folder: Path, kind: str) -> None:
    """Publish the numbers, as events of their own or as the rows of batches."""
    with fx.Bus(f"file:{folder}") as bus:
        if kind in {"rows", "batch"}:
            bus.topic("n", schema="n BIGINT")
            for first in range(0, EVENTS, 5):
                bus.publish("n", pa.record_batch({"n": list(range(first, first + 5))})).result()
        else:
            for n in range(EVENTS):
                bus.publish("n", n, key=str(n % 3)).result()


def run(folder: Path, kind: str, death: str) -> tuple[int, list[int]]:
    """Run a process with the handler to its end; return how it ended, and what it handled."""
    program = WORKER.replace("ATTEMPTS", str(ATTEMPTS)).replace("POISON", str(POISON))
    command = [sys.executable, "-c", program, str(folder), kind, death, "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, [int(line) for line in done.stdout.split()]


KINDS = ("async-1", "async-4", "thread-1", "thread-4", "list", "rows", "batch")
DEATHS = ("kill", "exit", "segv")
FEW = (
    ("async-1", "exit"),
    ("async-4", "kill"),
    ("thread-1", "segv"),
    ("list", "kill"),
    ("rows", "kill"),
    ("batch", "exit"),
)


@pytest.mark.parametrize(("kind", "death"), [(kind, death) for kind in KINDS for death in DEATHS] if LONG else FEW)
def test_an_event_that_kills_the_process_becomes_a_dead_letter(tmp_path: Path, kind: str, death: str) -> None:
    fill(tmp_path, kind)
    handled: set[int] = set()
    deaths = 0
    for _ in range(3 * ATTEMPTS):
        status, numbers = run(tmp_path, kind, death)
        handled.update(numbers)
        if status == 0:
            break
        deaths += 1
    else:
        pytest.fail("it kills process after process")
    assert deaths == ATTEMPTS
    with fx.Bus(f"file:{tmp_path}") as bus:
        letters = bus.wait(collect(bus))
    if kind == "batch":  # which fails as a whole
        assert [each.data["n"] for each in letters] == [5, 6, 7, 8, 9]
    else:
        assert [each.data["n"] if kind == "rows" else each.data for each in letters] == [POISON]
    assert letters[0].headers["frys-dead-attempts"] == str(ATTEMPTS)
    assert "the process died" in letters[0].headers["frys-dead-cause"]
    assert handled >= {n for n in range(EVENTS) if n != POISON and (kind != "batch" or n not in {5, 6, 7, 8, 9})}
    group = Folder(str(tmp_path)).group("g")
    assert group is not None
    assert (group.topics["n"].position, group.topics["n"].done, group.topics["n"].died) == (EVENTS, [], [])
    assert not list((tmp_path / "hands").rglob("*/n")), "nothing is noted of a group that ended as it should"


async def collect(bus: fx.Bus) -> list[fx.Event]:
    return [event async for event in bus.read("dead.>")]


def test_what_was_in_hand_is_counted_once_more_each_time() -> None:
    assert counted([], [(3, 4), (8, 10)]) == [(3, 4, 1), (8, 10, 1)]
    assert counted([(0, 10, 1)], [(3, 4)]) == [(0, 3, 1), (3, 4, 2), (4, 10, 1)]
    assert counted([(3, 4, 2)], [(3, 4), (3, 4)]) == [(3, 4, 3)]
    assert counted([(3, 5, 2)], [(4, 9)]) == [(3, 4, 2), (4, 5, 3), (5, 9, 1)]


def test_a_damaged_note_counts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hands"
    assert left_in_hand(str(path)) == []
    hands = Hands(str(path))
    hold = hands.lend()
    hold.take(fx.Event("n", 0, None, {}, None, 0))  # a request, which has no offset
    assert left_in_hand(str(path)) == []
    event = fx.Event("n", 0, None, {}, None, 0)
    event.offset = 7
    hold.take(event)
    assert left_in_hand(str(path)) == [(7, 8)]
    whole = path.read_bytes()
    for content in (b"", whole[:-1], b"X" + whole[1:], json.dumps({}).encode()):
        path.write_bytes(content)
        assert left_in_hand(str(path)) == []
