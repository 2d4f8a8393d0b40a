"""Errors of the disk in words."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system says about writing below a folder into an error with a hint.

    Raises: ``JobError`` FX-FLK-0007 when the disk is full, FX-FLK-0018 when it can't be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(folder) from error
        hint = "choose another folder with FLUXCORE_CACHE_DIR, or with --work for the cluster's own files"
        raise JobError("FX-FLK-0018", f"{folder} can't be written to: {error.strerror or error}", hint=hint) from error


def need(folder: Path, size: int) -> None:
    """Look before something large is written. Raises ``JobError`` FX-FLK-0007 when there is too little room."""
    if shutil.disk_usage(folder).free < size:
        raise full(folder, size)


def full(folder: Path, size: int | None = None) -> JobError:
    """Return the error of a full disk."""
    wanted = f", and {size / 2**20:,.0f} MB are needed" if size else ""
    hint = "make room, or choose a folder on another disk with FLUXCORE_CACHE_DIR"
    return JobError("FX-FLK-0007", f"the disk of {folder} is full{wanted}", hint=hint)
