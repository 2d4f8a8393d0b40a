"""What FluxCore answers to the questions of ``cases``, in the form in which both sides are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from tests.functions.cases import Group, cell_text

from fluxcore.api.session import Session
from fluxcore.core.types import BytesType, NullType, StringType
from fluxcore.errors import FluxError, ScriptError
from fluxcore.expr.compile import compile_expr
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import ColumnRef, Expr, transform
from fluxcore.sql.cursor import Cursor
from fluxcore.sql.lexer import tokens
from fluxcore.sql.parse_types import parse_type
from fluxcore.sql.script import bind_query
from fluxcore.targets.flink.compare import plain
from fluxcore.targets.flink.types import column_of

if TYPE_CHECKING:
    from fluxcore.core.types import DataType

FAILS = "fails"
ONE_ROW = pa.RecordBatch.from_arrays([pa.array([0])], ["none"])


@dataclass(frozen=True)
class Answer:
    """An expression's type and a plain value for each row (``FAILS`` where it fails); no type where it is refused."""

    type: str | None
    values: tuple[Any, ...]
    why: str = ""


class Here:
    """A group's rows in a session of FluxCore."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.session = Session({"parallelism.default": "1", **group.settings})
        self.session.execute(f"CREATE VIEW rows_ AS {group.view_here()}")

    def bound(self, question: str) -> Expr:
        """Return the bound expression over the rows' columns. Raises ``ScriptError``."""
        return self._bind(f"SELECT {question} AS x FROM rows_")

    def _bind(self, query: str) -> Any:
        plan = bind_query(query, catalog=self.session.catalog, settings=self.session.settings)
        return plan.exprs[0]

    @cached_property
    def cells(self) -> list[list[Expr]]:
        """The rows' cells as expressions of constants; the row's number first."""
        return [
            [
                self._bind(f"SELECT {number} AS x"),
                *(
                    self._bind(f"SELECT CAST({cell_text(cell, type_)} AS {type_}) AS x")
                    for cell, type_ in zip(row, self.group.columns.values(), strict=True)
                ),
            ]
            for number, row in enumerate(self.group.rows)
        ]

    @cached_property
    def batch(self) -> pa.RecordBatch:
        """The rows."""
        columns = [
            pa.concat_arrays([compile_expr(cell, self.session.settings)(ONE_ROW) for cell in column])
            for column in zip(*self.cells, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, [str(index) for index in range(len(columns))])

    def over_columns(self, question: str) -> Answer:
        """Return the answer computed over a batch of all rows."""
        return self._answer(question, lambda expr: self._values(fold(expr, self.session.settings)))

    def over_constants(self, question: str) -> Answer:
        """Return the answer computed row by row, each from constants, as the optimizer folds them."""
        return self._answer(question, lambda expr: tuple(self._folded(expr, row) for row in self.cells))

    def _answer(self, question: str, compute: Any) -> Answer:
        try:
            expr = self.bound(question)
        except ScriptError as error:
            return Answer(None, (), f"refused: {error.message}")
        return Answer(expr.type.sql(), compute(expr))

    def _values(self, expr: Expr) -> tuple[Any, ...]:
        computed = compile_expr(expr, self.session.settings)
        try:
            return tuple(plain_values(computed(self.batch)))
        except FluxError:
            return tuple(self._one(computed, number) for number in range(len(self.cells)))
        except Exception as error:  # noqa: BLE001 a traceback is what is looked for
            return (f"crashes: {error!r}"[:200],) * len(self.cells)

    def _one(self, computed: Any, number: int) -> Any:
        try:
            return plain_values(computed(self.batch.slice(number, 1)))[0]
        except FluxError:
            return FAILS
        except Exception as error:  # noqa: BLE001
            return f"crashes: {error!r}"[:200]

    def _folded(self, expr: Expr, row: list[Expr]) -> Any:
        try:
            filled = transform(expr, lambda node: row[node.index] if isinstance(node, ColumnRef) else node)
            folded = fold(filled, self.session.settings)
            return plain_values(compile_expr(folded, self.session.settings)(ONE_ROW))[0]
        except FluxError:
            return FAILS
        except Exception as error:  # noqa: BLE001
            return f"crashes: {error!r}"[:200]


def told_by_flink(told: Any, settings: dict[str, str]) -> Answer:
    """Return a stored answer of Flink."""
    if isinstance(told, dict):
        return Answer(None, (), f"refused: {told['refused']}")
    text, values = told
    type_ = type_named(text)
    failed = [isinstance(each, dict) and each.keys() == {"fails"} for each in values]
    zone = settings.get("table.local-time-zone", "UTC")
    found = [FAILS if fails else _plain_of_flink(each, type_, zone) for each, fails in zip(values, failed, strict=True)]
    return Answer(type_.sql(), tuple(found))


def _plain_of_flink(value: Any, type_: DataType, zone: str) -> Any:
    try:
        return plain_values(column_of([value], type_, zone))[0]
    except (pa.ArrowInvalid, OverflowError):
        return f"{value}, which has no place here"


def type_named(text: str) -> DataType:
    """Return the type that a text names."""
    empty = {
        "CHAR(0)": StringType(length=0, fixed=True),
        "BINARY(0)": BytesType(length=0, fixed=True),
        "NULL": NullType(),
    }
    plain_text = text.removesuffix(" NOT NULL")
    if plain_text in empty:  # types that can't be written
        return empty[plain_text].with_nullable(plain_text == text)
    return parse_type(Cursor(tokens(text)))


def plain_values(column: pa.Array) -> list[Any]:
    """Return a column's values as both sides are compared; the entries of a map in one order."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":  # finer than Python's own
        return column.cast(pa.timestamp("ns")).cast(pa.string()).to_pylist()
    values = [plain(value) for value in column.to_pylist()]
    if pa.types.is_map(column.type):
        values = [None if each is None else tuple(sorted(each, key=repr)) for each in values]
    return values


def alike(here: Answer, there: Answer) -> bool:
    """Return whether two answers are the same; numbers of DOUBLE to 9 digits.

    One difference goes for all types: a value that does not fit, such as a decimal with too many digits, is NULL in both engines;
    where the type is NOT NULL, Flink's job fails of it, and FluxCore gives NULL.
    """
    if here.type != there.type or len(here.values) != len(there.values):
        return False
    never_null = there.type is not None and there.type.endswith("NOT NULL")
    return all(
        same(ours, theirs) or (never_null and ours is None and theirs == FAILS)
        for ours, theirs in zip(here.values, there.values, strict=True)
    )


def same(here: Any, there: Any) -> bool:
    """Return whether two plain values are the same, and of one kind."""
    if isinstance(here, float) and isinstance(there, float):
        return here == there or math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-300)
    if isinstance(here, tuple) and isinstance(there, tuple):
        return len(here) == len(there) and all(map(same, here, there))
    return type(here) is type(there) and here == there
