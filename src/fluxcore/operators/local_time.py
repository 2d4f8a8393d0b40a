"""Windows in local time: operators of windows count in what the clocks of a zone show, watermarks included.

A ``zone`` of None stands for windows that don't: those of a TIMESTAMP, and those of a TIMESTAMP_LTZ in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.operators.rows import times_ms

if TYPE_CHECKING:
    import pyarrow as pa

    from fluxcore.core.batch import Batch, Int64s
    from fluxcore.core.zones import Zone


def local_times(column: pa.Array, name: str, zone: Zone | None) -> Int64s:
    """Return a time column as whole milliseconds, instants as the zone's clocks show them.

    Raises: ``DataError`` FX-RUN-0201 when a value is NULL; ``name`` names the column in the message.
    """
    times = times_ms(column, name)
    return times if zone is None or column.type.tz is None else zone.local(times)


def with_local_steps(batch: Batch, zone: Zone | None) -> Batch:
    """Return the same rows with the watermark among them as a local one."""
    if zone is None or batch.steps is None:
        return batch
    return batch.with_steps(zone.progress_of(batch.steps))


def local_watermark(watermark: int, zone: Zone | None) -> int:
    """Return a watermark (ms) as a local one."""
    return watermark if zone is None else zone.progress_at(watermark)
