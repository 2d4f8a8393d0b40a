"""Exchanges: rows go to the task of their key, or to all tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.control import End, Idle, Watermark
from fluxcore.core.partial import Partial, Share, Tasks
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes.partials import Partials, aggregated
from fluxcore.runtime.nodes.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fluxcore.runtime.inbox import Inbox


class Route(Protocol):
    """Tells the task of each row, by the key group of its key."""

    def of_rows(self, batch: Batch) -> NDArray[np.int64]:
        """Return the tasks of input rows."""
        ...

    def rows(self, batch: Batch) -> list[NDArray[np.int64]]:
        """Return each task's rows (rising) of a batch."""
        ...

    def states(self, states: Batch) -> list[NDArray[np.int64]]:
        """Return each task's rows (rising) of aggregated rows: a slice, then the keys."""
        ...


class ExchangeNode(Receiver):
    """Sends rows to the tasks of another stage, by the key group of their key columns; without keys all go to task 0."""

    def __init__(
        self, targets: Sequence[tuple[Inbox, int]], route: Route | None, partials: Partials | None, metrics: NodeMetrics
    ) -> None:
        self._targets = targets
        self._route = route if len(targets) > 1 else None
        self._partials = partials
        self.metrics = metrics

    def connect(self, port: int = 0) -> int:  # noqa: ARG002
        """Return input number 0: an exchange has one input in each task that writes to it."""
        return 0

    def prepare(self, batch: Batch) -> Sequence[Batch | Partial]:
        """Return the rows of each target task, aggregated where that is possible."""
        partial = aggregated(self._partials, batch, "partial aggregate")
        if self._route is None:
            return [partial or batch]
        if partial is not None:
            return self._spread(partial, self._route)
        return [batch.chosen(rows) for rows in self._route.rows(batch)]

    def _spread(self, partial: Partial, route: Route) -> list[Partial]:
        states = Batch(partial.states)
        tasks = Tasks(partial.whole, route.of_rows, len(self._targets))
        return [
            Partial(partial.whole, states.take(rows).data, partial.apart, Share(tasks, number))
            for number, rows in enumerate(route.states(states))
        ]

    def parts(self, prepared: Sequence[Batch | Partial]) -> Sequence[Batch | Partial]:
        """Return the rows of each target task."""
        return prepared

    def push_prepared(
        self,
        source: int,  # noqa: ARG002
        prepared: Sequence[Batch | Partial],
        steps: Sequence[Steps | None],
    ) -> None:
        """Put each task's rows, and the watermark, into its inbox."""
        for (inbox, number), part, rising in zip(self._targets, prepared, steps, strict=True):
            if part.rows:
                inbox.put(number, part.with_steps(rising))
            elif rising is not None:
                inbox.put(number, Watermark(rising.last))

    def push(self, source: int, batch: Batch) -> None:
        """Send rows."""
        prepared = self.prepare(batch)
        self.push_prepared(source, prepared, [part.steps for part in prepared])

    def watermark(self, source: int, ms: int) -> None:  # noqa: ARG002
        """Send a watermark to all tasks."""
        for inbox, number in self._targets:
            inbox.put(number, Watermark(ms))

    def end(self, source: int) -> None:  # noqa: ARG002
        """Send the end to all tasks."""
        for inbox, number in self._targets:
            inbox.put(number, End())

    def idle(self, source: int) -> None:  # noqa: ARG002
        """Send idleness to all tasks."""
        for inbox, number in self._targets:
            inbox.put(number, Idle())


class BroadcastNode(ExchangeNode):
    """Sends all rows to each task of another stage."""

    def __init__(self, targets: Sequence[tuple[Inbox, int]], metrics: NodeMetrics) -> None:
        super().__init__(targets, None, None, metrics)

    def prepare(self, batch: Batch) -> Sequence[Batch | Partial]:
        """Return the rows for each target task."""
        return [batch] * len(self._targets)
