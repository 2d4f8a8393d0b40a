"""Text. Positions count from 1 and lengths count characters, but where Flink counts in Java's units (``utf16``)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BOOLEAN,
    INT,
    STRING,
    VARCHAR_MAX,
    BytesType,
    DataType,
    IntegerType,
    NullType,
    StringType,
)
from fluxcore.errors import DataError
from fluxcore.expr import utf16
from fluxcore.expr.coercion import common_type
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import constant, each
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str
    Typed = Callable[[Sequence[Expr]], DataType]

__all__ = ["each"]
_BITS_INT = 32


def text_rule(kinds: Sequence[DataType], result: Typed, *, optional: int = 0) -> Callable[[Sequence[Expr]], Resolved]:
    """Return the rule for texts and whole numbers, of which the last ``optional`` may be left out; text stays as it is."""
    wanted = "(" + ", ".join(kind.name() for kind in kinds) + ")"

    def rule(args: Sequence[Expr]) -> Resolved:
        if not len(kinds) - optional <= len(args) <= len(kinds):
            return wanted
        if not all(isinstance(arg.type, (type(kind), NullType)) for arg, kind in zip(args, kinds, strict=False)):
            return wanted
        if any(isinstance(arg.type, IntegerType) and arg.type.bits > _BITS_INT for arg in args):
            return wanted
        cast = [
            arg if isinstance(arg.type, StringType) else to(arg, kind) for arg, kind in zip(args, kinds, strict=False)
        ]
        return cast, result(cast)

    return rule


def gives(type_: DataType) -> Typed:
    """Return the result type of a function: NULL where an argument is."""
    return lambda args: type_.with_nullable(any_null(args))


def _varying(args: Sequence[Expr]) -> DataType:
    """Return the first argument's type as one of varying length."""
    type_ = args[0].type
    assert isinstance(type_, StringType)
    return replace(type_, fixed=False, nullable=any_null(args))


def _as_first(args: Sequence[Expr]) -> DataType:
    return args[0].type.with_nullable(any_null(args))


def _texts(args: Sequence[Expr]) -> Resolved:
    if not args or not all(isinstance(arg.type, StringType | NullType) for arg in args):
        return "STRING values"
    return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args], STRING.with_nullable(
        any_null(args)
    )


def _joined_rule(args: Sequence[Expr]) -> Resolved:
    found = _texts(args)
    if isinstance(found, str) or len(args) != 2:
        return "two STRING values"
    left, right = (arg.type for arg in found[0])
    assert isinstance(left, StringType)
    assert isinstance(right, StringType)
    total = min(left.length + right.length, VARCHAR_MAX)
    return found[0], StringType(length=total, fixed=left.fixed and right.fixed, nullable=any_null(args))


def _add(name: str,  # noqa: PLR0913
         kinds: Sequence[DataType], result: DataType | Typed, kernel: Callable[[Inputs], Any], text: str,
         example: tuple[str, str], *aliases: str, optional: int = 0, total: bool = True) -> None:  # fmt: skip
    typed = gives(result) if isinstance(result, DataType) else result
    register(
        Function(name, "Text", text_rule(kinds, typed, optional=optional), kernel, text, example, total=total), *aliases
    )


def _row_by_row(compute: Callable[..., Any], wanted: pa.DataType | None = None) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: each(inputs, compute, pa.string() if wanted is None else wanted)


def _substring(inputs: Inputs) -> pa.Array:
    start, length = constant(inputs, 1), constant(inputs, 2)
    if start is not None and start > 0 and (len(inputs.values) == 2 or (length is not None and length >= 0)):
        return pc.utf8_slice_codeunits(inputs.array(0), start - 1, None if length is None else start - 1 + length)
    return each(inputs, _substring_of, pa.string())


def _substring_of(text: str, start: int, length: int | None = None) -> str | None:
    if length is not None and length < 0:
        return None
    first = start - 1 if start > 0 else len(text) + start if start < 0 else 0
    if first < 0:
        return ""
    return text[first:] if length is None else text[first : first + length]


def _concat(inputs: Inputs) -> pa.Array:
    return pc.binary_join_element_wise(*[inputs.array(i) for i in range(len(inputs.values))], "")


def _concat_ws(inputs: Inputs) -> pa.Array:
    separator = inputs.array(0)
    rest = [inputs.array(index) for index in range(1, len(inputs.values))]
    if not rest:
        return pc.if_else(separator.is_valid(), "", separator)
    nothing = rest[0].is_null()
    for array in rest[1:]:
        nothing = pc.and_(nothing, array.is_null())
    rest[0] = pc.if_else(nothing, "", rest[0])  # Arrow's join leaves out rows in which all is NULL
    plain = separator.fill_null("") if separator.null_count else separator
    joined = pc.binary_join_element_wise(*rest, plain, null_handling="skip")
    return pc.if_else(separator.is_valid(), joined, pa.scalar(None, pa.string())) if separator.null_count else joined


def _trim(side: str) -> Callable[[Inputs], pa.Array]:
    kernel = {"both": pc.utf8_trim, "left": pc.utf8_ltrim, "right": pc.utf8_rtrim}[side]

    def compute(inputs: Inputs) -> pa.Array:
        letters = " " if len(inputs.values) == 1 else constant(inputs, 1)
        if letters is not None:
            return kernel(inputs.array(0), characters=letters) if letters else inputs.array(0)
        strip = {"both": str.strip, "left": str.lstrip, "right": str.rstrip}[side]
        return each(inputs, lambda text, some: strip(text, some) if some else text, pa.string())

    return compute


def _overlay(text: str, new: str, start: int, length: int | None = None) -> str:
    """Return text with a stretch replaced; a length of 0 or less drops all behind it, as Flink has it."""
    units = utf16.units(text)
    if not 0 < start <= len(units):
        return text
    count = utf16.length(new) if length is None else length
    rest = units[start - 1 + count :] if count > 0 else ""
    return utf16.text_of(units[: start - 1] + utf16.units(new) + rest)


_ASCII_WORD = re.compile("[0-9A-Za-z]+")


def _initcap(text: str) -> str:
    return _ASCII_WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


def _locate(part: str, text: str, start: int = 1) -> int:
    if start == -(2**31):  # one less is the largest number in Java
        start = 2**31
    return text.find(part, max(start - 1, 0)) + 1 if part else 1


def _instr(text: str, part: str, start: int = 1, number: int = 1) -> int:
    """Return where a part stands for the ``number``-th time from ``start`` on, counted from the end if that is negative."""
    if number <= 0:
        raise DataError("FX-RUN-0107", f"INSTR can't look for occurrence {number}", hint="they count from 1")
    if start == 0 or not part:
        return 0 if start == 0 else 1 if start > 0 else max(len(text) + start + 2, 1)
    at = start - 2 if start > 0 else len(text) + start + 1
    for _ in range(number):
        at = text.find(part, at + 1) if start > 0 else text.rfind(part, 0, max(at - 1 + len(part), 0)) if at > 0 else -1
        if at < 0:
            return 0
    return at + 1


@lru_cache(1000)
def _table(old: str, new: str) -> dict[int, str | None]:
    table: dict[int, str | None] = {}
    for place, letter in enumerate(old):
        table.setdefault(ord(letter), new[place] if place < len(new) else None)
    return table


def _translate(inputs: Inputs) -> pa.Array:
    def one(text: str | None, old: str | None, new: str | None) -> str | None:
        return text if text is None or not old else text.translate(_table(old, new or ""))

    columns = [inputs.array(index).to_pylist() for index in range(3)]
    return pa.array([one(*row) for row in zip(*columns, strict=True)], pa.string())


def _chr_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, IntegerType | NullType):
        return "a whole number"
    return [to(args[0], INT) if isinstance(args[0].type, NullType) else args[0]], STRING


def _ascii(text: str) -> int:
    """Return the first byte of text in UTF-8 as Java's signed byte."""
    first = text[:1].encode()
    return (first[0] ^ 128) - 128 if first else 0


def _ends_rule(args: Sequence[Expr]) -> Resolved:
    for kind in (StringType, BytesType):
        if len(args) == 2 and all(isinstance(arg.type, kind | NullType) for arg in args):
            other = next((arg.type for arg in args if not isinstance(arg.type, NullType)), STRING)
            return [to(arg, other) if isinstance(arg.type, NullType) else arg for arg in args], BOOLEAN
    return "two STRING, or two BYTES"


def _at_end(kernel: Callable[..., pa.Array], method: str) -> Callable[[Inputs], pa.Array]:
    def compute(inputs: Inputs) -> pa.Array:
        part = constant(inputs, 1)
        if part is not None:
            return kernel(inputs.array(0), part)
        return each(inputs, lambda text, end: getattr(text, method)(end), pa.bool_())

    return compute


def _elt_rule(args: Sequence[Expr]) -> Resolved:
    wanted = "a whole number and STRING values, or BYTES values"
    if len(args) < 2 or not isinstance(args[0].type, IntegerType | NullType):
        return wanted
    found = common_type([arg.type for arg in args[1:]])
    if not isinstance(found, StringType | BytesType | NullType):
        return wanted
    type_ = STRING if isinstance(found, NullType) else replace(found, nullable=True, fixed=False)
    values = [to(arg, type_) if isinstance(arg.type, NullType) else arg for arg in args[1:]]
    return [to(args[0], INT) if isinstance(args[0].type, NullType) else args[0], *values], type_


def _elt(inputs: Inputs) -> pa.Array:
    places = inputs.array(0)
    found: Any = pa.nulls(inputs.rows, inputs.result.arrow())
    for number in range(1, len(inputs.values)):
        chosen = pc.fill_null(pc.equal(places, pa.scalar(number).cast(places.type)), False)
        found = pc.if_else(chosen, inputs.array(number), found)
    return found


def _cased(array: pa.Array, ascii_case: Callable[[pa.Array], pa.Array], full_case: Callable[[str], str]) -> pa.Array:
    """Return text in another case by Unicode's full mapping, as Java does: ß in capitals is SS, which Arrow does not know."""
    plain = pc.string_is_ascii(array)
    if pc.all(plain, min_count=0).as_py():
        return ascii_case(array)
    encoded = array.dictionary_encode()
    texts = pa.array([text and full_case(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices)


_S, _I = STRING, INT
register(
    Function("||", "Text", _joined_rule, _concat, "Two texts put together; NULL if one is NULL.", ("'a' || 'b'", "ab"))
)
register(
    Function("CONCAT", "Text", _texts, _concat, "Texts put together; NULL if any is NULL.", ("CONCAT('a', 'b')", "ab"))
)
register(Function("CONCAT_WS", "Text", _texts, _concat_ws, "Texts put together with a separator, NULLs left out.",
                  ("CONCAT_WS('-', 'a', 'b')", "a-b")))  # fmt: skip
_add("UPPER", [_S], _as_first, lambda i: _cased(i.array(0), pc.ascii_upper, str.upper), "Text in capitals.",
     ("UPPER('ab')", "AB"))  # fmt: skip
_add("LOWER", [_S], _as_first, lambda i: _cased(i.array(0), pc.ascii_lower, str.lower), "Text in small letters.",
     ("LOWER('AB')", "ab"))  # fmt: skip
_add("CHAR_LENGTH", [_S], _I, lambda i: pc.utf8_length(i.array(0)), "How many characters.", ("CHAR_LENGTH('añb')", "3"),
     "CHARACTER_LENGTH", "LENGTH")  # fmt: skip
_add("TRIM", [_S, _S], _varying, _trim("both"), "Text without blanks, or the given characters, at its ends.",
     ("TRIM(' a ')", "a"), optional=1)  # fmt: skip
_add("BTRIM", [_S, _S], _S, _trim("both"), "Text without blanks, or the second text's characters, at its ends.",
     ("BTRIM('xax', 'x')", "a"), optional=1)  # fmt: skip
_add("LTRIM", [_S, _S], _varying, _trim("left"), "Text without blanks, or the given characters, at its start.",
     ("LTRIM(' a')", "a"), optional=1)  # fmt: skip
_add("RTRIM", [_S, _S], _varying, _trim("right"), "Text without blanks, or the given characters, at its end.",
     ("RTRIM('a ')", "a"), optional=1)  # fmt: skip
_add("SUBSTRING", [_S, _I, _I], _varying, _substring, "A part of text, from a position, of a length.",
     ("SUBSTRING('abcd', 2, 2)", "bc"), "SUBSTR", optional=1)  # fmt: skip
_add("LEFT", [_S, _I], _varying, _row_by_row(lambda t, n: t[:n] if n > 0 else ""), "The first characters.",
     ("LEFT('abc', 2)", "ab"))  # fmt: skip
_add("RIGHT", [_S, _I], _varying, _row_by_row(lambda t, n: t[-n:] if n > 0 else ""), "The last characters.",
     ("RIGHT('abc', 2)", "bc"))  # fmt: skip
_add("POSITION", [_S, _S, _I], _I, _row_by_row(_locate, pa.int32()), "Where a text stands in another, 0 if nowhere.",
     ("POSITION('b' IN 'abc')", "2"), optional=1)  # fmt: skip
_add("LOCATE", [_S, _S, _I], _I, _row_by_row(_locate, pa.int32()), "Where a text stands in another from a place on, 0 if nowhere.",
     ("LOCATE('b', 'abcb', 3)", "4"), optional=1)  # fmt: skip
_add("INSTR", [_S, _S, _I, _I], _I, _row_by_row(_instr, pa.int32()),
     "Where the second text stands in the first, 0 if nowhere; from a place on, negative from the end, for the so manieth time.",
     ("INSTR('abcb', 'b', -1)", "4"), optional=2, total=False)  # fmt: skip
_add("OVERLAY", [_S, _S, _I, _I], _S, _row_by_row(_overlay), "Text with a stretch replaced, as long as the new text or as told.",
     ("OVERLAY('abcd' PLACING 'XY' FROM 2)", "aXYd"), optional=1)  # fmt: skip
_add("REVERSE", [_S], _S, lambda i: pc.utf8_reverse(i.array(0)), "Text back to front.", ("REVERSE('abc')", "cba"))
_add("INITCAP", [_S], _as_first, _row_by_row(_initcap),
     "Each word of ASCII letters and digits with a capital, its other letters small.", ("INITCAP('new york')", "New York"))  # fmt: skip
_add("TRANSLATE", [_S, _S, _S], lambda _: STRING, _translate, "Text with each of some characters replaced by another, or left out.",
     ("TRANSLATE('abc', 'ab', 'x')", "xc"), "TRANSLATE3")  # fmt: skip
_add(
    "ASCII",
    [_S],
    _I,
    _row_by_row(_ascii, pa.int32()),
    "The first byte, in UTF-8, from -128 to 127.",
    ("ASCII('a')", "97"),
)
register(Function("CHR", "Text", _chr_rule, _row_by_row(lambda n: "" if n < 0 else chr(n % 256)),
                  "The character of a code from 0 to 255.", ("CHR(97)", "a")))  # fmt: skip
register(Function("STARTSWITH", "Text", _ends_rule, _at_end(pc.starts_with, "startswith"), "Whether text or bytes begin with others.",
                  ("STARTSWITH('abc', 'ab')", "TRUE")))  # fmt: skip
register(Function("ENDSWITH", "Text", _ends_rule, _at_end(pc.ends_with, "endswith"), "Whether text or bytes end with others.",
                  ("ENDSWITH('abc', 'bc')", "TRUE")))  # fmt: skip
register(
    Function(
        "ELT",
        "Text",
        _elt_rule,
        _elt,
        "The text or bytes at a place, from 1, of those that follow.",
        ("ELT(2, 'a', 'b')", "b"),
    )
)
