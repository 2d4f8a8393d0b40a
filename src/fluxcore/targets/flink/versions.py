"""Which versions of Flink are spoken to."""

from __future__ import annotations

import re

from fluxcore.errors import ScriptError

DEFAULT = "2.3.0"
SUPPORTED = ("2.0", "2.1", "2.2", "2.3")

_FORM = re.compile(r"(\d+\.\d+)\.\d+")


def check(version: str) -> str:
    """Return a version that is supported, such as ``2.3.0``. Raises ``ScriptError`` FX-FLK-0002 for any other."""
    found = _FORM.fullmatch(version)
    if found and found[1] in SUPPORTED:
        return version
    hint = f"give three numbers, {SUPPORTED[0]} to {SUPPORTED[-1]}, such as {DEFAULT}"
    raise ScriptError("FX-FLK-0002", f"Flink '{version}' is not supported", hint=hint)
