"""What is told while something takes its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], None]
"""Takes one line without a newline."""


def silent(line: str) -> None:
    """Tell nothing."""
