"""Writers that are killed with SIGKILL at any moment, again and again on the same log; the oracle is this process, outside.

What a receipt named, with ``disk`` or with ``os``, must be there when the next writer opens the log.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fluxcore.bus.log import Reader, ReadOptions, verify
from fluxcore.testing.log_oracle import payload

LONG = os.environ.get("FLUXCORE_TEST_PROFILE") == "long"
ROUNDS = 1000 if LONG else 100

WRITER = """
import os, random, sys
from fluxcore.bus.log import Log, LogOptions
from fluxcore.testing.log_oracle import SCHEMA, rows

def say(text):
    os.write(1, (text + "\\n").encode())

def write(folder, seed, number):
    choose = random.Random(seed)
    options = LogOptions(row_schema=SCHEMA, segment_bytes=64 * 1024, frame_bytes=4096, key_column="n")
    log = Log.open(folder, options)
    say(f"open {log.end}")
    def tell(outcomes):
        for e in outcomes:  # a line is short enough to be written in one piece
            say(" ".join(f"{o}:{n}" for o, n in zip(e.offsets, e.tokens[0])))

    producers = [log.producer(tell, acks) for acks in ("disk", "disk", "os")]
    while True:
        count = choose.choice([1, 1, 1, 3, 40])
        numbers = range(number, number + count)
        number += count
        choose.choice(producers).append(rows(numbers), numbers)
        what = choose.random()
        if what < 0.004:
            log.compact()
        elif what < 0.02:
            log.roll()
        elif what < 0.3:
            log.sync()

rows([0])  # imports what the children need
for line in sys.stdin:
    folder, seed, number = line.split()
    child = os.fork()
    if child == 0:
        say(f"pid {os.getpid()}")
        try:
            write(folder, int(seed), int(number))
        except BaseException as error:
            say(f"failed {error!r}")
        os._exit(1)
    os.waitpid(child, 0)
    say("ended")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_writers_lose_nothing_they_gave_a_receipt_for(tmp_path: Path) -> None:
    folder = str(tmp_path / "log")
    choose = random.Random(11)
    oracle: dict[int, int] = {}
    number = 0
    seen = 0
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as spawner:
        assert spawner.stdin is not None
        assert spawner.stdout is not None
        for seed in range(ROUNDS):
            spawner.stdin.write(f"{folder} {seed} {number}\n")
            spawner.stdin.flush()
            pid, lines = 0, 0
            patience = choose.choice([1, 1, 2, 5, 20, 60])  # lines after which it is killed; the first one is its pid
            while (line := spawner.stdout.readline().strip()) != "ended":
                word, _, rest = line.partition(" ")
                assert word != "failed", line
                if word == "pid":
                    pid = int(rest)
                elif word == "open":
                    assert int(rest) >= max(oracle, default=-1) + 1, "an offset was given out twice"
                else:
                    for pair in line.split():
                        offset, _, each = pair.partition(":")
                        assert oracle.setdefault(int(offset), int(each)) == int(each)
                        number = max(number, int(each) + 1)
                lines += 1
                if lines == patience:
                    os.kill(pid, signal.SIGKILL)
            number += 1000  # what the dead one appended and told nobody of may be there or not
            if seed % 50 == 49 or seed == ROUNDS - 1:
                seen = check(folder, oracle)
        spawner.stdin.close()
    assert len(oracle) > ROUNDS, "the writers did something"
    assert seen > 0


def check(folder: str, oracle: dict[int, int]) -> int:
    """Open the log once more and compare everything in it; keys are unique, so compaction takes nothing away."""
    subprocess.run(
        [sys.executable, "-c", f"from fluxcore.bus.log import Log; Log.open({folder!r}).close()"], check=True
    )
    found: dict[int, tuple[int, bytes]] = {}
    with Reader.open(folder) as reader:
        for frame in reader.read(ReadOptions()):
            numbers, data = (frame.batch.column(name).to_pylist() for name in ("n", "data"))
            found |= {o: (n, d) for o, n, d in zip(frame.offsets.tolist(), numbers, data, strict=True)}
    assert {offset: found.get(offset, (None,))[0] for offset in oracle} == oracle
    assert all(data == payload(n) for n, data in found.values())
    ordered = [n for _, (n, _) in sorted(found.items())]
    assert ordered == sorted(set(ordered)), "out of order or twice"
    assert verify(folder).ok
    return len(found)


SCRIPT = """
import os, sys
from fluxcore.bus.log import Log, LogOptions
from fluxcore.bus.log.files import OsFiles
from fluxcore.testing.faults import KilledAt
from fluxcore.testing.log_oracle import SCHEMA, rows

def say(text):
    os.write(1, (text + "\\n").encode())

def write(folder, at, number):
    files = KilledAt(OsFiles(), at, half=at % 2 == 1)
    options = LogOptions(row_schema=SCHEMA, segment_bytes=16 * 1024, frame_bytes=4096, key_column="n")
    with Log.open(folder, options, files) as log:
        say(f"open {log.end}")
        for step in range(6):
            numbers = range(number, number + 1 + step * 20)
            number = numbers.stop
            receipt = log.append(rows(numbers), "os" if step % 4 == 3 else "disk")
            say(" ".join(f"{o}:{n}" for o, n in zip(range(receipt.first_offset, receipt.first_offset + receipt.count), numbers)))
            if step % 3 == 2:
                log.roll()
        log.compact()
    say(f"calls {files.calls}")

rows([0])
for line in sys.stdin:
    folder, at, number = line.split()
    child = os.fork()
    if child == 0:
        try:
            write(folder, int(at), int(number))
        except BaseException as error:
            say(f"failed {error!r}")
        os._exit(0)
    os.waitpid(child, 0)
    say("ended")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_every_call_of_recovery_rolling_and_compaction(tmp_path: Path) -> None:
    """The same work in one folder again and again, ended at each of its calls to the system, and once more after recovery."""
    folder = str(tmp_path / "log")
    oracle: dict[int, int] = {}
    number, at, rounds, seen, whole = 0, 0, 0, 0, False
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as spawner:
        assert spawner.stdin is not None
        assert spawner.stdout is not None
        while not whole:
            assert at < 1000, "the work ends"
            spawner.stdin.write(f"{folder} {at} {number}\n")
            spawner.stdin.flush()
            while (line := spawner.stdout.readline().strip()) != "ended":
                word, _, rest = line.partition(" ")
                assert word != "failed", f"call {at}: {line}"
                if word == "open":
                    assert int(rest) >= max(oracle, default=-1) + 1, f"call {at}: an offset was given out twice"
                elif word == "calls":
                    whole = True
                else:
                    for pair in line.split():
                        offset, _, each = pair.partition(":")
                        assert oracle.setdefault(int(offset), int(each)) == int(each), f"call {at}"
            number += 1000
            rounds += 1
            if rounds % 8 == 0 or whole:  # and begin anew, since work in a log that grows has ever more calls
                seen += check(folder, oracle)
                folder, oracle = str(tmp_path / f"log{rounds}"), {}
            at += 1 if LONG else 2
        spawner.stdin.close()
    assert at > 60, "there were that many calls"
    assert seen > 100
