"""A task: one thread that takes elements out of an inbox and runs a fused chain on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.batch import Batch
from fluxcore.core.control import Barrier, End, Idle, Watermark
from fluxcore.core.partial import Partial
from fluxcore.runtime.inbox import Inbox

if TYPE_CHECKING:
    from fluxcore.core.time import Clock
    from fluxcore.runtime.nodes import OperatorNode


class Task:
    """Runs one instance of a stateful operator and everything fused behind it, also when their time has come."""

    def __init__(self, name: str, head: OperatorNode, clock: Clock) -> None:
        self.name = name
        self.head = head
        self.inbox = Inbox(clock=clock)
        head.metrics.queue = self.inbox
        self._clock = clock
        self._inputs: list[int] = []

    def add_input(self, port: int) -> int:
        """Add an input to a port of the operator; return the number under which its elements come."""
        self._inputs.append(self.head.connect(port))
        return len(self._inputs) - 1

    def run(self) -> None:
        """Work until all inputs have ended. Raises ``Cancelled`` when the job is stopped."""
        head, inputs = self.head, self._inputs
        remaining = len(inputs)
        head.wake_by(self.inbox.wake)
        while remaining:
            found = self.inbox.get(head.next_tick())
            due = head.next_tick()  # it may have come nearer
            if due is not None and (now := self._clock.now_ms()) >= due:
                head.tick(now)
            if found is None:
                continue
            number, element = found
            source = inputs[number]
            match element:
                case Batch() | Partial():
                    head.push(source, element)
                case Watermark(ms):
                    head.watermark(source, ms)
                case Idle():
                    head.idle(source)
                case End():
                    remaining -= 1
                    head.end(source)
                case Barrier():
                    raise AssertionError("no barrier is sent before checkpoints exist")
