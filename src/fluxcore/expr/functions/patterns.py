"""LIKE, SIMILAR TO and Java's regular expressions over text."""

from __future__ import annotations

import contextlib
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import BOOLEAN, INT, STRING, ArrayType, IntegerType, NullType, StringType
from fluxcore.errors import DataError, ScriptError
from fluxcore.expr.java_regex import BadPattern, JavaPattern, java_regex
from fluxcore.expr.made_text import MadeText
from fluxcore.expr.nodes import Literal
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import constant, each
from fluxcore.expr.rules import any_null, to
from fluxcore.limits import MADE_TEXT_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_PATTERNS_MAX = 1000
_SIMILAR_SPECIAL = "[]()|^-+*_%?{}"
_JAVA_SPECIAL = "[]()|^-+*?{}$\\."
_SIMILAR_CLASSES = {"ALPHA": r"\p{Alpha}", "UPPER": r"\p{Upper}", "LOWER": r"\p{Lower}", "DIGIT": r"\d", "SPACE": " ",
                    "WHITESPACE": r"\s", "ALNUM": r"\p{Alnum}"}  # fmt: skip


def _pattern_rule(kind: str) -> Callable[[Sequence[Expr]], Resolved]:
    read = {"LIKE": like_pattern, "SIMILAR TO": similar_pattern}[kind]

    def rule(args: Sequence[Expr]) -> Resolved:
        if not 2 <= len(args) <= 3 or not all(isinstance(arg.type, StringType | NullType) for arg in args):
            return "a STRING, a pattern and, if wanted, an escape character"
        known = [arg.value for arg in args[1:] if isinstance(arg, Literal) and isinstance(arg.value, str)]
        if len(known) == len(args) - 1 and kind == "LIKE":
            try:
                read(*known)
            except DataError as error:
                raise ScriptError("FX-SQL-0315", error.message, span=args[1].span) from error
        texts = [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args]
        return texts, BOOLEAN.with_nullable(any_null(args))

    return rule


def _escape_of(escape: str) -> str:
    if len(escape) > 1:
        raise DataError("FX-RUN-0103", f"'{escape}' is no escape character", hint="it is a single character")
    return escape


@lru_cache(_PATTERNS_MAX)
def like_pattern(pattern: str, escape: str = "") -> re.Pattern[str]:
    """Return the regular expression of a LIKE pattern; ``_`` is any character but a line's end, as in Flink.

    Raises: ``DataError`` FX-RUN-0103 for an escape that escapes nothing.
    """
    mark, parts, position = _escape_of(escape), [], 0
    while position < len(pattern):
        letter = pattern[position]
        if mark and letter == mark:
            position += 1
            if position == len(pattern) or pattern[position] not in ("%", "_", mark):
                raise DataError("FX-RUN-0103", f"the pattern '{pattern}' escapes nothing")
            parts.append(re.escape(pattern[position]))
        else:
            parts.append({"%": "(?s:.*)", "_": "[^\n\r\x85\u2028\u2029]"}.get(letter, re.escape(letter)))
        position += 1
    return re.compile("".join(parts))


def _like(inputs: Inputs) -> pa.Array:
    pattern, escape = constant(inputs, 1), constant(inputs, 2) or ""
    plain = None if pattern is None or (len(inputs.values) > 2 and escape) else pattern.strip("%")
    if plain and "%" not in plain and "_" not in plain:
        assert pattern is not None
        before, after, text = pattern.startswith("%"), pattern.endswith("%"), inputs.array(0)
        if before and after:
            return pc.match_substring(text, plain)
        if after:
            return pc.starts_with(text, plain)
        return pc.ends_with(text, plain) if before else pc.equal(text, plain)
    if plain is not None and "_" not in plain:  # texts one behind the other, with anything between
        parts = [re.escape(part) for part in pattern.split("%")]
        return pc.match_substring_regex(inputs.array(0), "(?s)\\A" + ".*".join(parts) + "\\z")
    return each(inputs, lambda t, p, e="": like_pattern(p, e).fullmatch(t) is not None, pa.bool_())


@lru_cache(_PATTERNS_MAX)
def similar_pattern(pattern: str, escape: str = "") -> re.Pattern[str]:
    """Return the regular expression of a SIMILAR TO pattern: Java's, in which ``%`` and ``_`` stand for text.

    Raises: ``DataError`` FX-RUN-0103 for an escape that escapes nothing, FX-RUN-0104 for what is no expression.
    """
    mark, parts, position = _escape_of(escape), [], 0
    while position < len(pattern):
        letter = pattern[position]
        if mark and letter == mark:
            parts.append(_escaped(pattern, position, mark))
            position += 1
        elif letter == "[":
            inside, position = _similar_class(pattern, position + 1, mark)
            parts.append(f"[{inside}]")
        elif letter == "]":
            raise DataError("FX-RUN-0104", f"'{pattern}' is no regular expression: a ']' closes nothing")
        else:
            parts.append({"%": "(?s:.*)", "_": ".", "\\": "\\\\", "$": "\\$"}.get(letter, letter))
        position += 1
    try:
        return java_regex("".join(parts)).python
    except BadPattern as error:
        raise DataError("FX-RUN-0104", f"'{pattern}' is no regular expression: {error}") from error


def _escaped(pattern: str, position: int, mark: str) -> str:
    letter = pattern[position + 1 : position + 2]
    if not letter or letter not in _SIMILAR_SPECIAL + mark:
        raise DataError("FX-RUN-0103", f"the pattern '{pattern}' escapes nothing")
    return "\\" + letter if letter in _JAVA_SPECIAL else letter


def _similar_class(pattern: str, position: int, mark: str) -> tuple[str, int]:
    """Return what stands between the brackets of a class, and the place of its ``]``."""
    found = ""
    while position < len(pattern) and pattern[position] != "]":
        letter = pattern[position]
        if mark and letter == mark:
            found += _escaped(pattern, position, mark)
            position += 1
        elif pattern.startswith("[:", position):
            end = pattern.find(":]", position)
            name = pattern[position + 2 : end] if end > 0 else ""
            if name not in _SIMILAR_CLASSES and name.upper() not in _SIMILAR_CLASSES:
                break
            found += _SIMILAR_CLASSES[name.upper()]
            position = end + 1
        elif letter in "-^":
            found += letter
        elif letter in _SIMILAR_SPECIAL:
            break
        else:
            found += letter
        position += 1
    if position >= len(pattern) or pattern[position] != "]":
        raise DataError("FX-RUN-0104", f"'{pattern}' is no regular expression: what stands in [] can't")
    return found, position


def _similar(inputs: Inputs) -> pa.Array:
    return each(inputs, lambda t, p, e="": similar_pattern(p, e).fullmatch(t) is not None, pa.bool_())


@cache
def compiled(pattern: str) -> JavaPattern | None:
    """Return a compiled pattern, or None for one that is no regular expression."""
    try:
        return java_regex(pattern)
    except BadPattern:
        return None


_LINE_ENDS = "[\\n\\r\\x{85}\\x{2028}\\x{2029}]"


def _fast(inputs: Inputs) -> tuple[JavaPattern, str] | None:
    """Return the constant pattern and its form for Arrow's kernels, where these give the same for the texts at hand."""
    pattern = constant(inputs, 1)
    found = None if pattern is None else compiled(pattern)
    if found is None or found.re2 is None:
        return None
    text = inputs.array(0)
    if "ascii" in found.plain_only and not pc.all(pc.string_is_ascii(text), min_count=0).as_py():
        return None
    if "lines" in found.plain_only and pc.any(pc.match_substring_regex(text, _LINE_ENDS)).as_py():
        return None
    return found, found.re2


def _regexp(inputs: Inputs) -> pa.Array:
    fast = _fast(inputs)
    if fast and constant(inputs, 1):
        try:
            return pc.match_substring_regex(inputs.array(0), fast[1])
        except pa.ArrowInvalid:  # more than that library takes
            return each(inputs, _found, pa.bool_())
    return each(inputs, _found, pa.bool_())


def _found(text: str, pattern: str) -> bool:
    found = compiled(pattern) if pattern else None
    return found is not None and found.python.search(text) is not None


def _extract(inputs: Inputs) -> pa.Array:
    fast, group = _fast(inputs), constant(inputs, 2) if len(inputs.values) == 3 else 0
    if fast and group is not None and 0 <= group <= fast[0].groups:
        try:
            return _extract_fast(inputs.array(0), fast[0], group)
        except pa.ArrowInvalid:
            return each(inputs, _extract_one, pa.string())
    return each(inputs, _extract_one, pa.string())


def _extract_fast(text: pa.Array, pattern: JavaPattern, group: int) -> pa.Array:
    named, number = "", 0
    assert pattern.re2 is not None
    for piece in re.split(r"(\\.|\((?!\?)|\[(?:\\.|[^\]\\])*\])", pattern.re2):
        if piece == "(":
            number += 1
            named += f"(?P<g{number}>"
        else:
            named += piece
    whole = pc.extract_regex(text, f"(?P<g0>{named})")
    found = pc.struct_field(whole, f"g{group}")
    if group and pattern.optional:  # Arrow tells a group that took no part as an empty text
        raise pa.ArrowInvalid("a group that may take no part")
    return found


def _extract_one(text: str, pattern: str, group: int = 0) -> str | None:
    regex = compiled(pattern)
    found = regex.python.search(text) if regex is not None else None
    return found[group] if found is not None and 0 <= group <= found.re.groups else None


def _replace(inputs: Inputs) -> pa.Array:
    found = _replaced(inputs)
    if not inputs.result.nullable and found.null_count:
        raise DataError(
            "FX-RUN-0104", f"'{inputs.array(1)[0]}' is no regular expression", hint="text that may be NULL gives NULL"
        )
    return found


def _replaced(inputs: Inputs) -> pa.Array:
    fast, new = _fast(inputs), constant(inputs, 2)
    short = new is not None and len(new) * inputs.array(0).nbytes <= MADE_TEXT_CHARACTERS_MAX
    if fast and short and not fast[0].may_be_empty:
        with contextlib.suppress(pa.ArrowInvalid):
            return pc.replace_substring_regex(inputs.array(0), fast[1], new.replace("\\", "\\\\"))
    made = MadeText("REGEXP_REPLACE")

    def one(text: str, pattern: str, new: str) -> str | None:
        regex = compiled(pattern)
        if regex is None:
            return None
        if len(new) * (len(text) + 1) + len(text) > MADE_TEXT_CHARACTERS_MAX:  # only then the places are counted
            made.add(len(text) + len(new) * sum(1 for _ in regex.python.finditer(text)))
        found = regex.python.sub(lambda _: new, text)
        made.add(len(found))
        return found

    return each(inputs, one, pa.string())


def _count(text: str, pattern: str) -> int | None:
    regex = compiled(pattern)
    return None if regex is None else sum(1 for _ in regex.python.finditer(text))


def _extract_all(text: str, pattern: str, group: int = 1) -> list[str | None] | None:
    regex = compiled(pattern)
    if regex is None or not 0 <= group <= regex.groups:
        return None
    return [found[group] for found in regex.python.finditer(text)]


def _instr(text: str, pattern: str) -> int | None:
    regex = compiled(pattern)
    found = regex.python.search(text) if regex is not None else None
    if found is None:
        return None if regex is None else 0
    return (
        found.start() + sum(letter > "\uffff" for letter in text[: found.start()]) + 1
    )  # Java counts in units of UTF-16


def _substr(text: str, pattern: str) -> str | None:
    return _extract_one(text, pattern)


def _rule(wanted: str, result: DataType, *kinds: type, strict: bool = False) -> Callable[[Sequence[Expr]], Resolved]:
    """Return the rule for a text, a pattern and then ``kinds``, of which a number may be left out.

    The result may be NULL, unless the function is ``strict``: then where an argument may be.
    """

    def rule(args: Sequence[Expr]) -> Resolved:
        types = (StringType, StringType, *kinds)
        fits = all(isinstance(arg.type, (kind, NullType)) for arg, kind in zip(args, types, strict=False))
        if not fits or not len(types) - (IntegerType in kinds) <= len(args) <= len(types):
            return wanted
        cast = [
            to(arg, INT if kind is IntegerType else STRING) if isinstance(arg.type, NullType) else arg
            for arg, kind in zip(args, types, strict=False)
        ]
        return cast, result.with_nullable(not strict or any_null(args))

    return rule


def _add(name: str, rule: Any, kernel: Callable[[Inputs], Any], text: str, example: tuple[str, str]) -> None:
    register(Function(name, "Text", rule, kernel, text, example, total=False))


_TWO = "a STRING and a regular expression"
_add("LIKE", _pattern_rule("LIKE"), _like, "Whether text matches a pattern of % and _.", ("'abc' LIKE 'a%'", "TRUE"))
_add("SIMILAR TO", _pattern_rule("SIMILAR TO"), _similar, "Whether text matches a regular expression with % and _.",
     ("'abc' SIMILAR TO '(a|b)%'", "TRUE"))  # fmt: skip
_add(
    "REGEXP",
    _rule(_TWO, BOOLEAN, strict=True),
    _regexp,
    "Whether a regular expression is found in text.",
    ("REGEXP('abc', 'b.')", "TRUE"),
)
_add("REGEXP_COUNT", _rule(_TWO, INT), lambda i: each(i, _count, pa.int32()), "How often a regular expression is found.",
     ("REGEXP_COUNT('banana', 'an')", "2"))  # fmt: skip
_add("REGEXP_EXTRACT", _rule(f"{_TWO} and, if wanted, a group's number", STRING, IntegerType), _extract,
     "A group of the first match, or NULL.", ("REGEXP_EXTRACT('a=12', '([a-z])=([0-9]+)', 2)", "12"))  # fmt: skip
_add("REGEXP_EXTRACT_ALL", _rule(f"{_TWO} and, if wanted, a group's number", ArrayType(element=STRING), IntegerType),
     lambda i: each(i, _extract_all, pa.list_(pa.string())), "A group of each match, the first where none is given.",
     ("REGEXP_EXTRACT_ALL('a1b2', '([a-z])', 1)", "[a, b]"))  # fmt: skip
_add("REGEXP_INSTR", _rule(_TWO, INT), lambda i: each(i, _instr, pa.int32()), "Where the first match begins, 0 without one.",
     ("REGEXP_INSTR('abc', 'b')", "2"))  # fmt: skip
_add("REGEXP_REPLACE", _rule("a STRING, a regular expression and a STRING", STRING, StringType, strict=True), _replace,
     "Text with each match replaced by a text, in which no sign is special.", ("REGEXP_REPLACE('abc', '[ab]', 'x')", "xxc"))  # fmt: skip
_add("REGEXP_SUBSTR", _rule(_TWO, STRING), lambda i: each(i, _substr, pa.string()), "The first match, or NULL.",
     ("REGEXP_SUBSTR('abc', 'b.')", "bc"))  # fmt: skip
