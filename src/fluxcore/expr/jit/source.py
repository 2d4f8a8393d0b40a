"""The source of a function in Python as a tree, and what the names in it stand for."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_GENERATES = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class NotCompiledError(Exception):
    """Why a function stays with Python, in a few words."""


@dataclass(frozen=True, eq=False)
class Source:
    """A function's tree; ``first`` is the line of its file on which the tree's first line stands."""

    function: FunctionType
    tree: ast.FunctionDef
    first: int

    def refusal(self, node: ast.AST, what: str) -> NotCompiledError:
        """Return what is said of a part that is not compiled: what it is, and its line."""
        line = self.first + getattr(node, "lineno", 1) - 1
        return NotCompiledError(f"{what} (line {line} of {Path(self.function.__code__.co_filename).name})")

    def resolver(self, name: str) -> Callable[[], Any]:
        """Return what gives, each time that it is called, what a name that is not local means. Raises ``NotCompiledError``."""
        function = self.function
        free = function.__code__.co_freevars
        if name in free:
            cell = (function.__closure__ or ())[free.index(name)]
            return lambda: cell.cell_contents
        names = function.__globals__
        if name not in names and not hasattr(builtins, name):
            raise NotCompiledError(f"there is no {name}")
        return lambda: names[name] if name in names else getattr(builtins, name)


def source_of(function: Any) -> Source:
    """Return a plain function's source. Raises ``NotCompiledError`` for any other object, and where there is no source of it."""
    if not isinstance(function, FunctionType):
        raise NotCompiledError(f"it is a {type(function).__name__}, and no plain function")
    code = function.__code__
    if code.co_flags & _GENERATES:
        raise NotCompiledError("it is a generator or a coroutine")
    try:
        every, _ = inspect.findsource(code)
        lines, first = inspect.getsourcelines(code)
        whole = compile("".join(every), code.co_filename, "exec", dont_inherit=True)
        tree = ast.parse(textwrap.dedent("".join(lines))).body
    except (OSError, SyntaxError, TypeError, ValueError):
        raise NotCompiledError("its source can't be read") from None
    if not any(_same(each, code) for each in _codes(whole)):
        raise NotCompiledError("its file has changed since it was loaded")
    if len(tree) != 1 or not isinstance(tree[0], ast.FunctionDef):
        raise NotCompiledError("it is no function of the form def")
    found = tree[0]
    found.decorator_list = []
    return Source(function, found, max(first, 1))


def _same(one: CodeType, other: CodeType) -> bool:
    """Return whether two codes are of one function: a file may have changed under a program that runs."""
    return _told(one) == _told(other)


def _codes(code: CodeType) -> list[CodeType]:
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [*inner, *(deep for each in inner for deep in _codes(each))]


def _told(code: CodeType) -> tuple[object, ...]:
    """Return what a code says: its instructions name their operands by number, so that these belong to it."""
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    constants = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_name, code.co_firstlineno, code.co_code, names, constants


def attribute(owner: Callable[[], Any], name: str) -> Callable[[], Any]:
    """Return what gives an attribute of a module. Raises ``NotCompiledError`` where the owner is no module."""
    module = owner()
    if not isinstance(module, ModuleType) or not hasattr(module, name):
        raise NotCompiledError(f".{name} of a {type(module).__name__} is not compiled")
    return lambda: getattr(owner(), name)
