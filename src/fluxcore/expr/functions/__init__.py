"""The built-in scalar functions, one category a file; importing this package registers them all."""

from __future__ import annotations

from fluxcore.expr.functions import (
    arithmetic,
    arrays,
    collections,
    comparison,
    conditional,
    encodings,
    json_reads,
    json_writes,
    logic,
    long_texts,
    maps,
    mathematics,
    patterns,
    printf,
    rounding,
    splitting,
    strings,
    sub_queries,
    temporal,
    time_parts,
    time_texts,
    types,
    variants,
)
from fluxcore.expr.registry import REGISTRY

_MODULES = (
    arithmetic,
    arrays,
    collections,
    comparison,
    conditional,
    encodings,
    json_reads,
    json_writes,
    logic,
    long_texts,
    maps,
    mathematics,
    patterns,
    printf,
    rounding,
    splitting,
    strings,
    sub_queries,
    temporal,
    types,
    time_parts,
    time_texts,
    variants,
)


def documented() -> dict[str, list[tuple[str, str, str]]]:
    """Return name, text and example of each function by category, for the reference page."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, function in sorted(REGISTRY.items()):
        if not function.category:  # no SQL of a user calls it
            continue
        example = f"{function.example[0]} = {function.example[1]}" if function.example and name == function.name else ""
        text = function.text if name == function.name else f"The same as `{function.name}`."
        found.setdefault(function.category, []).append((name, text, example))
    return found
