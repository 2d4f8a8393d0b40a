"""Whether a cluster can run functions in Python: it needs PyFlink beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.errors import FluxError, JobError
from fluxcore.targets.flink.cluster.cluster import default_work
from fluxcore.targets.flink.cluster.record import load
from fluxcore.targets.flink.traces import causes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.targets.flink.rest import RestError

_HINT = (
    "`fluxcore flink up --python` starts one that has it; on another, install apache-flink and set python.executable"
)
_MISSING = re.compile(
    r"Cannot instantiate user-defined function|No module named '?pyflink|Cannot run program|callback server|"
    r"Python process|PythonFunctionUtils|flink-python"
)


def lacks_python(gateway: str) -> bool:
    """Return whether the gateway is that of the local cluster, which was started without Python."""
    try:
        found = load(default_work())
    except JobError:
        return False
    return found is not None and f"{found.host}:{found.gateway_port}" == gateway and not found.runs_python


def check_python(gateway: str, labels: Sequence[str]) -> None:
    """Raise ``JobError`` FX-FLK-0207 where the local cluster is known to run no Python."""
    if lacks_python(gateway):
        raise _missing(labels, "it was started without --python")


def no_python(error: RestError, labels: Sequence[str]) -> FluxError | None:
    """Return what a refusal says where it is about Python: FX-FLK-0207, with what the cluster told."""
    if not _MISSING.search(error.message):
        return None
    told = causes(error.trace)
    return _missing(labels, told[-1][1] if told else error.message)


def _missing(labels: Sequence[str], why: str) -> JobError:
    names = ", ".join(dict.fromkeys(labels))
    message = f"the cluster can't run functions in Python ({names}): {why}"
    return JobError("FX-FLK-0207", message, hint=_HINT)
