"""Requests to handlers in other processes of a folder: answered, refused, timed out, and no process waited for that has ended."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest

import fluxcore as fx

RESPONDER = """
import asyncio, os, sys
import pyarrow as pa
import fluxcore as fx

bus = fx.Bus("file:" + sys.argv[1])

@bus.on("double.*")
async def double(n: int, event: fx.Event):
    return {"twice": 2 * n, "by": os.getpid(), "subject": event.subject, "key": event.key, "tag": event.headers.get("tag")}

@bus.on("raw")
def raw(data: bytes):
    return data[::-1]

@bus.on("rows")
async def rows(batch: pa.RecordBatch):
    return batch.slice(1)

@bus.on("broken")
async def broken(n: int):
    raise ValueError(n)

@bus.on("never")
async def never(n: int):
    await asyncio.Event().wait()

@bus.on("dies")
async def dies(n: int):
    os._exit(1)

async def main():
    async with bus:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await bus.close(drain=False)

asyncio.run(main())
"""


@contextmanager
def responder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that answers, up to the end of the block."""
    command = [sys.executable, "-c", RESPONDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        out, into = _pipes(process)
        assert out.readline() == "ready\n"
        yield process
        if process.poll() is None:
            into.write("\n")
            into.flush()
            assert process.wait(60) == 0


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdout is not None
    assert process.stdin is not None
    return process.stdout, process.stdin


def test_handlers_of_another_process_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async with fx.Bus(f"file:{tmp_path}") as bus:
            found = await bus.request("double.it", 21, key="k", headers={"tag": "t"}, timeout="30 s")
            assert (found["twice"], found["subject"], found["key"], found["tag"]) == (42, "double.it", "k", "t")
            assert await bus.request("raw", b"abc", timeout="30 s") == b"cba"
            assert (await bus.request("rows", pa.record_batch({"n": [1, 2]}), timeout="30 s"))["n"].to_pylist() == [2]
            answers = await asyncio.gather(*(bus.request("double.it", n, timeout="30 s") for n in range(200)))
            assert [each["twice"] for each in answers] == [2 * n for n in range(200)]
            with pytest.raises(fx.BusError, match="ValueError: 3") as raised:
                await bus.request("broken", 3, timeout="30 s")
            assert raised.value.code == "FX-BUS-0303"
            with pytest.raises(fx.RequestTimeout):
                await bus.request("never", 1, timeout="50 ms")
            with pytest.raises(fx.NoResponders):
                await bus.request("unknown", 1)

            @bus.on("double.here")
            async def here(n: int) -> str:
                return f"here {n}"

            assert await bus.request("double.here", 1) == "here 1", "those of this process come first"

    with responder(tmp_path):
        asyncio.run(main())
    assert not list((tmp_path / "answers").iterdir())


def test_processes_are_asked_in_turns_and_not_when_they_have_ended(tmp_path: Path) -> None:
    async def by(bus: fx.Bus) -> int:
        return int((await bus.request("double.it", 1, timeout="30 s"))["by"])

    async def main(first: subprocess.Popen[str], second: subprocess.Popen[str]) -> None:
        async with fx.Bus(f"file:{tmp_path}") as bus:
            assert {await by(bus), await by(bus)} == {first.pid, second.pid}
            second.kill()
            second.wait()
            while (tmp_path / "answers").exists() and len(list((tmp_path / "answers").iterdir())) == 2:
                try:
                    assert await by(bus) == first.pid
                except fx.BusError as error:  # it was asked in the moment of its end
                    assert error.code == "FX-BUS-0303"
            assert [await by(bus) for _ in range(3)] == [first.pid] * 3
            with pytest.raises(fx.BusError, match="ended before it answered"):
                await bus.request("dies", 1, timeout="30 s")
            with pytest.raises(fx.NoResponders):
                await by(bus)

    with responder(tmp_path) as first, responder(tmp_path) as second:
        asyncio.run(main(first, second))


def test_who_can_not_read_the_folder_is_not_answered(tmp_path: Path) -> None:
    with responder(tmp_path):
        (path,) = (tmp_path / "answers").iterdir()
        assert path.stat().st_mode & 0o077 == 0
        port = json.loads(path.read_text())["port"]
        for hello in (b"\0\0\0\4\x91\xa2no", b"\xff\xff\xff\xff", b"GET / HTTP/1.0\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(hello)
                assert connection.recv(100) == b""


def test_a_script_asks_another_process(tmp_path: Path) -> None:
    with responder(tmp_path), fx.Bus(f"file:{tmp_path}") as bus:
        assert bus.wait(bus.request("double.it", 4, timeout="30 s"))["twice"] == 8
