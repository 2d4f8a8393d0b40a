"""Text. Positions count from 1; lengths count characters."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.hashing import text_buffers
from fluxcore.core.types import BOOLEAN, INT, STRING, BytesType, DataType, NullType, StringType
from fluxcore.errors import DataError
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import any_null, takes, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str


def _texts(args: Sequence[Expr]) -> Resolved:
    if not args or not all(isinstance(arg.type, StringType | NullType) for arg in args):
        return "STRING values"
    return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args], STRING.with_nullable(
        any_null(args)
    )


def _add(name: str,  # noqa: PLR0913
         kinds: Sequence[DataType], result: DataType, kernel: Callable[[Inputs], Any], text: str,
         example: tuple[str, str], *aliases: str, optional: int = 0, total: bool = True) -> None:  # fmt: skip
    register(
        Function(name, "Text", takes(*kinds, result=result, optional=optional), kernel, text, example, total=total),
        *aliases,
    )


def each(inputs: Inputs, compute: Callable[..., Any], wanted: pa.DataType) -> pa.Array:
    """Compute row by row in Python, NULL where any argument is; for functions that no kernel offers."""
    columns = [inputs.array(index).to_pylist() for index in range(len(inputs.values))]
    return pa.array([None if None in row else compute(*row) for row in zip(*columns, strict=True)], wanted)


def _constant(inputs: Inputs, index: int) -> Any:
    """Return an argument's value if it is a constant that is not NULL, else None."""
    value = inputs.values[index] if index < len(inputs.values) else None
    return value.as_py() if isinstance(value, pa.Scalar) else None


def _substring(inputs: Inputs) -> pa.Array:
    start, length = _constant(inputs, 1), _constant(inputs, 2)
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


def _like_rule(args: Sequence[Expr]) -> Resolved:
    if not 2 <= len(args) <= 3 or not all(isinstance(arg.type, StringType | NullType) for arg in args):
        return "a STRING, a pattern and, if wanted, an escape character"
    return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args], BOOLEAN.with_nullable(
        any_null(args)
    )


@cache
def like_pattern(pattern: str, escape: str = "") -> str:
    """Return the regular expression of a LIKE pattern. Raises ``DataError`` for a dangling escape."""
    parts, position = [], 0
    while position < len(pattern):
        letter = pattern[position]
        if escape and letter == escape:
            position += 1
            if position == len(pattern) or pattern[position] not in ("%", "_", escape):
                raise DataError("FX-RUN-0103", f"the LIKE pattern '{pattern}' escapes nothing")
            parts.append(re.escape(pattern[position]))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
        position += 1
    return "(?s)^" + "".join(parts) + "$"


def _like(inputs: Inputs) -> pa.Array:
    pattern = _constant(inputs, 1)
    escape = _constant(inputs, 2) or ""
    text = inputs.array(0)
    if pattern is None or not isinstance(inputs.values[1], pa.Scalar):
        return each(inputs, lambda t, p, e="": re.search(like_pattern(p, e), t) is not None, pa.bool_())
    plain = pattern.strip("%")
    if not escape and "%" not in plain and "_" not in plain and plain:
        before, after = pattern.startswith("%"), pattern.endswith("%")
        if before and after:
            return pc.match_substring(text, plain)
        if after:
            return pc.starts_with(text, plain)
        return pc.ends_with(text, plain) if before else pc.equal(text, plain)
    return pc.match_substring_regex(text, like_pattern(pattern, escape))


_JAVA_ONLY = re.compile(r"\(\?[=!<>]|\\[1-9]|[+*?}]\+")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise DataError("FX-RUN-0104", f"'{pattern}' is no regular expression: {error}") from error


def _regexp(inputs: Inputs) -> pa.Array:
    pattern = _constant(inputs, 1)
    if pattern is not None and not _JAVA_ONLY.search(pattern):
        return pc.match_substring_regex(inputs.array(0), pattern)
    return each(inputs, lambda text, p: _compiled(p).search(text) is not None, pa.bool_())


def _extract(inputs: Inputs) -> pa.Array:
    pattern, group = _constant(inputs, 1), _constant(inputs, 2) if len(inputs.values) == 3 else 0
    if pattern is not None and group is not None and not _JAVA_ONLY.search(pattern):
        found = _compiled(pattern)
        if found.groups < group:
            raise DataError("FX-RUN-0104", f"'{pattern}' has no group {group}")
        names = iter(range(found.groups + 1))
        next(names)
        if not found.groupindex:
            named = (
                re.sub(r"(?<!\\)\((?!\?)", lambda _: f"(?P<g{next(names)}>", pattern) if "[(" not in pattern else None
            )
            if named is not None:
                whole = f"(?P<g0>{named})"
                return pc.struct_field(pc.extract_regex(inputs.array(0), whole), f"g{group}")
    return each(inputs, _extract_one, pa.string())


def _extract_one(text: str, pattern: str, group: int = 0) -> str | None:
    found = _compiled(pattern).search(text)
    return found[group] if found else None


def _split_index(text: str, separator: str, index: int) -> str | None:
    if not text:
        return None
    parts = text.split(separator) if separator else re.split(r"\s", text)
    return parts[index] if 0 <= index < len(parts) else None


def _split(inputs: Inputs) -> pa.Array:
    separator, index = _constant(inputs, 1), _constant(inputs, 2)
    if not separator or index is None or index < 0:
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
        letters = " " if len(inputs.values) == 1 else _constant(inputs, 1)
        if letters is not None:
            return kernel(inputs.array(0), characters=letters) if letters else inputs.array(0)
        strip = {"both": str.strip, "left": str.lstrip, "right": str.rstrip}[side]
        return each(inputs, strip, pa.string())

    return compute


def _pad(text: str, length: int, pad: str, *, left: bool) -> str | None:
    if length < 0 or not pad:
        return None
    fill = (pad * length)[: max(0, length - len(text))]
    return (fill + text if left else text + fill) if length >= len(text) else text[:length]


def _replace(inputs: Inputs) -> pa.Array:
    part, new = _constant(inputs, 1), _constant(inputs, 2)
    if part and new is not None:
        return pc.replace_substring(inputs.array(0), part, new)
    return each(inputs, str.replace, pa.string())  # an empty part stands around each character, as in Java


_ASCII_WORD = re.compile("[0-9A-Za-z]+")


def _initcap(text: str) -> str:
    return _ASCII_WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


def _bytes_or_text(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, StringType | BytesType | NullType):
        return "one STRING or BYTES"
    return args, STRING.with_nullable(args[0].type.nullable)


def _hash(name: str) -> None:
    import hashlib

    def digest(value: str | bytes) -> str:
        data = value.encode() if isinstance(value, str) else value
        return hashlib.new(name.lower(), data, usedforsecurity=False).hexdigest()

    text = f"The {name} hash in hexadecimal."
    register(Function(name, "Hash", _bytes_or_text, lambda inputs: each(inputs, digest, pa.string()), text))


def _base64(value: str | bytes) -> str:
    import base64

    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


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
    Function("||", "Text", _texts, _concat, "Texts put together; NULL if any is NULL.", ("'a' || 'b'", "ab")), "CONCAT"
)
register(Function("CONCAT_WS", "Text", _texts, _concat_ws, "Texts put together with a separator, NULLs left out.",
                  ("CONCAT_WS('-', 'a', 'b')", "a-b")))  # fmt: skip
register(Function("LIKE", "Text", _like_rule, _like, "Whether text matches a pattern of % and _.", ("'abc' LIKE 'a%'", "TRUE"),
                  total=False))  # fmt: skip
_add(
    "UPPER",
    [_S],
    _S,
    lambda i: _cased(i.array(0), pc.ascii_upper, str.upper),
    "Text in capitals.",
    ("UPPER('ab')", "AB"),
)
_add(
    "LOWER",
    [_S],
    _S,
    lambda i: _cased(i.array(0), pc.ascii_lower, str.lower),
    "Text in small letters.",
    ("LOWER('AB')", "ab"),
)
_add("CHAR_LENGTH", [_S], _I, lambda i: pc.utf8_length(i.array(0)), "How many characters.", ("CHAR_LENGTH('añb')", "3"),
     "CHARACTER_LENGTH", "LENGTH")  # fmt: skip
_add("TRIM", [_S, _S], _S, _trim("both"), "Text without blanks, or the given characters, at its ends.", ("TRIM(' a ')", "a"),
     "BTRIM", optional=1)  # fmt: skip
_add("LTRIM", [_S, _S], _S, _trim("left"), "Text without blanks at its start.", ("LTRIM(' a')", "a"), optional=1)
_add("RTRIM", [_S, _S], _S, _trim("right"), "Text without blanks at its end.", ("RTRIM('a ')", "a"), optional=1)
_add("SUBSTRING", [_S, _I, _I], _S, _substring, "A part of text, from a position, of a length.", ("SUBSTRING('abcd', 2, 2)", "bc"),
     "SUBSTR", optional=1)  # fmt: skip
_add("LEFT", [_S, _I], _S, lambda i: each(i, lambda t, n: t[:n] if n > 0 else "", pa.string()), "The first characters.",
     ("LEFT('abc', 2)", "ab"))  # fmt: skip
_add("RIGHT", [_S, _I], _S, lambda i: each(i, lambda t, n: t[-n:] if n > 0 else "", pa.string()), "The last characters.",
     ("RIGHT('abc', 2)", "bc"))  # fmt: skip
_add("POSITION", [_S, _S], _I, lambda i: each(i, lambda part, text: text.find(part) + 1, pa.int32()),
     "Where a text stands in another, 0 if nowhere.", ("POSITION('b' IN 'abc')", "2"), "LOCATE")  # fmt: skip
_add("INSTR", [_S, _S], _I, lambda i: each(i, lambda text, part: text.find(part) + 1, pa.int32()),
     "Where the second text stands in the first, 0 if nowhere.", ("INSTR('abc', 'b')", "2"))  # fmt: skip
_add("REPLACE", [_S, _S, _S], _S, _replace,
     "Text with each occurrence of a part replaced.", ("REPLACE('aab', 'a', 'x')", "xxb"))  # fmt: skip
_add("REPEAT", [_S, _I], _S, lambda i: each(i, lambda t, n: t * max(n, 0), pa.string()), "Text several times.",
     ("REPEAT('ab', 2)", "abab"))  # fmt: skip
_add("REVERSE", [_S], _S, lambda i: pc.utf8_reverse(i.array(0)), "Text back to front.", ("REVERSE('abc')", "cba"))
_add("LPAD", [_S, _I, _S], _S, lambda i: each(i, lambda t, n, p: _pad(t, n, p, left=True), pa.string()),
     "Text filled up on the left.", ("LPAD('7', 3, '0')", "007"))  # fmt: skip
_add("RPAD", [_S, _I, _S], _S, lambda i: each(i, lambda t, n, p: _pad(t, n, p, left=False), pa.string()),
     "Text filled up on the right.", ("RPAD('7', 3, '0')", "700"))  # fmt: skip
_add(
    "INITCAP",
    [_S],
    _S,
    lambda i: each(i, _initcap, pa.string()),
    "Each word of ASCII letters and digits with a capital, its other letters small.",
    ("INITCAP('new york')", "New York"),
)
_add("REGEXP", [_S, _S], BOOLEAN, _regexp, "Whether a regular expression is found in text.", ("REGEXP('abc', 'b.')", "TRUE"),
     total=False)  # fmt: skip
_add("REGEXP_EXTRACT", [_S, _S, _I], _S, _extract, "A group of the first match, or NULL.",
     ("REGEXP_EXTRACT('a=12', '([a-z])=([0-9]+)', 2)", "12"), optional=1, total=False)  # fmt: skip
_add("REGEXP_REPLACE", [_S, _S, _S], _S,
     lambda i: each(i, lambda t, p, r: _compiled(p).sub(lambda _: r, t), pa.string()),
     "Text with each match replaced by a text, in which no sign is special.", ("REGEXP_REPLACE('abc', '[ab]', 'x')", "xxc"), total=False)  # fmt: skip
_add("SPLIT_INDEX", [_S, _S, _I], _S, _split, "The part at a place (from 0) of text cut at a separator.",
     ("SPLIT_INDEX('a/b/c', '/', 1)", "b"))  # fmt: skip
_add("ASCII", [_S], _I, lambda i: each(i, lambda t: ord(t[0]) if t else 0, pa.int32()), "The code of the first character.",
     ("ASCII('a')", "97"))  # fmt: skip
_add("TO_BASE64", [_S], _S, lambda i: each(i, _base64, pa.string()), "Text in base64.", ("TO_BASE64('ab')", "YWI="))
for _name in ("MD5", "SHA1", "SHA256"):
    _hash(_name)
