"""Asks a process of Flink whether it is ready."""

from __future__ import annotations

from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from fluxcore.limits import FLINK_ANSWER_S


def ask(url: str, within_s: float = FLINK_ANSWER_S) -> dict[str, Any] | None:
    """Return the JSON object at an address, None while nobody answers with one."""
    try:
        with urllib3.PoolManager() as pool:
            response = pool.request("GET", url, timeout=within_s, retries=False)
            found = response.json() if response.status == 200 else None
    except (HTTPError, ValueError):
        return None
    return found if isinstance(found, dict) else None
