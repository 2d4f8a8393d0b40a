"""Gives rows the session that they belong to, when it closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import beside
from fluxcore.core.ports import Operator
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.limits import BATCH_ROWS
from fluxcore.operators import chain_kernels
from fluxcore.operators.chains import entries_of
from fluxcore.operators.local_time import local_times, local_watermark, with_local_steps
from fluxcore.operators.rows import number_state, watermark_state, watermarks_before, window_arrays
from fluxcore.operators.windows.session_aggregate import without_late
from fluxcore.operators.windows.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.core.zones import Zone


@dataclass(frozen=True)
class SessionAssignOptions:
    """``schema`` and ``types`` of the input; ``keys`` tell whose sessions they are; ``time`` and ``gap`` (ms) make them.

    ``output`` is the input's columns, then window_start, window_end and window_time. With a ``zone`` sessions lie in its local
    time.
    """

    schema: pa.Schema
    types: tuple[DataType, ...]
    time: int
    keys: tuple[int, ...]
    gap: int
    output: pa.Schema
    zone: Zone | None = None


class SessionAssignOperator(Operator):
    """Keeps append-only rows until their session closes, and gives them with it: by its end, then as they came."""

    def __init__(self, options: SessionAssignOptions) -> None:
        self._options = options
        self._watermark = MIN_TIME_MS
        self._arrived = 0

    def open(self, context: OperatorContext) -> None:
        """Make the tables."""
        super().open(context)
        keys = [self._options.types[index] for index in self._options.keys]
        self._sessions = Sessions(context.state, keys, {"rows": "i8"})
        columns = dict.fromkeys(("next", "prev", "session", "arrived"), "i8")
        self._rows = context.state.rows("rows", self._options.schema, columns)

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Keep rows with their sessions."""
        assert batch.weights is None, "sessions take rows that are never updated"
        if not batch.rows:
            return ()
        options, sessions = self._options, self._sessions
        times = local_times(batch.column(options.time), options.schema.field(options.time).name, options.zone)
        batch = with_local_steps(batch, options.zone)
        keys = [batch.column(index) for index in options.keys]
        placed = sessions.place(keys, times, watermarks_before(batch, self._watermark), options.gap)
        columns = self._rows.columns
        links = sessions.columns["rows"], columns["next"], columns["prev"], columns["session"]
        if len(placed.gone):
            places, moved = entries_of(links[0], columns["next"], placed.gone)
            chain_kernels.link(*links, moved, placed.into[places])
            sessions.drop(placed.gone)
        if placed.late is not None:
            batch = without_late(batch, placed.late, self.context)
        slots = self._rows.add(batch.data)
        columns["arrived"][slots] = self._arrived + np.arange(batch.rows)
        self._arrived += batch.rows
        chain_kernels.link(*links, slots, placed.slots)
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:
        """Give the rows of the sessions that the watermark has closed."""
        self._watermark = max(self._watermark, local_watermark(watermark, self._options.zone))
        closed = self._sessions.due(self._watermark)
        if not len(closed):
            return ()
        columns = self._sessions.columns
        places, slots = entries_of(columns["rows"], self._rows.columns["next"], closed)
        order = np.lexsort((self._rows.columns["arrived"][slots], columns["end"][closed[places]]))
        slots, owners = slots[order], closed[places[order]]
        batches = []
        for first in range(0, len(slots), BATCH_ROWS):
            mine, owner = slots[first : first + BATCH_ROWS], owners[first : first + BATCH_ROWS]
            bounds = columns["start"][owner], columns["end"][owner]
            window = window_arrays(*bounds, self._options.output, self._options.zone)
            batches.append(Batch.of_arrays([*self._rows.take(mine), *window], self._options.output))
        self._rows.remove(slots)
        self._sessions.close(closed)
        return batches

    @property
    def state_rows(self) -> int:
        """Return the number of rows that wait."""
        return self._rows.count

    @property
    def state_bytes(self) -> int:
        """Return their bytes."""
        return self._rows.nbytes + self._sessions.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the open sessions, the rows with the place of theirs among them, and the watermark."""
        slots, rows = self._sessions.live_slots(), self._rows.live_slots()
        places = np.searchsorted(slots, self._rows.columns["session"][rows])
        extra = [pa.array(places), pa.array(self._rows.columns["arrived"][rows])]
        names = [f"row{index}" for index in range(len(self._options.schema))] + ["session", "arrived"]
        kept = pa.RecordBatch.from_arrays([*self._rows.take(rows), *extra], names)
        marks = {"watermark": watermark_state(self._watermark), "count": number_state(self._arrived)}
        place = len(self._options.schema)
        return {"sessions": self._sessions.freeze(), "rows": beside(kept, place, "sessions"), **marks}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._watermark = frozen["watermark"].column(0)[0].as_py()
        self._arrived = frozen["count"].column(0)[0].as_py()
        sessions = self._sessions.restore(frozen["sessions"])
        self._sessions.columns["rows"][sessions] = 0
        *columns, places, arrived = frozen["rows"].columns
        if not len(places):
            return
        slots = self._rows.add(pa.RecordBatch.from_arrays(columns, schema=self._options.schema))
        chain = self._rows.columns
        chain["arrived"][slots] = np.asarray(arrived)
        links = self._sessions.columns["rows"], chain["next"], chain["prev"], chain["session"]
        chain_kernels.link(*links, slots, sessions[np.asarray(places)])
