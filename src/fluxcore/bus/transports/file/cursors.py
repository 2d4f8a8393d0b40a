"""What lasts of groups: their progress, saved now and then, and whether they are paused."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

from fluxcore.bus.errors import BusError
from fluxcore.bus.hold import counted
from fluxcore.bus.log.files import read_file, write_all
from fluxcore.bus.progress import Progress
from fluxcore.bus.transports.file.hands import Hands, left_in_hand
from fluxcore.bus.transports.file.layout import GroupState, disk_calls
from fluxcore.core.log import Log as Records
from fluxcore.limits import BUS_SAVE_S, BUS_SAVE_SHARE

if TYPE_CHECKING:
    import asyncio

    from fluxcore.bus.group import Group
    from fluxcore.bus.transports.file.desk import Desk
    from fluxcore.bus.transports.file.topic import FileTopic

_records = Records("bus")
_open: weakref.WeakSet[Cursors] = weakref.WeakSet()


class Cursors:
    """The named groups that this process runs, each under its lock. All on the event loop but the saving itself."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._states: dict[str, GroupState] = {}
        self._locks: dict[str, int] = {}
        self._groups: list[tuple[FileTopic, Group]] = []
        self._saved: dict[str, GroupState] = {}
        self._new: set[str] = set()
        self._saving = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._hands: list[Hands] = []
        self._began_ms = time.time_ns() // 1_000_000
        _open.add(self)

    def join(self, name: str) -> None:
        """Take a group for this process, and read how far it has come. Raises ``BusError`` FX-BUS-0402, 0401, 0404, 0120."""
        if name in self._states:
            return
        folder, files = self._desk.folder, self._desk.folder.files
        path = folder.group_lock(name)
        try:
            with disk_calls(path):
                handle = files.lock(path)
        except BlockingIOError:
            holder = (read_file(files, path) or b"").decode("ascii", "replace").strip("\0\n ")
            hint = "a group runs in one process at a time; give this one another name, or end the other process"
            raise BusError(
                "FX-BUS-0402", f"the group '{name}' is run by {holder or 'another process'}", hint=hint
            ) from None
        self._locks[name] = handle
        with contextlib.suppress(OSError):
            files.truncate(handle, 0)
            write_all(files, handle, [f"process {os.getpid()}\n".encode()], 0)
        known = folder.group(name)
        if known is None:
            self._new.add(name)
        self._states[name] = known or GroupState(name, made_ms=self._began_ms)

    def progress(self, topic: FileTopic, group: Group) -> Progress:
        """Return where a group begins in a topic: where it was, else where its options say.

        In a topic that was made after the group, or since this bus began, it has all events, whenever the topic is come upon.
        """
        state = self._states.get(group.name) if group.options.group is not None else None
        if state is None:
            return self._first(topic, group)
        self._groups.append((topic, group))
        found = state.topics.get(topic.name) or self._first(topic, group)
        return found if self._desk.own_files is not None else self._count_deaths(state, found, topic, group)

    def _first(self, topic: FileTopic, group: Group) -> Progress:
        state = self._states.get(group.name) if group.options.group is not None else None
        start = group.options.start
        since = self._began_ms if state is None else state.made_ms
        if start == "earliest" or (start == "new" and topic.made_ms >= since):
            return Progress(topic.start)
        return Progress(topic.end if isinstance(start, str) else max(start, topic.start))

    def _count_deaths(self, state: GroupState, found: Progress, topic: FileTopic, group: Group) -> Progress:
        """Return the progress with what was in hand when a process died, and note from now on what workers have in hand.

        The count is saved before the note is taken away: whatever happens, it isn't lost.
        """
        path = self._desk.folder.hands(group.name, topic.name)
        try:
            left = left_in_hand(path)
            in_hand = [(max(first, found.position), stop) for first, stop in left if stop > found.position]
            if in_hand:
                _records.warning("a process died while handlers had events", group=group.name, topic=topic.name,
                                 offsets=in_hand[:10], events=sum(stop - first for first, stop in in_hand))  # fmt: skip
                died = counted(found.died, in_hand)
                found = Progress(found.position, found.done, found.attempts, died)
                state.topics[topic.name] = found
                with self._saving:
                    self._desk.folder.save_group(state)
            with disk_calls(path):
                hands = Hands(path)
        except (BusError, OSError) as error:
            _records.warning("what handlers have in hand can't be noted", group=group.name, topic=topic.name,
                             error=getattr(error, "message", str(error)))  # fmt: skip
            return found
        group.holds = hands
        self._hands.append(hands)
        return found

    def pause(self, name: str, *, paused: bool) -> None:
        """Remember whether a group is paused."""
        if name in self._states:
            self._states[name].paused = paused

    def is_paused(self, name: str) -> bool:
        """Return whether a group was paused."""
        return name in self._states and self._states[name].paused

    def begin(self) -> None:
        """Save now and then."""
        self._timer = self._desk.loop.call_later(BUS_SAVE_S, self._save_soon)

    def has_new(self) -> bool:
        """Return whether there are groups that were never saved."""
        return bool(self._new)

    def snapshot(self) -> list[GroupState]:
        """Return what has changed since it was saved last."""
        for topic, group in self._groups:
            self._states[group.name].topics[topic.name] = _clipped(group.progress(), topic.durable_end)
        found = []
        for name, state in self._states.items():
            before = self._saved.get(name)
            if before is None or (before.topics, before.paused) != (state.topics, state.paused):
                state.saved_ms = time.time_ns() // 1_000_000
                self._saved[name] = GroupState(name, dict(state.topics), state.paused, state.saved_ms, state.made_ms)
                found.append(self._saved[name])
        return found

    def save(self, states: list[GroupState]) -> None:
        """Save groups; on a thread for the disk. Raises ``BusError`` FX-BUS-0404, after the others were saved."""
        refusal: BusError | None = None
        for state in states:
            with self._saving:
                if self._saved.get(state.group) is not state:
                    continue  # it is out of date already
                try:
                    self._desk.folder.save_group(state)
                    self._new.discard(state.group)
                except BusError as error:
                    refusal = error
                    if self._saved.get(state.group) is state:
                        del self._saved[state.group]  # so that it is tried again
        if refusal is not None:
            raise refusal

    def stop(self) -> None:
        """Save no more by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Take the notes of what is in hand away, and give the locks back."""
        for each in self._hands:
            with contextlib.suppress(OSError):  # then it is found, and what it says was done
                each.close()
        self._hands.clear()
        for handle in self._locks.values():
            self._desk.folder.files.close(handle)
        self._locks.clear()
        _open.discard(self)

    def forked(self) -> None:
        """Let this child of a process hold no lock; the parent's stay, and its notes."""
        self._hands.clear()
        self.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _save_soon(self) -> None:
        began = time.perf_counter()
        states = self.snapshot()
        pause = max(BUS_SAVE_S, (time.perf_counter() - began) / BUS_SAVE_SHARE)
        self._timer = self._desk.loop.call_later(pause, self._save_soon)
        if states:
            self._desk.run(self._try_to_save, states)

    def _try_to_save(self, states: list[GroupState]) -> None:
        try:
            self.save(states)
        except BusError as error:
            _records.warning("the progress of groups can't be saved, and is tried again", error=error.message)


def _clipped(progress: Progress, end: int) -> Progress:
    """Return progress without what lies beyond the durable end: after a failure of power those offsets may be other events'."""
    if progress.position <= end and all(each[1] <= end for each in (*progress.done, *progress.died)):
        return progress
    done = [(first, min(stop, end)) for first, stop in progress.done if first < end]
    attempts = {offset: count for offset, count in progress.attempts.items() if offset < end}
    died = [(first, min(stop, end), count) for first, stop, count in progress.died if first < end]
    return Progress(min(progress.position, end), done, attempts, died)


def _forked() -> None:
    for cursors in list(_open):
        cursors.forked()


os.register_at_fork(after_in_child=_forked)
