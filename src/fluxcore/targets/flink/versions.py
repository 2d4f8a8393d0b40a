"""Which versions of Flink are spoken to."""

from __future__ import annotations

import re

from fluxcore.errors import ScriptError

DEFAULT = "2.3.0"
SUPPORTED = ("2.0", "2.1", "2.2", "2.3")

_FORM = re.compile(r"(\d+\.\d+)\.\d+")


def check(version: str, *, where: str = "") -> str:
    """Return a version that is supported, such as ``2.3.0``; ``where`` names the cluster that has it.

    Raises: ``ScriptError`` FX-FLK-0002 for any other.
    """
    found = _FORM.match(version)
    if found and found[1] in SUPPORTED:
        return version
    at = f"{where} has" if where else "this is"
    hint = f"FluxCore works with Flink {SUPPORTED[0]} to {SUPPORTED[-1]}; take one such as {DEFAULT}"
    raise ScriptError("FX-FLK-0002", f"{at} Flink '{version}', which is not supported", hint=hint)
