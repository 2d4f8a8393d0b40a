"""Processes with publishers and handlers that are killed with SIGKILL at any moment, on one folder; the oracle is this process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from fluxcore.bus.log import Reader
from fluxcore.bus.rows import events_of
from fluxcore.bus.transports.file.layout import Folder

ROUNDS = 300 if os.environ.get("FLUXCORE_TEST_PROFILE") == "long" else 12

WORKER = """
import asyncio, logging, os, random, sys
import fluxcore as fx

logging.disable()

def say(text):
    os.write(1, (text + "\\n").encode())

async def work(folder, seed, number, last):
    choose = random.Random(seed)
    bus = fx.Bus("file:" + folder)
    bus.topic("n", acks="disk", segment_bytes=65536)

    @bus.on("n.>", group="g", max_in_flight=4, start="earliest", retry=fx.Retry(attempts=3, delay="2 ms"))
    async def handle(n: int, event: fx.Event) -> None:
        if choose.random() < 0.3:
            await asyncio.sleep(0.001 * choose.random())
        if n % 7 == 3 and event.attempt == 1:
            raise ValueError(n)
        say(f"handled {event.offset} {n} {event.key}")

    async def publish(n):
        acks = choose.choice(["disk", "disk", "os"])
        key = choose.choice([None, "a", "b", "c"])
        receipt = await bus.publish("n.x", n, key=key, id=str(n), acks=acks)
        say(f"receipt {receipt.offset} {n} {receipt.survives}")

    async with bus:
        say("open 0 0 -")
        while not last:
            count = choose.choice([1, 1, 3, 20])
            await asyncio.gather(*(publish(n) for n in range(number, number + count)))
            number += count
        await bus.drain()

for line in sys.stdin:
    folder, seed, number, last = line.split()
    child = os.fork()
    if child == 0:
        say(f"pid {os.getpid()} 0 -")
        try:
            asyncio.run(work(folder, int(seed), int(number), last == "1"))
        except BaseException as error:
            say(f"failed 0 0 {error!r}".replace("\\n", " "))
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)
    say("ended 0 0 -")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_processes_lose_no_event_and_handle_each(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    choose = random.Random(29)
    receipts: dict[int, int] = {}
    runs: list[list[tuple[int, str]]] = []
    number = 0
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as spawner:
        assert spawner.stdin is not None
        assert spawner.stdout is not None
        for seed in range(ROUNDS + 1):
            last = seed == ROUNDS
            spawner.stdin.write(f"{tmp_path} {seed} {number} {int(last)}\n")
            spawner.stdin.flush()
            runs.append([])
            pid = 0
            patience = choose.choice([1, 2, 3, 10, 40, 90])
            for lines, line in enumerate(iter(spawner.stdout.readline, "ended 0 0 -\n"), 1):
                word, place, n, rest = line.split(maxsplit=3)
                assert word != "failed", line
                if word == "pid":
                    pid = int(place)
                elif word == "receipt":
                    assert receipts.setdefault(int(place), int(n)) == int(n), "an offset was given out twice"
                    number = max(number, int(n) + 1)
                elif word == "handled":
                    runs[-1].append((int(place), rest.strip()))
                if lines == patience and not last:
                    os.kill(pid, signal.SIGKILL)
            number += 100
            check_progress(folder)
        spawner.stdin.close()
    check(folder, receipts, runs)


def check_progress(folder: Folder) -> None:
    """The group never stands beyond what is durable."""
    group = folder.group("g")
    if group is not None and "n" in group.topics:
        with Reader.open(folder.topic("n")) as reader:
            assert group.topics["n"].position <= reader.end
            assert all(stop <= reader.end for _, stop in group.topics["n"].done)


def check(folder: Folder, receipts: dict[int, int], runs: list[list[tuple[int, str]]]) -> None:
    """Every receipt is read back; every event was handled, those of a key in order."""
    with Reader.open(folder.topic("n")) as reader:
        stored = [event for frame in reader.read() for event in events_of(frame.batch, frame.offsets.tolist(), "n")]
    assert {event.offset: event.data for event in stored}.items() >= receipts.items()
    assert len({event.data for event in stored}) == len(stored), "an id was stored twice"
    handled = {offset for run in runs for offset, _ in run}
    assert handled == {event.offset for event in stored}
    group = folder.group("g")
    assert group is not None
    assert (group.topics["n"].position, group.topics["n"].done) == (len(stored), [])
    first: dict[str, list[int]] = defaultdict(list)
    for run in runs:
        by_key: dict[str, list[int]] = defaultdict(list)
        for offset, key in run:
            by_key[key].append(offset)
        for key, offsets in by_key.items():
            assert len(set(offsets)) == len(offsets), "handled twice in one run"
            if key != "None":
                assert offsets == sorted(offsets)
                first[key] += [offset for offset in offsets if offset not in first[key]]
    assert all(offsets == sorted(offsets) for offsets in first.values())
    assert len(receipts) > ROUNDS
