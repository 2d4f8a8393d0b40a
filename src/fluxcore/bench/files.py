"""Where the files of a benchmark are kept from one call to the next."""

from __future__ import annotations

from pathlib import Path

from fluxcore.core.folders import cache_folder


def default_folder() -> Path:
    """Return the folder for benchmark data in the user's cache."""
    return cache_folder("nexmark")
