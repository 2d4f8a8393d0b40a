"""The forms of a cell that the scanners tell apart. Plain numbers, so that kernels can use them."""

from __future__ import annotations

from typing import Final

PLAIN: Final = 0
"""Text without quotes (CSV)."""
STRING: Final = 1
"""Text in quotes that stands as it is."""
NUMBER: Final = 2
"""A JSON number."""
ESCAPED: Final = 3
"""Text with escapes to resolve."""
NULL: Final = 4
"""A null, or the null literal."""
MISSING: Final = 5
"""No such field in the record."""
TRUE: Final = 6
FALSE: Final = 7
OBJECT: Final = 8
ARRAY: Final = 9
