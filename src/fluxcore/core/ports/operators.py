"""Operators: what has state, and what the runtime gives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.core.ports.state import StateBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from fluxcore.core.batch import Batch
    from fluxcore.core.partial import Partial
    from fluxcore.core.time import Clock


def no_side(tag: str, batch: Batch) -> None:
    """Take rows that an operator gives to a side output that nobody reads."""


def no_wake() -> None:
    """Do nothing: nobody waits for the operator."""


@dataclass(slots=True)
class OperatorContext:
    """What the runtime gives an operator: state, a clock, places for late rows and for side outputs, counters.

    ``wake()``, from any thread, has the runtime ask for ``next_tick`` anew.

    ``side(tag, batch)`` gives rows to a side output, with steps as of those that are returned; they go out before the rows that
    the running call returns.
    """

    name: str
    state: StateBackend
    clock: Clock
    late: Callable[[Batch], None]
    counters: dict[str, int] = field(default_factory=dict)
    side: Callable[[str, Batch], None] = no_side
    wake: Callable[[], None] = no_wake

    def count(self, name: str, amount: int) -> None:
        """Add to one of the operator's counters, such as ``late_rows``."""
        self.counters[name] = self.counters.get(name, 0) + amount


class Operator(ABC):
    """A stateful operator. One thread calls it.

    The runtime hands ``process`` a batch whose steps are the operator's *combined* watermark over all inputs, then calls
    ``advance`` with the watermark after the batch, then passes that watermark on. Rows that ``process`` returns carry
    steps for their source rows (``Batch.steps_for``) when they are passed through as of those rows; rows fired by
    ``advance`` carry none.
    """

    def open(self, context: OperatorContext) -> None:
        """Make state; called once before the first batch."""
        self.context = context

    @abstractmethod
    def process(self, batch: Batch, port: int = 0) -> Iterable[Batch]:
        """Take a batch of input ``port`` and return the rows that it causes at once.

        An operator that waits yields its rows as they come.
        """

    def process_partial(self, partial: Partial) -> Iterable[Batch]:
        """Take rows that were aggregated before they were sent; the steps of the whole are the combined ones."""
        return self.process(partial.all_rows())

    def port_ended(self, port: int) -> Sequence[Batch]:  # noqa: ARG002
        """Learn that no more rows come at a port, and return the rows that this causes; ``advance`` follows."""
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:  # noqa: ARG002
        """Take a new watermark (ms; ``MAX_TIME_MS`` at the end of input) and return the rows that it fires."""
        return ()

    @property
    def next_tick(self) -> int | None:
        """Return the processing time (ms) at which the operator wants :meth:`tick`; None while it wants none."""
        return None

    def tick(self, now: int) -> Sequence[Batch]:  # noqa: ARG002
        """Learn that the clock has reached ``next_tick``, and return the rows that this fires.

        It comes between two batches, also while no rows come. In: ``now`` (ms); at the end of input, after the last
        ``advance``, it is ``MAX_TIME_MS``, once, if a tick is wanted: what is open is given then. Afterwards nobody asks.
        """
        return ()

    def process_each(self, batch: Batch, port: int) -> Iterable[Batch]:
        """Take rows and return the changes that each of them makes by itself, as if it were a batch, in the order of the rows.

        A batch of the result never holds a row's deletion right before the insertion of its key that a later row makes.
        Called only where ``tells_each`` is true.
        """
        raise NotImplementedError(f"{type(self).__name__} takes row by row as batches")

    @property
    def tells_each(self) -> bool:
        """Return whether :meth:`process_each` may stand for one call a row."""
        return False

    def output_watermark(self, watermark: int) -> int:
        """Return the watermark of the rows that come out, once the operator has advanced to ``watermark``."""
        return watermark

    def finish(self) -> Iterable[Batch]:
        """Return the last rows; called once, after all inputs ended and after the last ``advance``."""
        return ()

    @property
    def awaits(self) -> bool:
        """Return whether rows will come out though none come in: then the operator is not idle when its inputs are."""
        return False

    @property
    def satisfied(self) -> bool:
        """Return whether no further row can change what comes out, so that sources read for it alone may end.

        Asked from any thread.
        """
        return False

    @property
    def ticks(self) -> bool:
        """Return whether the operator may ever want a tick."""
        return type(self).tick is not Operator.tick

    def freeze(self) -> Mapping[str, pa.RecordBatch]:
        """Return all that the operator knows, at a batch boundary; it may go on afterwards.

        Each batch is marked with how it is divided among another number of tasks (see ``fluxcore.core.frozen``): ``keyed``
        by the columns that the exchange hashes, ``beside`` the rows of another batch, or ``shared`` by all tasks. Rows of
        several tasks must be able to stand behind each other: what one task numbers by itself is frozen as values, or as
        row numbers of another batch.
        """
        raise NotImplementedError(f"{type(self).__name__} can't be frozen")

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from what :meth:`freeze` gave, here or in several tasks whose states were put together.

        Called once, after :meth:`open` and before the first batch.
        """
        raise NotImplementedError(f"{type(self).__name__} can't be restored")

    def cancel(self) -> None:  # noqa: B027
        """Learn, in any thread, that the job is stopped: who waits for something else than the clock waits no longer."""

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, also when it was never opened."""

    @property
    def state_rows(self) -> int:
        """Return the number of keys and rows kept."""
        return 0

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return 0


@dataclass(frozen=True)
class CustomOperator:
    """An operator that a program brings: ``make`` makes the one of each task; ``sides`` are its side outputs' columns by tag."""

    make: Callable[[], Operator]
    sides: Mapping[str, pa.Schema] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return getattr(self.make, "__name__", type(self.make).__name__)
