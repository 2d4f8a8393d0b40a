"""The functions in Python of a plan, declared for a cluster: each once, under a name of its own."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.core.aggregate import UserAggregate
from fluxcore.core.quotes import quoted
from fluxcore.targets.flink.portability import source_line
from fluxcore.targets.flink.python.shipment import Shipment
from fluxcore.targets.flink.python.specs import NotShipped
from fluxcore.targets.flink.sql.identifiers import Names

if TYPE_CHECKING:
    from fluxcore.core.user_functions import AnyUserFunction
    from fluxcore.targets.flink.portability import Report

_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


class PlanFunctions:
    """Gives functions their names in SQL; those that can't go along are reported."""

    def __init__(self, report: Report, folder: str) -> None:
        self.shipment = Shipment(folder)
        self.statements: list[str] = []
        self._report = report
        self._names = Names()
        self._known: dict[int, tuple[AnyUserFunction, str]] = {}

    def name(self, user: AnyUserFunction, where: str) -> str:
        """Return the name by which SQL calls a function; ``where`` is told where its source is not known."""
        if id(user) not in self._known:
            name = quoted(self._names.take(user.name))
            self._known[id(user)] = user, name
            try:
                identifier, folder = _place_of(user)
                called = self.shipment.add(user, identifier, [folder])
                self.statements.append(f"CREATE TEMPORARY FUNCTION {name} AS '{called}' LANGUAGE PYTHON")
            except NotShipped as error:
                place = source_line(user.function) or where
                self._report.add(f"the function {user.name}", str(error), place)
        return self._known[id(user)][1]


def _place_of(user: AnyUserFunction) -> tuple[str, Path]:
    """Return ``module.name`` of a function, and the folder that its module is in. Raises ``NotShipped``."""
    function: Any = type(user.function) if isinstance(user, UserAggregate) else user.function
    module: Any = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or module.__name__ == "__main__" or not file:
        raise NotShipped("it is Python of the program that runs; in a module of its own it could go along")
    depth = module.__name__.count(".") + (Path(file).name == "__init__.py")
    folder = Path(file).resolve().parents[depth]
    if str(folder).startswith(_INSTALLED):
        raise NotShipped(f"its module '{module.__name__}' is an installed package, which does not go along with a job")
    return f"{module.__name__}.{_name_in(module, user, function)}", folder


def _name_in(module: Any, user: AnyUserFunction, function: Any) -> str:
    """Return the name of a function in its module. Raises ``NotShipped`` for one that has none."""
    for name, each in vars(module).items():
        if each is user.function or getattr(each, "user", None) is user or getattr(each, "function", None) is function:
            return name
    if isinstance(user, UserAggregate) and not vars(user.function):
        own = type(user.function)
        if getattr(module, own.__name__, None) is own:
            return own.__name__
    raise NotShipped("it is no name of its module, by which a cluster could find it")
