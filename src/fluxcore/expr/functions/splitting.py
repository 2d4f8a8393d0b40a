"""Text taken apart into arrays and maps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.types import INT, STRING, ArrayType, DataType, IntegerType, MapType, NullType, StringType
from fluxcore.core.words import text_buffers
from fluxcore.errors import DataError
from fluxcore.expr import utf16
from fluxcore.expr.functions.strings import text_rule
from fluxcore.expr.java_regex import BadPattern, java_regex
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import constant, each
from fluxcore.expr.rules import to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_TEXTS = ArrayType(element=STRING)
_MAP = MapType(key=STRING, value=STRING)


def _rule(counts: tuple[int, ...], result: DataType, wanted: str) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) not in counts or not all(isinstance(arg.type, StringType | NullType) for arg in args):
            return wanted
        return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args], result

    return rule


def _parts(text: str, separator: str) -> list[str]:
    if not text:
        return []
    return text.split(separator) if separator else [utf16.text_of(unit) for unit in utf16.units(text)]


def java_split(text: str, pattern: str, limit: int = 0) -> list[str]:
    """Return the parts of text between matches as Java's ``String.split`` does: without a limit no empty ones at the end.

    Raises: ``DataError`` FX-RUN-0104 for what is no regular expression.
    """
    try:
        regex = java_regex(pattern).python
    except BadPattern as error:
        raise DataError("FX-RUN-0104", f"'{pattern}' is no regular expression: {error}") from error
    parts: list[str] = []
    start = 0
    for found in regex.finditer(text):
        if limit and len(parts) == limit - 1:
            break
        if found.end() == 0:  # an empty match at the start cuts nothing off
            continue
        parts.append(text[start : found.start()])
        start = found.end()
    parts.append(text[start:])
    while not limit and len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _str_to_map(text: str, between: str = ",", inside: str = "=") -> list[tuple[str, str | None]]:
    found: dict[str, str | None] = {}
    for pair in java_split(text, between) if text else []:
        key, *value = java_split(pair, inside, 2)
        found[key] = value[0] if value else None
    return list(found.items())


def _split_index_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) == 3 and isinstance(args[1].type, IntegerType):
        return text_rule([STRING, INT, INT], lambda _: STRING)(args)
    return text_rule([STRING, STRING, INT], lambda _: STRING)(args)


def _split_index(text: str, separator: str | int, index: int) -> str | None:
    if isinstance(separator, int):
        separator = chr(separator) if 0 < separator < 256 else ""
        if not separator:
            return None
    if not text:
        return None
    parts = text.split(separator) if separator else re.split(r"\s", text)
    return parts[index] if 0 <= index < len(parts) else None


def _split(inputs: Inputs) -> pa.Array:
    separator, index = constant(inputs, 1), constant(inputs, 2)
    if not separator or isinstance(separator, int) or index is None or index < 0:
        return each(inputs, _split_index, pa.string())
    from fluxcore.expr.functions import string_kernels as kernels  # compiled code is loaded only to run

    text = inputs.array(0)
    offsets, data = text_buffers(text)
    starts, lengths = np.empty(len(text), np.int64), np.empty(len(text), np.int32)
    size = kernels.find_part(offsets, data, np.frombuffer(separator.encode(), np.uint8), index, starts, lengths)
    if text.null_count:
        lengths[text.is_null().to_numpy(zero_copy_only=False)] = -1
    ends, out = np.empty(len(text) + 1, np.int32), np.empty(size, np.uint8)
    kernels.copy_parts(data, starts, lengths, ends, out)
    missing = lengths < 0
    mask = pa.array(~missing).buffers()[1] if missing.any() else None
    return pa.Array.from_buffers(pa.string(), len(text), [mask, pa.py_buffer(ends), pa.py_buffer(out)])


register(Function("SPLIT", "Text", _rule((2,), _TEXTS, "a STRING and a separator"),
                  lambda i: each(i, _parts, pa.list_(pa.string())), "The parts of text between separators.",
                  ("CARDINALITY(SPLIT('a,b', ','))", "2")))  # fmt: skip
register(Function("STR_TO_MAP", "Text", _rule((1, 3), _MAP, "a STRING and, if wanted, what stands between pairs and inside them"),
                  lambda i: each(i, _str_to_map, pa.map_(pa.string(), pa.string())),
                  "A map from text such as `a=1,b=2`; both separators are regular expressions.",
                  ("STR_TO_MAP('a=1,b=2')['b']", "2"), total=False))  # fmt: skip
register(Function("SPLIT_INDEX", "Text", _split_index_rule, _split, "The part at a place (from 0) of text cut at a separator.",
                  ("SPLIT_INDEX('a/b/c', '/', 1)", "b")))  # fmt: skip
