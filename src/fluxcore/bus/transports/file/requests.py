"""Asks handlers in other processes of a folder, over this machine's loopback, and answers for those of this one.

Who has handlers listens on a port of the loopback, and says so in ``answers/ID.json``, which only those can read who may read the
folder: subjects, port, and a token that the asking process must show. A file whose process doesn't answer to that is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fluxcore.bus.errors import BusError, NoResponders
from fluxcore.bus.subjects import Pattern
from fluxcore.bus.transports.file.wire import (
    Answer,
    Hello,
    Request,
    asked,
    event_of,
    message,
    packed,
    receive,
    unpacked,
)
from fluxcore.core.log import Log as Records
from fluxcore.limits import BUS_DISCOVER_S, BUS_REQUEST_CONNECT_S, BUS_REQUESTS_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.transports.file.desk import Desk

_records = Records("bus")
_LOOPBACK = "127.0.0.1"
_ENDED = (EOFError, ValueError, OSError, asyncio.TimeoutError)


class Offer(msgspec.Struct):
    """What ``answers/ID.json`` holds."""

    host: str
    process: int
    port: int
    token: str
    subjects: list[str]


class Requests:
    """The requests from and to other processes. All on the event loop; ``answer`` lets the handlers here answer an event."""

    def __init__(self, desk: Desk, answer: Callable[[Event], Awaitable[Any]]) -> None:
        self._desk = desk
        self._answer = answer
        self._folder = Path(desk.folder.root) / "answers"
        self._name = secrets.token_hex(8)
        self._token = secrets.token_hex(32)
        self._subjects: list[str] = []
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._offers: dict[str, Offer] = {}
        self._links: dict[str, _Link] = {}
        self._looked = 0.0
        self._turn = 0

    # -- answering --------------------------------------------------------------------------------------------------

    def offer(self, subjects: Sequence[str]) -> None:
        """Let other processes ask handlers of some subjects here, besides those from before."""
        new = [each for each in subjects if each not in self._subjects]
        if new:
            self._subjects += new
            before = self._starting
            self._starting = self._desk.loop.create_task(self._listen(before))

    async def settle(self) -> None:
        """Return when other processes can find what is offered."""
        if self._starting is not None:
            await self._starting

    async def _listen(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        try:
            if self._server is None:
                self._server = await asyncio.start_server(self._greet, _LOOPBACK, 0)
            port = self._server.sockets[0].getsockname()[1]
            found = Offer(socket.gethostname(), os.getpid(), port, self._token, list(self._subjects))
            await self._desk.wait(self._save, found)
        except OSError as error:
            _records.warning("handlers can't be asked from other processes", error=str(error))

    def _save(self, offer: Offer) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._name}.json"
        hidden = path.with_suffix(".new")
        hidden.touch(0o600)
        hidden.write_bytes(msgspec.json.encode(offer))
        hidden.replace(path)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        answers: set[asyncio.Task[None]] = set()
        try:
            hello = await asyncio.wait_for(receive(reader, Hello), BUS_REQUEST_CONNECT_S)
            if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
                return
            writer.write(message(Answer(0)))
            room = asyncio.Semaphore(BUS_REQUESTS_MAX)
            while True:
                await room.acquire()
                request = await receive(reader, Request)
                answering = asyncio.create_task(self._serve(request, writer))
                answers.add(answering)
                answering.add_done_callback(answers.discard)
                answering.add_done_callback(lambda _: room.release())
        except _ENDED:
            pass  # who asked is gone
        finally:
            self._clients.discard(writer)
            for each in answers:
                each.cancel()
            writer.close()

    async def _serve(self, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(request.timeout_ms / 1000):
                answer = message(Answer(request.number, packed(await self._answer(event_of(request)))))
        except TimeoutError:
            return  # who asked waits no more either
        except BusError as error:
            answer = message(Answer(request.number, None, error.code, error.message))
        writer.write(answer)
        with contextlib.suppress(OSError):
            await writer.drain()

    # -- asking -----------------------------------------------------------------------------------------------------

    async def ask(self, event: Event, timeout_ms: int, wanted: Any) -> Any:
        """Return what a handler in another process answers. Those that have handlers of the subject have requests in turns.

        Raises: ``NoResponders`` FX-BUS-0302, ``BusError`` FX-BUS-0303 where the handler raised or its process ended.
        """
        while True:
            name = await self._choose(event.subject)
            link = self._links.get(name)
            if link is None or link.ended:
                try:
                    link = self._links[name] = await _Link.open(self._offers[name])
                except _ENDED:
                    self._links.pop(name, None)
                    self._offers.pop(name, None)
                    await self._desk.wait(self._forget, name)
                    continue
            answer = await link.ask(event, timeout_ms)
            if answer.payload is not None:
                return unpacked(answer.payload, wanted)
            raise (NoResponders if answer.code == "FX-BUS-0302" else BusError)(answer.code, answer.message)

    async def _choose(self, subject: str) -> str:
        """Return the process whose turn it is. Raises ``NoResponders`` FX-BUS-0302."""
        found = self._takers(subject)
        if not found or time.monotonic() - self._looked > BUS_DISCOVER_S:
            self._offers = await self._desk.wait(self._look)
            self._looked = time.monotonic()
            found = self._takers(subject)
        if not found:
            raise NoResponders(
                "FX-BUS-0302", f"no handler takes '{subject}', in this process or another one of the folder"
            )
        self._turn += 1
        return found[self._turn % len(found)]

    def _takers(self, subject: str) -> list[str]:
        offers = self._offers.items()
        return [name for name, offer in offers if any(Pattern(each).matches(subject) for each in offer.subjects)]

    def _look(self) -> dict[str, Offer]:
        host, found = socket.gethostname(), {}
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                offer = msgspec.json.decode(path.read_bytes(), type=Offer)
                if offer.host == host and path.stem != self._name:
                    found[path.stem] = offer
        return found

    def _forget(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / f"{name}.json").unlink(missing_ok=True)

    # -- life -------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Be found and answer no more, and ask no more."""
        await self.settle()
        await self._desk.wait(self._forget, self._name)
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.transport.abort()  # which ends what serves it
        for link in self._links.values():
            link.close()


class _Link:
    """A connection to a process that answers. ``ended`` says that it does so no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ended = False
        self._reader = reader
        self._writer = writer
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._task = asyncio.create_task(self._run())

    @staticmethod
    async def open(offer: Offer) -> _Link:
        """Connect. Raises ``OSError``, ``EOFError``, ``ValueError`` or ``TimeoutError`` where no such process listens."""
        async with asyncio.timeout(BUS_REQUEST_CONNECT_S):
            reader, writer = await asyncio.open_connection(_LOOPBACK, offer.port)
            try:
                writer.write(message(Hello(offer.token)))
                await receive(reader, Answer)
            except BaseException:
                writer.close()
                raise
        return _Link(reader, writer)

    async def ask(self, event: Event, timeout_ms: int) -> Answer:
        """Send a request, and return the answer. Raises ``BusError`` FX-BUS-0303 where the process ends, 0202, 0308."""
        self._number += 1
        number = self._number
        request = asked(event, number, timeout_ms)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if self.ended:
                raise _gone()
            self._writer.write(request)
            return await future
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """End."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                answer = await receive(self._reader, Answer)
                future = self._waiting.get(answer.number)
                if future is not None and not future.done():
                    future.set_result(answer)
        except _ENDED:
            pass  # those who wait are told
        finally:
            self.ended = True
            self._writer.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_gone())


def _gone() -> BusError:
    return BusError("FX-BUS-0303", "the process that was asked has ended before it answered")
