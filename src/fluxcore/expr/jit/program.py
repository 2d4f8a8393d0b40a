"""A function of the user's and those that it calls, translated together, with what they take from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

from fluxcore.core.user_functions import ScalarFunction
from fluxcore.expr.jit.kinds import Kind, Typed
from fluxcore.expr.jit.source import NotCompiledError, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.jit.source import Source

_FUNCTIONS_MAX = 20
_KINDS = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT}


@dataclass(frozen=True)
class Outside:
    """A number that a function takes from its module: it is read anew for each batch."""

    kind: Kind
    read: Callable[[], Any]


@dataclass(frozen=True)
class Param:
    """A parameter: its name, kind, and whether it may be None."""

    name: str
    kind: Kind
    optional: bool = False


@dataclass
class Program:
    """Translated functions as code, the innermost first.

    ``outside`` are numbers that all of them are given; ``guards`` are objects that names must still mean when they run.
    """

    outside: list[Outside] = field(default_factory=list)
    guards: list[tuple[Callable[[], Any], Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _names: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _open: set[Any] = field(default_factory=set)
    _known: dict[tuple[Any, ...], tuple[str, Kind]] = field(default_factory=dict)

    def number(self, key: tuple[Any, ...], read: Callable[[], Any]) -> Typed:
        """Return the code of a number from outside. Raises ``NotCompiledError`` for what is no number."""
        value = read()
        kind = _KINDS.get(type(value))
        if kind is None:
            raise NotCompiledError(f"{key[-1]} is a {type(value).__name__}")
        if key not in self._names:
            self._names[key] = f"c{len(self.outside)}"
            self.outside.append(Outside(kind, read))
        return Typed(kind, self._names[key])

    def callee(self, read: Callable[[], Any], args: Sequence[Kind]) -> tuple[str, Kind]:
        """Return the name and the result's kind of another function of the user's. Raises ``NotCompiledError``."""
        function = plain_function(read())
        key = (function, *args)
        if key not in self._known:
            if function in self._open:
                raise NotCompiledError(f"{function.__name__} calls itself")
            if len(self._known) >= _FUNCTIONS_MAX:
                raise NotCompiledError(f"it calls more than {_FUNCTIONS_MAX} functions")
            source = source_of(function)
            names = [each.arg for each in (*source.tree.args.posonlyargs, *source.tree.args.args)]
            if len(names) != len(args) or not _is_simple(source):
                raise NotCompiledError(f"{function.__name__} is not called with each of its parameters in order")
            params = [Param(name, kind) for name, kind in zip(names, args, strict=True)]
            self._known[key] = self.add(source, params, nullable=False)
        return self._known[key]

    def add(self, source: Source, params: Sequence[Param], *, nullable: bool) -> tuple[str, Kind]:
        """Translate a function; return its name in the code, and its result's kind. Raises ``NotCompiledError``."""
        from fluxcore.expr.jit.statements import translated

        self._open.add(source.function)
        name = f"f{len(self._open)}_{len(self._known)}_{source.tree.name}"
        kind, text = translated(self, source, name, params, nullable=nullable)
        self._open.discard(source.function)
        self.texts.append(text)
        return name, kind


def plain_function(found: Any) -> FunctionType:
    """Return the function that an object is, or that ``fx.udf`` made it of. Raises ``NotCompiledError``."""
    user = getattr(found, "user", None)
    function = user.function if isinstance(user, ScalarFunction) else found
    if not isinstance(function, FunctionType):
        raise NotCompiledError(f"{getattr(found, '__name__', type(found).__name__)}() is not compiled")
    return function


def _is_simple(source: Source) -> bool:
    args = source.tree.args
    return not (args.vararg or args.kwarg or args.kwonlyargs)
