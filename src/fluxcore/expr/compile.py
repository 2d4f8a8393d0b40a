"""Compiles bound expressions to functions of a record batch.

Column references cost nothing, constants stay scalars until an array is wanted, and a sub-expression that stands twice is
computed once. The branches of CASE, COALESCE and IF see only the rows that choose them, so that a branch never fails for a
row that another branch takes. Compiled functions are pure and may be called from any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.arrays import whole
from fluxcore.core.settings import Settings
from fluxcore.core.types import BOOLEAN
from fluxcore.errors import FluxError
from fluxcore.expr import functions as _functions
from fluxcore.expr.casts import cast_values
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Expr, Literal, UserCall, walk
from fluxcore.expr.pushdown import is_pure
from fluxcore.expr.registry import REGISTRY, Inputs, spread
from fluxcore.expr.user_kernels import user_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Step = Callable[["_Run"], Any]

assert _functions.__name__, "importing the package registers the functions"


class _Run:
    """One batch being computed, with the values of sub-expressions that stand more than once."""

    __slots__ = ("batch", "memo", "rows")

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.rows = batch.num_rows
        self.memo: dict[Expr, Any] = {}


def compile_expr(expr: Expr, settings: Settings | None = None) -> Callable[[pa.RecordBatch], pa.Array]:
    """Return the function that computes ``expr`` for each row, as an array of the expression's Arrow type."""
    step = _compile(expr, settings or Settings(), _repeated([expr]))
    wanted = expr.type.arrow()

    def run(batch: pa.RecordBatch) -> pa.Array:
        return _array(step(_Run(batch)), batch.num_rows, wanted)

    return run


def compile_predicate(expr: Expr, settings: Settings | None = None) -> Callable[[pa.RecordBatch], pa.BooleanArray]:
    """Return the function that computes a condition; NULL stays null."""
    return compile_expr(expr, settings)


def compile_projection(
    exprs: Sequence[Expr], schema: pa.Schema, settings: Settings | None = None
) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Return the function that computes several columns into batches of ``schema``."""
    repeated = _repeated(exprs)
    steps = [_compile(expr, settings or Settings(), repeated) for expr in exprs]
    types = schema.types

    def run(batch: pa.RecordBatch) -> pa.RecordBatch:
        state = _Run(batch)
        arrays = [_array(step(state), batch.num_rows, type_) for step, type_ in zip(steps, types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    return run


def _array(value: Any, rows: int, wanted: pa.DataType) -> pa.Array:
    if isinstance(value, pa.ChunkedArray):
        value = whole(value)
    array = value if isinstance(value, pa.Array) else spread(value, rows)
    return array if array.type == wanted else array.cast(wanted, safe=False)


def _repeated(exprs: Sequence[Expr]) -> set[Expr]:
    seen: set[Expr] = set()
    twice: set[Expr] = set()
    for root in exprs:
        for node in walk(root):
            if isinstance(node, Call | Cast | UserCall) and is_pure(node):
                (twice if node in seen else seen).add(node)
    return twice


def _compile(expr: Expr, settings: Settings, repeated: set[Expr]) -> Step:
    step = _compile_node(expr, settings, repeated)
    if expr not in repeated:
        return step

    def once(run: _Run) -> Any:
        found = run.memo.get(expr)
        if found is None:
            found = run.memo[expr] = step(run)
        return found

    return once


def _compile_node(expr: Expr, settings: Settings, repeated: set[Expr]) -> Step:
    if isinstance(expr, ColumnRef):
        index = expr.index
        return lambda run: run.batch.column(index)
    if isinstance(expr, Literal):
        scalar = literal_scalar(expr)
        return lambda _: scalar
    if isinstance(expr, Cast):
        return _compile_cast(expr, settings, repeated)
    if isinstance(expr, UserCall):
        return _compile_user(expr, settings, repeated)
    assert isinstance(expr, Call)
    if expr.function in ("COALESCE", "IFNULL") and not all(_cheap(arg) for arg in expr.args[1:]):
        expr = _as_case(expr)
    if expr.function == "CASE" and not all(_cheap(arg) for arg in expr.args[1::2] + expr.args[-1:]):
        return _compile_case(expr, settings)
    function = REGISTRY[expr.function]
    steps = [_compile(arg, settings, repeated) for arg in expr.args]
    types = [arg.type for arg in expr.args]
    kernel, result = function.kernel, expr.type

    def compute(run: _Run) -> Any:
        values = [step(run) for step in steps]
        try:
            return kernel(Inputs(values, run.rows, types, result, settings))
        except FluxError as error:
            if error.span is None:
                error.span = expr.span
            raise

    return compute


def _compile_user(expr: UserCall, settings: Settings, repeated: set[Expr]) -> Step:
    steps = [_compile(arg, settings, repeated) for arg in expr.args]
    compute_rows = user_kernel(expr.user, len(steps))

    def compute(run: _Run) -> Any:
        try:
            return compute_rows([step(run) for step in steps], run.rows)
        except FluxError as error:
            if error.span is None:
                error.span = expr.span
            raise

    return compute


def _compile_cast(expr: Cast, settings: Settings, repeated: set[Expr]) -> Step:
    step = _compile(expr.arg, settings, repeated)
    source, target, lenient = expr.arg.type, expr.type, expr.lenient

    def compute(run: _Run) -> Any:
        value = step(run)
        if not isinstance(value, pa.Array):
            done = cast_values(spread(value, 1), source, target, lenient=lenient, settings=settings)
            return done[0]
        return cast_values(value, source, target, lenient=lenient, settings=settings)

    return compute


def _cheap(expr: Expr) -> bool:
    """Return whether computing the expression for rows that don't need it can't fail and costs little."""
    return isinstance(expr, ColumnRef | Literal) or (
        isinstance(expr, Call) and REGISTRY[expr.function].total and all(_cheap(arg) for arg in expr.args)
    )


def _as_case(expr: Call) -> Call:
    """Return COALESCE as the CASE that says the same, so that what is not asked for is not computed."""
    known = BOOLEAN.with_nullable(False)
    args: list[Expr] = []
    for arg in expr.args[:-1]:
        args += [Call(function="IS NOT NULL", args=(arg,), type=known), arg]
    return Call(function="CASE", args=(*args, expr.args[-1]), type=expr.type, span=expr.span)


def _compile_case(expr: Call, settings: Settings) -> Step:
    """Return CASE computed branch by branch, each on the rows that choose it."""
    conditions = [compile_expr(arg, settings) for arg in expr.args[0:-1:2]]
    values = [compile_expr(arg, settings) for arg in (*expr.args[1::2], expr.args[-1])]
    wanted = expr.type.arrow()

    def compute(run: _Run) -> pa.Array:
        rest, left = run.batch, np.arange(run.rows)
        parts: list[pa.Array] = []
        places: list[Any] = []
        for condition, value in zip(conditions, values[:-1], strict=True):
            if not len(left):
                break
            chosen = pc.fill_null(condition(rest), False).to_numpy(zero_copy_only=False)
            if chosen.any():
                parts.append(_array(value(rest.filter(pa.array(chosen))), int(chosen.sum()), wanted))
                places.append(left[chosen])
            if not chosen.all():
                rest, left = rest.filter(pa.array(~chosen)), left[~chosen]
            else:
                rest, left = rest.slice(0, 0), left[:0]
        if len(left):
            parts.append(_array(values[-1](rest), len(left), wanted))
            places.append(left)
        if not parts:
            return pa.array([], wanted)
        joined = pa.concat_arrays(parts) if len(parts) > 1 else parts[0]
        order = np.concatenate(places)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return joined.take(pa.array(back))

    return compute


def literal_scalar(expr: Literal) -> pa.Scalar:
    """Return a constant as an Arrow scalar of its type."""
    return pa.scalar(expr.value, expr.type.arrow())
