"""A piece of a running chain: what takes rows and watermarks, and the outlets that hand them on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.partial import Partial
from fluxcore.runtime.metrics import NodeMetrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Receiver(ABC):
    """A piece of a chain that takes rows. ``source`` is the number that :meth:`connect` gave to the input."""

    metrics: NodeMetrics

    @abstractmethod
    def connect(self, port: int = 0) -> int:
        """Add an input to a port and return its number."""

    def prepare(self, batch: Batch) -> Any:
        """Return what :meth:`push_prepared` takes; pure, called from any thread."""
        return batch

    def parts(self, prepared: Any) -> Sequence[Batch | Partial]:
        """Return the batches inside a prepared value; all of them end at the same watermark."""
        return (prepared,)

    def push_prepared(self, source: int, prepared: Any, steps: Sequence[Steps | None]) -> None:
        """Take a prepared value, with the combined watermark steps for each of its parts."""
        self.push(source, prepared.with_steps(steps[0]))

    def push_each(self, source: int, batches: Sequence[Batch]) -> None:
        """Take batches whose bounds mean something: none changes twice within one. They have rows and no steps."""
        for batch in batches:
            self.push(source, batch)

    @abstractmethod
    def push(self, source: int, batch: Batch) -> None:
        """Take rows."""

    @abstractmethod
    def watermark(self, source: int, ms: int) -> None:
        """Take a watermark."""

    @abstractmethod
    def end(self, source: int) -> None:
        """Learn that an input has ended, after its last watermark."""

    def idle(self, source: int) -> None:  # noqa: B027
        """Learn that an input has nothing to say for a while."""

    def ticks(self) -> bool:
        """Return whether the piece, or one behind it in the same thread, may ever want :meth:`tick`."""
        return False

    def next_tick(self) -> int | None:
        """Return the processing time (ms) at which the piece, or one behind it in the same thread, wants :meth:`tick`."""
        return None

    def tick(self, now: int) -> None:  # noqa: B027
        """Learn that the clock has reached ``next_tick``. In: ``now`` (ms)."""

    def wake_by(self, wake: Callable[[], None]) -> None:  # noqa: B027
        """Learn how to have :meth:`next_tick` asked for anew, from any thread."""


class Outlet:
    """What stands behind a piece: any number of receivers, each by the input number that it knows us under."""

    def __init__(self) -> None:
        self.targets: list[tuple[Receiver, int]] = []

    def add(self, receiver: Receiver, port: int = 0) -> None:
        """Connect a receiver."""
        self.targets.append((receiver, receiver.connect(port)))

    def push(self, batch: Batch) -> None:
        """Hand rows to all; a batch without rows becomes a bare watermark."""
        if batch.rows == 0:
            if batch.steps is not None:
                self.watermark(batch.steps.last)
            return
        for receiver, source in self.targets:
            receiver.push(source, batch)

    def push_each(self, batches: Sequence[Batch]) -> None:
        """Hand batches to all, as :meth:`Receiver.push_each` takes them."""
        for receiver, source in self.targets:
            receiver.push_each(source, batches)

    def watermark(self, ms: int) -> None:
        """Hand a watermark to all."""
        for receiver, source in self.targets:
            receiver.watermark(source, ms)

    def end(self) -> None:
        """Tell all that nothing follows."""
        for receiver, source in self.targets:
            receiver.end(source)

    def idle(self) -> None:
        """Tell all that nothing comes for a while."""
        for receiver, source in self.targets:
            receiver.idle(source)

    def ticks(self) -> bool:
        """Return whether one of them may want a tick."""
        return any(receiver.ticks() for receiver, _ in self.targets)

    def next_tick(self) -> int | None:
        """Return when the first of them wants a tick."""
        return earliest(receiver.next_tick() for receiver, _ in self.targets)

    def tick(self, now: int) -> None:
        """Tell all the time."""
        for receiver, _ in self.targets:
            receiver.tick(now)

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Tell all how to be asked anew."""
        for receiver, _ in self.targets:
            receiver.wake_by(wake)


def earliest(times: Iterable[int | None]) -> int | None:
    """Return the smallest of some times, of which each may be none."""
    return min((each for each in times if each is not None), default=None)
