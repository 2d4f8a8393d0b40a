"""What messages call the user's own code, and the line of it that an error came through."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from fluxcore.core.async_call import AsyncCall
from fluxcore.core.ports import CustomOperator

_OURS = str(Path(__file__).parents[1])
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def user_line(error: BaseException, *, or_library: bool = False) -> str | None:
    """Return ``line 5 of job.py``: the innermost line of a program's or a prompt's code that an error came through.

    Without one it is None, or with ``or_library`` the outermost line that is not the package's.
    """
    places = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(_OURS)]
    own = [each for each in places if _is_users(each.filename)] or (places[:1] if or_library else [])
    return f"line {own[-1].lineno} of {own[-1].filename}" if own else None


def title_of(function: object) -> str:
    """Return what a plan calls a function, a call or an operator that the user wrote."""
    if isinstance(function, AsyncCall):
        order = "ordered" if function.ordered else "unordered"
        return f"async {function.name}, capacity={function.capacity}, {order}"
    return function.name if isinstance(function, CustomOperator) else type(function).__name__


def _is_users(file: str) -> bool:
    if file.startswith("<"):
        return not file.startswith(("<frozen", "<__array"))
    return Path(file).is_absolute() and not file.startswith(_LIBRARIES)
