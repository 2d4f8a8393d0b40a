"""JSON over HTTP, as Flink's SQL Gateway and JobManager speak it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import urllib3

from fluxcore.errors import JobError
from fluxcore.limits import FLINK_REQUEST_TIMEOUT_S, FLINK_RETRIES
from fluxcore.targets.flink.traces import root_cause

if TYPE_CHECKING:
    from collections.abc import Mapping


class RestError(JobError):
    """A server answered, and refused. ``status`` its HTTP status, ``trace`` what it said in full."""

    def __init__(self, status: int, trace: str, *, hint: str | None = None) -> None:
        super().__init__("FX-FLK-0102", root_cause(trace), hint=hint)
        self.status = status
        self.trace = trace


class Rest:
    """One server, by the address ``http://host:port``. Numbers with a point come as ``Decimal``, so that none is rounded.

    A connection that fails before the request is sent is tried again; whatever may have been done already is not.
    """

    def __init__(self, address: str, server: str) -> None:
        self.address = address.rstrip("/")
        self._server = server
        retries = urllib3.Retry(total=None, connect=FLINK_RETRIES, read=0, status=0, other=0, backoff_factor=0.1)
        self._pool = urllib3.PoolManager(retries=retries, timeout=FLINK_REQUEST_TIMEOUT_S)

    def get(self, path: str) -> Any:
        """Return the answer to GET. Raises as :meth:`call`."""
        return self.call("GET", path)

    def text(self, path: str) -> str:
        """Return a text such as a log. Raises as :meth:`call`."""
        return self._ask("GET", path, None).decode("utf-8", "replace")

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the decoded answer.

        Raises: ``JobError`` FX-FLK-0101 when nobody answers there, FX-FLK-0103 when it is no such server; ``RestError``
        FX-FLK-0102 with the root cause when it refuses.
        """
        data = self._ask(method, path, body)
        try:
            return json.loads(data, parse_float=Decimal) if data.strip() else None
        except ValueError as error:
            message = f"what answers at {self.address} is no {self._server} of Flink"
            raise JobError("FX-FLK-0103", message, hint="look at the address") from error

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        sent = None if body is None else json.dumps(body).encode()
        try:
            response = self._pool.request(
                method, self.address + path, body=sent, headers={"Content-Type": "application/json"}
            )
        except urllib3.exceptions.HTTPError as error:
            message = f"Flink's {self._server} does not answer at {self.address}: {_reason(error)}"
            hint = "start a local cluster with `fluxcore flink up`, or look at the address"
            raise JobError("FX-FLK-0101", message, hint=hint) from error
        if response.status >= 400:
            raise RestError(response.status, _told(response.data))
        return response.data


def _told(data: bytes) -> str:
    """Return the longest of the errors in an answer: the one with the stack trace."""
    try:
        errors = json.loads(data).get("errors", [])
    except (ValueError, AttributeError):
        return data.decode("utf-8", "replace")[:2000]
    return max((str(each) for each in errors), key=len, default="no reason given")


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    inner = getattr(error, "reason", None) or error
    cause = inner.__cause__ or inner.__context__
    return str(getattr(cause, "strerror", None) or cause or inner).lower()
