"""Functions whose text may be far longer than what it is made of: each counts it before it makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import INT, STRING
from fluxcore.expr import utf16
from fluxcore.expr.functions.strings import gives, text_rule
from fluxcore.expr.made_text import MadeText, check_batch
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import constant, each
from fluxcore.limits import MADE_TEXT_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable


def _counted(
    name: str, compute: Callable[..., str | None], characters: Callable[..., int]
) -> Callable[[Inputs], pa.Array]:
    """Return the kernel that computes row by row, after ``characters`` has told how long the text will be at most."""

    def kernel(inputs: Inputs) -> pa.Array:
        made = MadeText(name)

        def one(*args: Any) -> str | None:
            made.add(characters(*args))
            return compute(*args)

        return each(inputs, one, pa.string())

    return kernel


def _padded(text: str, length: int, pad: str, *, left: bool) -> str | None:
    if length < 0 or not pad:
        return None
    units, fill = utf16.units(text), utf16.units(pad)
    missing = length - len(units)
    if missing <= 0:
        return utf16.text_of(units[:length])
    padding = (fill * (missing // len(fill) + 1))[:missing]
    return utf16.text_of(padding + units if left else units + padding)


def _padded_length(text: str, length: int, pad: str) -> int:  # noqa: ARG001
    return length if pad else 0


def _replace(inputs: Inputs) -> pa.Array:
    part, new = constant(inputs, 1), constant(inputs, 2)
    if not part or new is None:
        return _replaced(inputs)
    texts, more = inputs.array(0), max(len(new) - len(part), 0)
    if more * texts.nbytes > MADE_TEXT_CHARACTERS_MAX:  # it may be too long: only then the places are counted
        lengths = pc.add(
            pc.utf8_length(texts), pc.multiply(pc.count_substring(texts, part), pa.scalar(more, pa.int64()))
        )
        made = MadeText("REPLACE")
        made.add(pc.max(lengths).as_py() or 0)
        check_batch("REPLACE", pc.sum(lengths).as_py() or 0)
    return pc.replace_substring(texts, part, new)


def _replaced_length(text: str, part: str, new: str) -> int:
    places = text.count(part) if part else utf16.length(text) + 1
    return len(text) + places * max(len(new) - len(part), 0)


def _replace_one(text: str, part: str, new: str) -> str:
    """Replace a part; an empty one stands around each of Java's units."""
    return text.replace(part, new) if part else utf16.text_of(utf16.units(text).replace("", utf16.units(new)))


_replaced = _counted("REPLACE", _replace_one, _replaced_length)


def _add(name: str, counts: tuple[Any, ...], kernel: Callable[[Inputs], pa.Array], text: str, example: tuple[str, str]) -> None:  # fmt: skip
    result = (lambda _: STRING) if name.endswith("PAD") else gives(STRING)
    register(Function(name, "Text", text_rule(counts, result), kernel, text, example, total=False))


_add("REPLACE", (STRING, STRING, STRING), _replace, "Text with each occurrence of a part replaced.",
     ("REPLACE('aab', 'a', 'x')", "xxb"))  # fmt: skip
_add("REPEAT", (STRING, INT), _counted("REPEAT", lambda t, n: t * max(n, 0), lambda t, n: len(t) * max(n, 0)),
     "Text several times.", ("REPEAT('ab', 2)", "abab"))  # fmt: skip
_add("LPAD", (STRING, INT, STRING), _counted("LPAD", lambda t, n, p: _padded(t, n, p, left=True), _padded_length),
     "Text filled up on the left.", ("LPAD('7', 3, '0')", "007"))  # fmt: skip
_add("RPAD", (STRING, INT, STRING), _counted("RPAD", lambda t, n, p: _padded(t, n, p, left=False), _padded_length),
     "Text filled up on the right.", ("RPAD('7', 3, '0')", "700"))  # fmt: skip
