"""Where FluxCore keeps what it can make or fetch again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """Return a folder below ``FLUXCORE_CACHE_DIR``, else below ``fluxcore`` in the user's cache folder."""
    given = os.environ.get("FLUXCORE_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(given) if given else user / "fluxcore").joinpath(*parts)
