"""Settings of the interpreter that suit many threads and much data."""

from __future__ import annotations

import gc
import sys

from fluxcore.limits import SWITCH_INTERVAL_S


def quiet_interpreter() -> None:
    """Make hand-overs between threads quick, and keep the collector from walking all that is loaded again and again.

    It would stop everything for tenths of a second each time.
    """
    if sys.getswitchinterval() > SWITCH_INTERVAL_S:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
