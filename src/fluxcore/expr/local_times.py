"""TIMESTAMP_LTZ columns as what the clocks of the session's zone show, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from fluxcore.core.batch import Int64s
    from fluxcore.core.zones import Zone

_PER_MS: Final = {"ms": 1, "us": 1_000, "ns": 1_000_000}


def to_local(array: pa.Array, zone: Zone) -> pa.Array:
    """Return instants (timestamp in UTC) as wall-clock times (timestamp without a zone) of the same unit; NULLs stay."""
    wanted = pa.timestamp(array.type.unit)
    return array.view(wanted) if zone.is_utc else _moved(array, offsets_at(array, zone), wanted)


def to_instants(array: pa.Array, zone: Zone) -> pa.Array:
    """Return wall-clock times as instants of the same unit: the earlier of two, as Java has it; NULLs stay."""
    wanted = pa.timestamp(array.type.unit, "UTC")
    if zone.is_utc:
        return array.view(wanted)
    milliseconds = _values(array) // _PER_MS[array.type.unit]
    return _moved(array, (zone.instants(milliseconds) - milliseconds) * _PER_MS[array.type.unit], wanted)


def offsets_at(array: pa.Array, zone: Zone) -> Int64s:
    """Return how far the zone's clocks are ahead at each instant, in the array's unit; any number for NULL."""
    per_ms = _PER_MS[array.type.unit]
    return zone.offsets(_values(array) // per_ms) * per_ms


def moved_back(array: pa.Array, offsets: Int64s) -> pa.Array:
    """Return wall-clock times as instants, given how far the clocks were ahead."""
    return _moved(array, -offsets, pa.timestamp(array.type.unit, "UTC"))


def _moved(array: pa.Array, by: Int64s, wanted: pa.DataType) -> pa.Array:
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.array(_values(array) + by, mask=mask).view(wanted)


def _values(array: pa.Array) -> Int64s:
    plain = array.view(pa.int64())
    values: Int64s = np.asarray(plain.fill_null(0) if plain.null_count else plain)
    return values
