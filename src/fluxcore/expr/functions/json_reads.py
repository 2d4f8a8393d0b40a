"""Functions that read JSON text: IS JSON, JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_QUOTE, JSON_UNQUOTE.

JSON_VALUE is called with the text, the path, a NULL of the wanted type, and what to give where nothing is found and where that
can't be told: each a word (NULL, ERROR, DEFAULT) and a value. JSON_QUERY has words only, the wrapper's first.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.types import (
    BOOLEAN,
    STRING,
    ArrayType,
    BooleanType,
    DataType,
    IntegerType,
    NullType,
    StringType,
    same,
)
from fluxcore.errors import DataError
from fluxcore.expr.coercion import can_cast
from fluxcore.expr.functions.strings import each
from fluxcore.expr.json_columns import Broken, Found, documents, found_in, is_scalar
from fluxcore.expr.json_text import parse, storable, write
from fluxcore.expr.nodes import Cast, Expr, Literal
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolved = tuple[Sequence[Expr], DataType] | str

_KINDS: dict[str, Callable[[Any], bool]] = {
    "VALUE": lambda _: True,
    "OBJECT": lambda value: isinstance(value, dict),
    "ARRAY": lambda value: isinstance(value, list),
    "SCALAR": is_scalar,
}


def word(text: str) -> Literal:
    """Return a constant that is one of a function's words."""
    return Literal(type=StringType(length=max(1, len(text)), fixed=True, nullable=False), value=text)


def _text_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, StringType | NullType):
        return "a STRING"
    return [to(args[0], STRING) if isinstance(args[0].type, NullType) else args[0]], STRING.with_nullable(
        args[0].type.nullable
    )


def _is_json_rule(args: Sequence[Expr]) -> Resolved:
    found = _text_rule(args)
    return found if isinstance(found, str) else (found[0], BOOLEAN.with_nullable(False))


def _is_json(kind: str) -> Callable[[Inputs], pa.Array]:
    test = _KINDS[kind]

    def kernel(inputs: Inputs) -> pa.Array:
        texts = inputs.array(0)
        pairs = zip(documents(texts), texts.is_valid().to_pylist(), strict=True)
        return pa.array([known and not isinstance(value, Broken) and test(value) for value, known in pairs], pa.bool_())

    return kernel


def _text_and_path(args: Sequence[Expr]) -> list[Expr] | None:
    """Return the first two arguments as texts; None where they are none."""
    if len(args) < 2 or not all(isinstance(arg.type, StringType | NullType) for arg in args[:2]):
        return None
    return [to(arg, STRING) if isinstance(arg.type, NullType) else arg for arg in args[:2]]


def _exists_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_and_path(args)
    if texts is None or len(args) > 3:
        return "a STRING and a path"
    return [*texts, *(args[2:] or [word("FALSE")])], BOOLEAN


def _exists(inputs: Inputs) -> pa.Array:
    on_error = inputs.values[2].as_py()
    instead = {"TRUE": True, "FALSE": False, "UNKNOWN": None}.get(on_error)
    done: list[bool | None] = []
    for found in found_in(inputs):
        if found is None:
            done.append(None)
        elif found.error and on_error == "ERROR":
            raise _failed(found)
        else:
            done.append(instead if found.error else found.value is not None)
    return pa.array(done, pa.bool_())


def _failed(found: Found) -> DataError:
    return DataError("FX-RUN-0113", f"no JSON value was found: {found.error}", hint="NULL ON ERROR gives NULL instead")


def _value_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_and_path(args)
    nothing = Literal(type=NullType(), value=None)
    rest = list(args[2:]) or [Literal(type=STRING, value=None), word("NULL"), nothing, word("NULL"), nothing]
    if texts is None or len(rest) != 5:
        return "a STRING and a path"
    type_ = rest[0].type
    if not (isinstance(type_, StringType) and not type_.fixed) and type_.name() not in _RETURNED:
        return f"one of {', '.join(_RETURNED)} behind RETURNING"
    for place in (2, 4):
        if not isinstance(rest[place], Literal | Cast):
            return "constants as defaults"
        if isinstance(type_, StringType) and isinstance(rest[place].type, BooleanType):
            rest[place] = word(str(getattr(rest[place], "value", None)).lower())
        if isinstance(rest[place].type, NullType) or same(rest[place].type, type_):
            rest[place] = to(rest[place], type_)
        elif not can_cast(rest[place].type, type_):
            return f"defaults that can be {type_.name()}"
        else:
            rest[place] = Cast(arg=rest[place], type=type_.with_nullable(rest[place].type.nullable))
    return [*texts, *rest], type_.with_nullable(True)


_RETURNED = ("STRING", "BOOLEAN", "INT", "DOUBLE")


def _value(inputs: Inputs) -> pa.Array:
    empty, error = inputs.values[3].as_py(), inputs.values[5].as_py()
    defaults = [
        inputs.array(place).to_pylist() if inputs.values[place - 1].as_py() == "DEFAULT" else None for place in (4, 6)
    ]
    convert = _converter(inputs.result)
    done: list[Any] = []
    for row, found in enumerate(found_in(inputs)):
        if found is None:
            done.append(None)
            continue
        reason, value = found.error, found.value
        if not reason and value is not None and not is_scalar(value) and not found.lax:
            reason = "strict mode wants a plain value"
        if reason:
            if error == "ERROR":
                raise _failed(Found(error=reason))
            done.append(defaults[1][row] if defaults[1] else None)
        elif value is None or not is_scalar(value):
            if empty == "ERROR":
                raise DataError("FX-RUN-0113", "no JSON value was found", hint="NULL ON EMPTY gives NULL instead")
            done.append(defaults[0][row] if defaults[0] else None)
        else:
            done.append(convert(value))
    return pa.array(done, inputs.result.arrow())


def _converter(type_: DataType) -> Callable[[Any], Any]:
    """Return what makes a plain JSON value one of a type, which it must be already unless that is STRING."""
    if isinstance(type_, StringType):
        return _shown
    wanted: type = bool if isinstance(type_, BooleanType) else int if isinstance(type_, IntegerType) else Decimal

    def convert(value: Any) -> Any:
        whole = wanted is not int or (
            not isinstance(value, bool) and isinstance(value, int) and -(2**31) <= value < 2**31
        )
        if not isinstance(value, wanted) or not whole:
            raise DataError(
                "FX-RUN-0113", f"the JSON value {write(value)} is no {type_.name()}", hint="CAST the STRING"
            )
        return float(value) if isinstance(value, Decimal) else value

    return convert


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return storable(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _query_rule(args: Sequence[Expr]) -> Resolved:
    texts = _text_and_path(args)
    rest = list(args[2:]) or [Literal(type=STRING, value=None), word("WITHOUT"), word("NULL"), word("NULL")]
    if texts is None or len(rest) != 4:
        return "a STRING and a path"
    type_ = rest[0].type
    if not (isinstance(type_, StringType) or (isinstance(type_, ArrayType) and isinstance(type_.element, StringType))):
        return "STRING or ARRAY<STRING> behind RETURNING"
    return [*texts, *rest], type_.with_nullable(True)


def _query(inputs: Inputs) -> pa.Array:
    wrapper, empty, error = (inputs.values[place].as_py() for place in (3, 4, 5))
    listed = isinstance(inputs.result, ArrayType)
    done: list[Any] = []
    for found in found_in(inputs):
        if found is None:
            done.append(None)
            continue
        value, reason = found.value, found.error
        if value is not None and (
            wrapper == "UNCONDITIONAL" or (wrapper == "CONDITIONAL" and not isinstance(value, list))
        ):
            value = [value]
        if not reason and value is not None and is_scalar(value) and not found.lax:
            reason = "strict mode wants an object or an array"
        if not reason and listed and isinstance(value, dict):
            reason = "an object is no ARRAY<STRING>"
        if reason:
            done.append(_instead(error, reason, listed=listed))
        elif value is None or is_scalar(value):
            done.append(_instead(empty, "nothing is there", listed=listed))
        else:
            done.append([_element(item) for item in value] if listed else storable(write(value)))
    return pa.array(done, inputs.result.arrow())


def _element(value: Any) -> str | None:
    return None if value is None else _shown(value) if is_scalar(value) else storable(write(value))


def _instead(behaviour: str, reason: str, *, listed: bool) -> Any:
    if behaviour == "ERROR" or (listed and behaviour == "EMPTY OBJECT"):
        raise _failed(Found(error=reason))
    if behaviour == "NULL":
        return None
    return [] if listed else "[]" if behaviour == "EMPTY ARRAY" else "{}"


_QUOTED = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TO_QUOTE = re.compile(r'["\\/\x08\f\n\r\t]|[^\x00-\x7f]')
_UNQUOTED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def _quote(text: str) -> str:
    def escape(found: re.Match[str]) -> str:
        if found[0] in _QUOTED:
            return _QUOTED[found[0]]
        second = found[0].encode("utf-16-be")[2:]  # beyond U+FFFF Flink writes the whole and its second half
        return f"\\u{ord(found[0]):04x}" + (f"\\u{second.hex()}" if second else "")

    return f'"{_TO_QUOTE.sub(escape, text)}"'


def _unquote(text: str) -> str:
    """Return the text of a JSON string; what is none as it is."""
    if not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        parse(text)
    except (ValueError, RecursionError):
        return text

    def undo(found: re.Match[str]) -> str:
        letter = found[1]
        return chr(int(letter[1:], 16)) if letter[0] == "u" and len(letter) > 1 else _UNQUOTED.get(letter, letter)

    inside = _ESCAPE.sub(undo, text[1:-1])
    return inside.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_C = "JSON"
for _kind in _KINDS:
    register(
        Function(f"IS JSON {_kind}", _C, _is_json_rule, _is_json(_kind), f"Whether a text is JSON ({_kind.lower()})."),
    )
register(Function("JSON_EXISTS", _C, _exists_rule, _exists, "Whether a path leads to a value in a JSON text.",
                  ("JSON_EXISTS('{\"a\": true}', '$.a')", "TRUE"), total=False))  # fmt: skip
register(Function("JSON_VALUE", _C, _value_rule, _value, "The plain value to which a path leads.",
                  ("JSON_VALUE('{\"a\": [1, 2]}', '$.a[1]' RETURNING INT)", "2"), total=False))  # fmt: skip
register(Function("JSON_QUERY", _C, _query_rule, _query, "The object or array to which a path leads, as JSON.",
                  ("JSON_QUERY('{\"a\": [1, 2]}', '$.a')", "[1,2]"), total=False))  # fmt: skip
register(Function("JSON_QUOTE", _C, _text_rule, lambda inputs: each(inputs, _quote, pa.string()),
                  "A text in double quotes, as JSON.", ("JSON_QUOTE('a/b')", '"a\\/b"')))  # fmt: skip
register(Function("JSON_UNQUOTE", _C, _text_rule, lambda inputs: each(inputs, _unquote, pa.string()),
                  "The text of a JSON string.", ("JSON_UNQUOTE('\"a\"')", "a")))  # fmt: skip
