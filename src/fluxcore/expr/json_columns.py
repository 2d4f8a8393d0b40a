"""Columns of JSON text parsed once, however many paths are read from them, and what paths find in them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.expr.json_paths import path_of
from fluxcore.expr.json_text import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fluxcore.expr.registry import Inputs


@dataclass(frozen=True, slots=True)
class Broken:
    """A text that is no JSON."""

    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a path found: a value, or the ``error`` for which there is none."""

    value: Any = None
    lax: bool = False
    error: str = ""


class _Last(threading.local):
    """The column that this thread parsed last, so that several calls over one column parse it once."""

    texts: pa.Array | None = None
    values: list[Any] | None = None


_last = _Last()


def documents(texts: pa.Array) -> list[Any]:
    """Return each text's JSON value, ``Broken`` where it is none; None stands for NULL and for JSON's null: see ``texts``."""
    if _last.texts is not None and _last.values is not None and _is_same(texts, _last.texts):
        return _last.values
    if len(texts) > 1 and len(encoded := texts.dictionary_encode().dictionary) * 2 < len(texts):
        known = {text: _parsed(text) for text in encoded.to_pylist()}
        values = [known.get(text) for text in texts.to_pylist()]
    else:
        values = [_parsed(text) for text in texts.to_pylist()]
    _last.texts, _last.values = texts, values
    return values


def _is_same(left: pa.Array, right: pa.Array) -> bool:
    same = len(left) == len(right) and left.offset == right.offset and left.type == right.type
    return same and [_address(each) for each in left.buffers()] == [_address(each) for each in right.buffers()]


def _address(buffer: pa.Buffer | None) -> int:
    return 0 if buffer is None else buffer.address


def _parsed(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        return Broken(str(error))


def found_in(inputs: Inputs) -> Iterator[Found | None]:
    """Yield what the path of each row (the second argument) finds in its JSON text (the first); None where one is NULL."""
    texts = inputs.array(0)
    values = documents(texts)
    valid = texts.is_valid().to_pylist()
    path = inputs.values[1]
    if isinstance(path, pa.Scalar):
        read = _reader(path.as_py())
        for value, known in zip(values, valid, strict=True):
            yield read(value) if known else None
        return
    for value, known, text in zip(values, valid, path.to_pylist(), strict=True):
        yield _reader(text)(value) if known and text is not None else None


def _reader(text: str | None) -> Callable[[Any], Found | None]:
    if text is None:
        return lambda _: None
    try:
        path = path_of(text)
    except ValueError as error:
        reason = f"'{text}' is no JSON path: {error}"
        return lambda _: Found(error=reason)
    lax = path.lax

    def read(value: Any) -> Found:
        if isinstance(value, Broken):
            return Found(lax=True) if lax else Found(error=f"this is no JSON: {value.why}")
        try:
            return Found(path.read(value), lax)
        except ValueError as error:
            return Found(error=str(error))

    return read


def is_scalar(value: Any) -> bool:
    """Return whether a JSON value is neither an object nor an array."""
    return not isinstance(value, dict | list)
