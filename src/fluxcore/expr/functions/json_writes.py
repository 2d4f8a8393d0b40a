"""Functions that make JSON text: JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON.

JSON_OBJECT and JSON_ARRAY are called with two words in front: what becomes of NULL (NULL or ABSENT), and for each value `1` where
it is JSON already, `0` elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.types import STRING, DataType, NullType, StringType
from fluxcore.errors import DataError
from fluxcore.expr.functions.json_reads import word
from fluxcore.expr.functions.strings import each
from fluxcore.expr.json_text import Raw, is_json_type, json_value, parse, storable, write
from fluxcore.expr.nodes import Call, Expr, Literal
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolved = tuple[Sequence[Expr], DataType] | str

MAKERS = frozenset({"JSON_OBJECT", "JSON_ARRAY", "JSON"})
"""Functions whose result stands as JSON inside of another's, not as a text."""


def _rule(name: str) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        on_null, flags, *rest = args if len(args) >= 2 else (word("NULL"), word(""))
        keys, values = (rest[0::2], rest[1::2]) if name == "JSON_OBJECT" else ([], rest)
        if len(keys) not in (0, len(values)):
            return "pairs of a key and a value"
        if not all(isinstance(key, Literal) and isinstance(key.value, str) for key in keys):
            return "constant texts as keys"
        if not all(is_json_type(value.type) or isinstance(value.type, NullType) for value in values):
            return "values that have a form in JSON"
        raw = "".join("1" if _is_made(value) else "0" for value in values)
        shown = [to(value, STRING) if isinstance(value.type, NullType) else value for value in values]
        pairs = [arg for pair in zip(keys, shown, strict=True) for arg in pair] if keys else shown
        return [on_null, word(raw) if raw or not flags else flags, *pairs], STRING.with_nullable(False)

    return rule


def _is_made(value: Expr) -> bool:
    return isinstance(value, Call) and value.function in MAKERS


def _columns(inputs: Inputs, places: range) -> list[list[Any]]:
    """Return the columns of values as JSON values; NULL stays None."""
    flags = inputs.values[1].as_py()
    columns = []
    for flag, place in zip(flags, places, strict=True):
        values, type_ = inputs.array(place).to_pylist(), inputs.types[place]
        if flag == "1":
            columns.append([None if value is None else Raw(value) for value in values])
        else:
            columns.append([json_value(value, type_) for value in values])
    return columns


def _object(inputs: Inputs) -> pa.Array:
    absent = inputs.values[0].as_py() == "ABSENT"
    names = [inputs.values[place].as_py() for place in range(2, len(inputs.values), 2)]
    columns = _columns(inputs, range(3, len(inputs.values), 2))
    rows = zip(*columns, strict=True) if columns else [()] * inputs.rows
    done = []
    for row in rows:
        pairs = {name: value for name, value in zip(names, row, strict=True) if not (absent and value is None)}
        done.append(storable(write(pairs)))
    return pa.array(done, pa.string())


def _array(inputs: Inputs) -> pa.Array:
    absent = inputs.values[0].as_py() == "ABSENT"
    columns = _columns(inputs, range(2, len(inputs.values)))
    rows = zip(*columns, strict=True) if columns else [()] * inputs.rows
    done = [storable(write([value for value in row if not (absent and value is None)])) for row in rows]
    return pa.array(done, pa.string())


def _string_rule(args: Sequence[Expr]) -> Resolved:
    if not 1 <= len(args) <= 2 or not (is_json_type(args[0].type) or isinstance(args[0].type, NullType)):
        return "a value that has a form in JSON"
    if isinstance(args[0].type, NullType):
        args = [to(args[0], STRING)]
    made = [word("1")] if _is_made(args[0]) or len(args) == 2 else []
    return [args[0], *made], STRING.with_nullable(args[0].type.nullable)


def _string(inputs: Inputs) -> pa.Array:
    type_ = inputs.types[0]
    if len(inputs.values) == 2:
        return inputs.array(0)
    values = inputs.array(0).to_pylist()
    done = [None if value is None else storable(write(json_value(value, type_))) for value in values]
    return pa.array(done, pa.string())


def _json_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, StringType):
        return "a STRING"
    return args, STRING.with_nullable(True)


def _json(inputs: Inputs) -> pa.Array:
    return each(inputs, _checked, pa.string())


_BLANKS = "".join(map(chr, range(33)))


def _checked(text: str) -> str | None:
    plain = text.strip(_BLANKS)
    if not plain:
        return None
    try:
        return storable(write(parse(plain)))
    except (ValueError, RecursionError) as error:
        raise DataError("FX-RUN-0113", f"'{text}' is no JSON: {error}") from error


_C = "JSON"
register(Function("JSON_OBJECT", _C, _rule("JSON_OBJECT"), _object, "A JSON object: `JSON_OBJECT(KEY 'a' VALUE x)`.",
                  ("JSON_OBJECT('a' VALUE 1, 'b' VALUE 'x')", '{"a":1,"b":"x"}')))  # fmt: skip
register(Function("JSON_ARRAY", _C, _rule("JSON_ARRAY"), _array, "A JSON array.",
                  ("JSON_ARRAY(1, 'x', JSON_ARRAY(2))", '[1,"x",[2]]')))  # fmt: skip
register(Function("JSON_STRING", _C, _string_rule, _string, "A value as JSON.", ("JSON_STRING(ARRAY[1, 2])", "[1,2]")))
register(Function("JSON", _C, _json_rule, _json, "Inside JSON_OBJECT and JSON_ARRAY: a text that is JSON already.",
                  ("JSON_OBJECT('a' VALUE JSON('[1]'))", '{"a":[1]}'), total=False))  # fmt: skip
