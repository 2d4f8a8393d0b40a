"""How an operator's frozen state is divided when it goes on in another number of tasks.

Each batch that ``Operator.freeze`` gives is marked, in its schema's metadata, with one of these:

- :func:`keyed`: a row belongs to the task that the exchange sends its key to; the key's columns stand in the row, in the types
  of the input. Without keys there is one task, the first.
- :func:`beside`: a row belongs where the row of another batch is, of which a column names the number.
- :func:`shared`: the values hold for the whole operator; every task gets the least, the greatest, or what all have.

``state.rescale`` reads the marks. A number that only one task understands, such as a slot, must not stand in a batch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_MARK = b"fluxcore.division"


@dataclass(frozen=True, slots=True)
class Division:
    """How a frozen batch is divided: by the columns ``keys``, or as the rows of ``owner`` at ``place``, or not at all.

    ``combine`` is ``min``, ``max`` or ``same`` where every task gets the same single row or rows.
    """

    keys: tuple[int, ...] | None = None
    owner: str | None = None
    place: int = -1
    combine: str | None = None


def keyed(batch: pa.RecordBatch, keys: Sequence[int]) -> pa.RecordBatch:
    """Mark a batch whose rows belong to keys: the columns at positions ``keys``, which the exchange hashes."""
    return _marked(batch, Division(keys=tuple(keys)))


def beside(batch: pa.RecordBatch, place: int, owner: str) -> pa.RecordBatch:
    """Mark a batch whose rows belong to those of batch ``owner`` that the column at ``place`` (int64) numbers."""
    return _marked(batch, Division(owner=owner, place=place))


def shared(batch: pa.RecordBatch, combine: str) -> pa.RecordBatch:
    """Mark a batch that all tasks get: one row of the ``min`` or ``max`` over the tasks, or what is the ``same`` in all."""
    assert combine in ("min", "max", "same"), combine
    return _marked(batch, Division(combine=combine))


def division_of(batch: pa.RecordBatch) -> Division | None:
    """Return the mark of a frozen batch, None when it has none."""
    found = (batch.schema.metadata or {}).get(_MARK)
    if found is None:
        return None
    values = json.loads(found)
    return Division(**values | {"keys": None if values["keys"] is None else tuple(values["keys"])})


def _marked(batch: pa.RecordBatch, division: Division) -> pa.RecordBatch:
    return batch.replace_schema_metadata({**(batch.schema.metadata or {}), _MARK: json.dumps(asdict(division))})
