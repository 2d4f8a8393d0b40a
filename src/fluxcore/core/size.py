"""Sizes of memory as people and Flink write them: ``512 mb``, ``2g``, ``4096`` (bytes)."""

from __future__ import annotations

import re

_UNITS = {"": 1, "b": 1, "bytes": 1}
_UNITS |= {
    form: 1024**power
    for power, letter in enumerate("kmgt", 1)
    for form in (
        letter,
        f"{letter}b",
        f"{letter}ib",
        {"k": "kibi", "m": "mebi", "g": "gibi", "t": "tebi"}[letter] + "bytes",
    )
}
_FORM = re.compile(r"\s*(\d+)\s*([a-zA-Z]*)\s*")


def size_bytes(value: str) -> int:
    """Return a size in bytes; units are powers of 1024, as in Flink.

    Raises: ``ValueError`` with the accepted forms for anything else.
    """
    found = _FORM.fullmatch(value)
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(f"'{value}' is no size; write a number and one of b, kb, mb, gb, such as '512 mb'")
    return int(found[1]) * _UNITS[found[2].lower()]
