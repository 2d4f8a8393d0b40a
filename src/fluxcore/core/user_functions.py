"""What functions written in Python are once their types are known: scalar ones, and those that give rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from fluxcore.core.aggregate import UserAggregate

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.types import DataType

    Convert = Callable[[Any], Any] | None


class Form(Enum):
    """What a function takes: Python values of one row, or columns of many rows as Arrow or NumPy arrays."""

    ROW = "row by row"
    ARROW = "arrow"
    NUMPY = "numpy"


@dataclass(frozen=True)
class Parameter:
    """One parameter. ``type`` None takes any; ``optional`` is given None for NULL; ``required`` has no default.

    ``decode`` makes what the function takes of Arrow's Python value, where these differ.
    """

    name: str
    type: DataType | None
    optional: bool = False
    required: bool = True
    decode: Convert = None


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function, its parameters (``rest`` is that of ``*args``), and whether equal arguments always give equal results."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    rest: Parameter | None = None
    deterministic: bool = True

    def parameter(self, index: int) -> Parameter:
        """Return the parameter that takes an argument."""
        if index < len(self.parameters):
            return self.parameters[index]
        assert self.rest is not None
        return self.rest

    def takes(self, count: int) -> bool:
        """Return whether the function can be called with so many arguments."""
        required = sum(each.required for each in self.parameters)
        return required <= count and (count <= len(self.parameters) or self.rest is not None)

    def signature(self) -> str:
        """Return the parameters as people read them: ``(x BIGINT, y STRING)``."""
        shown = [f"{each.name} {each.type.name() if each.type else 'ANY'}" for each in self.parameters]
        if self.rest is not None:
            shown.append(f"{self.rest.type.name() if self.rest.type else 'ANY'}...")
        return f"({', '.join(shown)})"


@dataclass(frozen=True, eq=False)
class ScalarFunction(UserFunction):
    """A function that gives a value for each row; ``encode`` makes what Arrow takes of it, where these differ.

    ``compiled`` says that it may be compiled, where it is plain arithmetic.
    """

    result: DataType = field(kw_only=True)
    encode: Convert = None
    form: Form = Form.ROW
    compiled: bool = True


@dataclass(frozen=True, eq=False)
class TableFunction(UserFunction):
    """A function that gives any number of rows for each row: ``columns`` by name and type.

    ``single``: it gives values of the one column, not rows. ``encode`` makes what Arrow takes of the values, by column.
    """

    columns: tuple[tuple[str, DataType], ...] = field(kw_only=True)
    single: bool = False
    encode: tuple[Convert, ...] = ()


AnyUserFunction = ScalarFunction | TableFunction | UserAggregate


def kind_of(function: AnyUserFunction) -> str:
    """Return what kind of function it is, as Flink names it."""
    if isinstance(function, ScalarFunction):
        return "SCALAR"
    return "TABLE" if isinstance(function, TableFunction) else "AGGREGATE"
