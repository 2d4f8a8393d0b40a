"""Knows what was appended to a log and what was acknowledged, and checks a log against it after a crash.

Rows carry one integer, ``n``, that is theirs alone, and a payload that follows from it; so whatever a log gives back can be traced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.bus.log.reader import Reader, ReadOptions
from fluxcore.bus.log.recovery import Recovered, recover
from fluxcore.bus.log.writer import LogWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.bus.log.files import Files
    from fluxcore.bus.log.manifest import Lost
    from fluxcore.bus.log.options import LogOptions

SCHEMA = pa.schema([("n", pa.int64()), ("data", pa.binary())])


def rows(numbers: Iterable[int], size: int = 40) -> pa.RecordBatch:
    """Return a batch of rows that can be recognised."""
    wanted = list(numbers)
    return pa.RecordBatch.from_arrays(
        [pa.array(wanted, pa.int64()), pa.array([payload(n, size) for n in wanted], pa.binary())], schema=SCHEMA
    )


def payload(number: int, size: int = 40) -> bytes:
    """Return the payload of a row: text with zeros in it, of a length that differs from row to row."""
    text = f"event-{number};".encode()
    return (text + bytes(8)) * (1 + (number % 5) * size // 20)


@dataclass
class Oracle:
    """What was appended, in order, and at which offsets what was acknowledged with ``disk`` stands."""

    size: int = 40
    appended: list[int] = field(default_factory=list)
    durable: dict[int, int] = field(default_factory=dict)

    def problems(self, found: dict[int, tuple[int, bytes]], lost: Iterable[Lost] = ()) -> list[str]:
        """Return what a log got wrong. In: the number and payload at each offset; what the log itself says is lost."""
        wrong = []
        known = {number: place for place, number in enumerate(self.appended)}
        gone = [(each.first, each.end) for each in lost]
        before = -1
        for offset, (number, data) in sorted(found.items()):
            if number not in known or data != payload(number, self.size):
                wrong.append(f"offset {offset} holds {number}, which nobody appended")
            elif known[number] <= before:
                wrong.append(f"offset {offset} holds {number} out of order or twice")
            before = known.get(number, before)
        for offset, number in self.durable.items():
            if any(first <= offset < end for first, end in gone):
                continue
            if offset not in found or found[offset][0] != number:
                held = found[offset][0] if offset in found else "nothing"
                wrong.append(f"offset {offset} was acknowledged with {number} and holds {held}")
        return wrong


def read_back(files: Files, folder: str, start: int = 0) -> tuple[dict[int, tuple[int, bytes]], list[Lost]]:
    """Return the rows that a reader in another process sees, by offset, and what it is told is lost."""
    lost: list[Lost] = []
    found: dict[int, tuple[int, bytes]] = {}
    with Reader(folder, files) as reader:
        for frame in reader.read(ReadOptions(start, on_lost=lost.append, earliest=True)):
            numbers, data = (frame.batch.column(name).to_pylist() for name in ("n", "data"))
            for offset, number, each in zip(frame.offsets.tolist(), numbers, data, strict=True):
                found[offset] = (number, each)
    return found, lost


def after_crash(files: Files, folder: str, options: LogOptions, oracle: Oracle) -> tuple[list[str], Recovered]:
    """Recover a log, read it, append to it, open it once more; return all that was wrong, and what recovery found.

    1. All that was acknowledged is there, and nothing that was not appended. 2. A new event gets an offset that no acknowledged one
    has, and is there after another recovery, with all the others.
    """
    state = recover(files, folder, options.topic, options.segment_bytes)
    writer = LogWriter(files, folder, options, state)
    found, lost = read_back(files, folder)
    wrong = oracle.problems(found, [*lost, *state.lost])
    new = 10**9
    offset = writer.stage(rows([new], oracle.size))
    writer.write()
    writer.sync()
    writer.close()
    if offset in oracle.durable or offset in found:
        wrong.append(f"offset {offset} was given out twice")
    again = recover(files, folder, options.topic, options.segment_bytes)
    if again.active is not None:
        again.active.close()
    if again.lost:
        wrong.append(f"a second recovery found damage: {again.lost}")
    later, _ = read_back(files, folder)
    if later != found | {offset: (new, payload(new, oracle.size))}:
        wrong.append("a second recovery and a new event changed what the log holds")
    return wrong, state
