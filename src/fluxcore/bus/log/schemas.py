"""Schemas of events: their bytes, and the id by which a frame names one.

The id is the first 64 bits of BLAKE2b over the bytes, so any copy of a schema serves wherever it is found.
"""

from __future__ import annotations

from hashlib import blake2b

import pyarrow as pa

from fluxcore.errors import ScriptError

_REFUSED = (
    pa.types.is_dictionary,
    pa.types.is_union,
    pa.types.is_run_end_encoded,
    pa.types.is_string_view,
    pa.types.is_binary_view,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def schema_bytes(schema: pa.Schema) -> bytes:
    """Return a schema as an Arrow IPC message. Raises ``ScriptError`` FX-LOG-0008 for types that a log doesn't keep."""
    for field in schema:
        _refuse(field.type, field.name)
    return schema.serialize().to_pybytes()


def schema_id(content: bytes) -> int:
    """Return the id of a schema's bytes."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little") or 1


def read_schema(content: bytes) -> pa.Schema | None:
    """Return the schema in these bytes, or None where they hold none."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(content))
    except (pa.ArrowInvalid, OSError):
        return None


def _refuse(type_: pa.DataType, name: str) -> None:
    if any(kind(type_) for kind in _REFUSED):
        raise ScriptError(
            "FX-LOG-0008",
            f"column '{name}' is {type_}, which a log doesn't keep",
            hint="cast the column to its plain type first",
        )
    for number in range(type_.num_fields):
        _refuse(type_.field(number).type, name)
