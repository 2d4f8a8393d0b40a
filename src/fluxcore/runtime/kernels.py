"""Where compiled kernels are kept on disk, so that only the first run ever compiles."""

from __future__ import annotations

import os
from pathlib import Path

from fluxcore.core import folders


def cache_folder() -> Path:
    """Return the folder for compiled kernels."""
    return folders.cache_folder("kernels")


def use_cache_folder() -> None:
    """Tell Numba where to keep kernels, unless the user did; must be called before Numba is imported."""
    if "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(cache_folder())
