"""A script's functions in Python, made ready for a cluster: CREATE FUNCTION names the module that is sent along."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.core import quotes
from fluxcore.errors import ScriptError
from fluxcore.sql.lexer import Kind, tokens
from fluxcore.sql.parser import Parser
from fluxcore.sql.statements import CreateFunction
from fluxcore.sql.user_modules import load_function
from fluxcore.targets.flink.portability import Unportable
from fluxcore.targets.flink.python.shipment import FILES, FOLDER, Shipment
from fluxcore.targets.flink.python.specs import NotShipped
from fluxcore.targets.flink.statements import Statement, What

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.user_functions import AnyUserFunction


@dataclass(frozen=True)
class ReadyScript:
    """Statements as they are sent, and what goes with them."""

    statements: list[Statement]
    shipment: Shipment
    elsewhere: str

    @property
    def properties(self) -> dict[str, str]:
        """Return what the session has to be opened with, besides what is asked for."""
        return {FILES: self.shipment.paths_before(self.elsewhere)} if self.shipment else {}


def ready_script(statements: Sequence[Statement], file: str | None, values: Mapping[str, str]) -> ReadyScript:
    """Return a script whose functions in Python go along.

    A function whose module is not here, or is one of PyFlink, is left to the cluster. One that can't be sent is named in its
    statement's ``unportable``. In: ``values`` are the session's settings.

    Raises: ``ScriptError`` FX-SQL-0602 and 0604 for a module that is here, and doesn't have the function or can't be imported.
    """
    shipment = Shipment(values.get(FOLDER, ""))
    search = _Search(shipment, file)
    search.take(values.get(FILES, ""))
    elsewhere = search.elsewhere
    done: list[Statement] = []
    for statement in statements:
        if statement.what is What.SETTING and (value := _files_of(statement)) is not None:
            search.take(value)
        found = _created(statement) if statement.what is What.DEFINITION else None
        done.append(statement if found is None else _shipped(statement, found, search))
    if shipment:
        shown = quotes.text(shipment.paths_before(search.elsewhere))
        done = [
            replace(each, text=f"SET '{FILES}' = {shown}")
            if each.what is What.SETTING and _files_of(each) is not None
            else each
            for each in done
        ]
    return ReadyScript(done, shipment, elsewhere)


class _Search:
    """Where modules are looked for: as here, but a name of ``python.files`` that is not here may be one of the cluster's."""

    def __init__(self, shipment: Shipment, file: str | None) -> None:
        self.shipment = shipment
        self._beside = [Path(file).resolve().parent] if file is not None else []
        self._named: list[Path] = []
        self.elsewhere = ""

    @property
    def folders(self) -> list[Path]:
        """Return the folders, first ones first."""
        return [*self._beside, *self._named, Path.cwd()]

    def take(self, files: str) -> None:
        """Take the value of ``python.files``."""
        self._named = []
        elsewhere = []
        for name in filter(None, (each.strip() for each in files.split(","))):
            path = Path(name.removeprefix("file://")).resolve()
            if not path.exists():
                elsewhere.append(name)
            elif path.is_dir():
                self._named.append(path)
            else:
                self.shipment.add_file(path)
                self._named.append(path.parent if path.suffix == ".py" else path)
        self.elsewhere = ",".join(elsewhere)


def _created(statement: Statement) -> CreateFunction | None:
    with suppress(ScriptError):
        tree = Parser(tokens(statement.text)).statement()
        if isinstance(tree, CreateFunction):
            return tree
    return None


def _shipped(statement: Statement, tree: CreateFunction, search: _Search) -> Statement:
    user = _loaded(statement, tree, search)
    if user is None:
        return statement
    try:
        called = search.shipment.add(user, tree.identifier, search.folders)
    except NotShipped as error:
        return replace(statement, unportable=(Unportable(f"the function {tree.name[-1]}", str(error)),))
    start, end = tree.place.start, tree.place.end
    return replace(statement, text=f"{statement.text[:start]}'{called}'{statement.text[end:]}")


def _loaded(statement: Statement, tree: CreateFunction, search: _Search) -> AnyUserFunction | None:
    """Return the function as it is here; None where it is the cluster's."""
    try:
        return load_function(tree.identifier, search.folders)
    except ScriptError as error:
        cause = error.__cause__
        of_pyflink = isinstance(cause, ModuleNotFoundError) and (cause.name or "").partition(".")[0] == "pyflink"
        if error.code in ("FX-SQL-0601", "FX-SQL-0603") or of_pyflink:
            return None
        raise ScriptError(error.code, error.message, span=statement.span, hint=error.hint) from error


def _files_of(statement: Statement) -> str | None:
    """Return the value that a SET gives to ``python.files``; None for any other statement."""
    words = tokens(statement.text)
    texts = [each.text for each in words if each.kind is not Kind.END]
    return texts[3] if len(texts) == 4 and texts[0].upper() == "SET" and texts[1] == FILES and texts[2] == "=" else None
