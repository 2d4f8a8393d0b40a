"""Where the files of a benchmark are kept from one call to the next."""

from __future__ import annotations

import os
from pathlib import Path


def default_folder() -> Path:
    """Return the folder for benchmark data in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluxcore"
    return Path(os.environ.get("FLUXCORE_CACHE_DIR") or cache) / "nexmark"
