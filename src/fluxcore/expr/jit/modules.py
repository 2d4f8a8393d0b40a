"""The module that holds a compiled function: its translated code, and the loop over columns."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.core.types import BooleanType, FloatType, IntegerType
from fluxcore.core.user_functions import Form
from fluxcore.expr.jit.kinds import Kind, Typed, coerced
from fluxcore.expr.jit.program import Param, Program
from fluxcore.expr.jit.source import NotCompiledError, source_of

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.core.user_functions import Parameter, ScalarFunction
    from fluxcore.expr.jit.program import Outside

_HEAD = '''"""{title}"""

import math

import numpy as np
from numba import njit, types

from fluxcore.expr.jit.checked_kernels import (
    absent, abs_int, add_int, as_num, atan2_float, ceil_float, div_float, div_int, finite, floor_float, floordiv_float,
    floordiv_int, fmod_float, greater, lesser, mod_float, mod_int, mul_int, neg_int, pow_float, pow_int, range_int,
    round_float, shift_left, shift_right, some, sub_int, to_num, whole,
)

'''
_LOOP = """@njit(cache=True, nogil=True, error_model='numpy')
def kernel({params}):
    troubles = 0
    for i in range(rows):
        t[0] = 0.0
{nulls}        found = {name}({given})
        code = t[0]
{narrow}        if code == 0.0:
            out[i] = found
            state[i] = 0
        elif code == 1.0:
            state[i] = 1
            troubles += 1
        else:
            state[i] = 2
    return troubles
"""


@dataclass(frozen=True)
class Module:
    """The text of a module, under a name that says what is in it, and what its kernel takes beside the columns."""

    name: str
    text: str
    program: Program

    @property
    def outside(self) -> list[Outside]:
        """Return the numbers that are read for each batch."""
        return self.program.outside


def module_of(user: ScalarFunction, count: int) -> Module:
    """Return the module of a function of ``count`` arguments. Raises ``NotCompiledError`` with the reason."""
    if user.form is not Form.ROW:
        raise NotCompiledError("it is vectorised")
    if not user.compiled:
        raise NotCompiledError("compiled=False")
    source = source_of(user.function)
    args = source.tree.args
    names = [each.arg for each in (*args.posonlyargs, *args.args)]
    if user.rest is not None or args.kwonlyargs or args.kwarg or args.vararg:
        raise NotCompiledError("it takes any number of arguments, or some by name only")
    if count != len(names):
        raise NotCompiledError("arguments are left out")
    parameters = [user.parameter(index) for index in range(count)]
    params = [
        Param(name, _kind(each.type, f"{name} is"), each.optional) for name, each in zip(names, parameters, strict=True)
    ]
    result = _kind(user.result, "it gives")
    program = Program()
    name, kind = program.add(source, params, nullable=True)
    if kind is not result and not (result is Kind.FLOAT and kind in (Kind.INT, Kind.NUM)):
        raise NotCompiledError(f"it gives {kind.value} for {user.result.name()}")
    body = "\n".join(program.texts).replace(", *OUTSIDE", "".join(f", {each}" for each in _outside(program)))
    loop = _loop(name, parameters, params, program, coerced(Typed(kind, "found"), result), user.result)
    signature = _signature(parameters, program, user.result)
    text = f"{body}\n{loop}\nSIGNATURE = {signature}\n"
    digest = hashlib.sha256(f"{_version()}\n{text}".encode()).hexdigest()[:24]
    return Module(f"udf_{digest}", _HEAD.format(title=f"{source.tree.name}, over columns.") + text, program)


@cache
def _version() -> str:
    """Return what the compiled form depends on beside its own text."""
    own = (Path(__file__).with_name("checked_kernels.py").read_text("utf-8"), _HEAD)
    return " ".join((importlib.metadata.version("numba"), hashlib.sha256("".join(own).encode()).hexdigest()))


def _kind(type_: DataType | None, what: str) -> Kind:
    if isinstance(type_, IntegerType):
        return Kind.INT
    if isinstance(type_, FloatType):
        return Kind.FLOAT
    if isinstance(type_, BooleanType):
        return Kind.BOOL
    raise NotCompiledError(f"{what} {type_.name() if type_ is not None else 'of any type'}")


def _outside(program: Program) -> list[str]:
    return [f"c{number}" for number in range(len(program.outside))]


def _loop(
    name: str, parameters: list[Parameter], params: list[Param], program: Program, found: str, result: DataType
) -> str:
    columns = [f"a{i}, b{i}, o{i}, s{i}" for i in range(len(params))]
    nulls, given = [], ["t"]
    for i, (param, parameter) in enumerate(zip(params, parameters, strict=True)):
        gone = f"absent(b{i}, o{i} + i * s{i})"
        if param.optional:
            given.append(gone)
        else:
            nulls.append(f"        if {gone}:\n            state[i] = 2\n            continue\n")
        value = f"a{i}[i * s{i}]"
        wide = {Kind.INT: f"np.int64({value})", Kind.FLOAT: f"np.float64({value})"}
        given.append(wide.get(_kind(parameter.type, ""), value))
    narrow = ""
    if isinstance(result, IntegerType) and result.bits < 64:
        bound = 2 ** (result.bits - 1)
        narrow = f"        if code == 0.0 and not -{bound} <= found < {bound}:\n            code = 1.0\n"
    return _LOOP.format(
        params=", ".join(["rows", "t", "state", "out", *columns, *_outside(program)]), nulls="".join(nulls),
        name=name, given=", ".join([*given, *_outside(program)]), narrow=narrow,
    ).replace("= found", f"= {found}")  # fmt: skip


def _signature(parameters: list[Parameter], program: Program, result: DataType) -> str:
    fixed = ["types.int64", "types.float64[::1]", "types.uint8[::1]", f"types.{_numba(result)}[::1]"]
    for each in parameters:
        fixed += [_read_only(_numba(each.type)), _read_only("uint8"), "types.int64", "types.int64"]
    kinds = {Kind.BOOL: "types.boolean", Kind.INT: "types.int64", Kind.FLOAT: "types.float64"}
    return f"({', '.join([*fixed, *(kinds[each.kind] for each in program.outside)])},)"


def _read_only(element: str) -> str:
    return f"types.Array(types.{element}, 1, 'C', readonly=True)"


def _numba(type_: DataType | None) -> str:
    """Return how Numba calls the elements of a column; results in FLOAT are rounded from DOUBLE at the end."""
    if isinstance(type_, IntegerType):
        return f"int{type_.bits}"
    if isinstance(type_, FloatType):
        return f"float{type_.bits}"
    return "boolean"
