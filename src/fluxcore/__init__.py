"""FluxCore: the streaming platform you can pip install."""

from __future__ import annotations

__version__ = "0.1.0"
