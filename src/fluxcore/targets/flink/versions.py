"""Which versions of Flink are spoken to."""

from __future__ import annotations

import re

from fluxcore.errors import JobError, ScriptError

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


def check_cluster(version: str, address: str) -> str:
    """Return the version that a cluster tells, whatever a vendor has put behind its numbers.

    Raises: ``JobError`` FX-FLK-0104 for one that FluxCore was never tried with.
    """
    found = re.match(r"\d+\.\d+", version)
    if found and found[0] in SUPPORTED:
        return version
    hint = f"FluxCore works with Flink {SUPPORTED[0]} to {SUPPORTED[-1]}; `fluxcore flink up` starts one"
    raise JobError("FX-FLK-0104", f"the cluster at {address} runs Flink {version}, which is not supported", hint=hint)
