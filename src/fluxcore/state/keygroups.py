"""Key groups: the units in which keyed state is spread over tasks and moved when a job is rescaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.core.hashing import hash_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

KEY_GROUPS = 128


def key_groups(arrays: Sequence[pa.Array], groups: int = KEY_GROUPS) -> NDArray[np.int64]:
    """Return the key group (0 to ``groups`` - 1) of each row's key: the canonical hash modulo ``groups``."""
    return (hash_columns(arrays) % np.uint64(groups)).astype(np.int64)


def rows_of_tasks(keys: Sequence[pa.Array], parallelism: int) -> list[NDArray[np.int64]]:
    """Return the rows (rising) of each task, as :func:`tasks_of` says, in one pass. In: one key column or more."""
    from fluxcore.core import hashing_kernels

    hashes = hash_columns(keys)
    rows, bounds = np.empty(len(hashes), np.int64), np.empty(parallelism + 1, np.int64)
    hashing_kernels.split_rows(hashes, KEY_GROUPS, parallelism, rows, bounds)
    return [rows[bounds[task] : bounds[task + 1]] for task in range(parallelism)]


def tasks_of(keys: Sequence[pa.Array], rows: int, parallelism: int) -> NDArray[np.int64]:
    """Return the task of each of ``rows`` rows: key groups are spread evenly; without keys all belong to the first."""
    if not keys or parallelism == 1:
        return np.zeros(rows, np.int64)
    return key_groups(keys) * parallelism // KEY_GROUPS
