"""Flink's SQL Gateway: sessions, statements and pages of results, over its REST API version 3 (Flink 2.0 and later)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from fluxcore.errors import JobError
from fluxcore.limits import FLINK_POLL_MAX_S, FLINK_POLL_MIN_S
from fluxcore.targets.flink import versions
from fluxcore.targets.flink.rest import Rest, RestError
from fluxcore.targets.flink.types import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from fluxcore.core.schema import Schema

_RETRACTIONS = ("UPDATE_BEFORE", "DELETE")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result. ``weights`` -1 for each row that takes one back; ``job`` the id of the job that gives them."""

    schema: Schema
    rows: list[list[Any]]
    weights: list[int]
    is_query: bool
    job: str | None

    @property
    def appends(self) -> bool:
        """Return whether no row takes one back."""
        return all(weight > 0 for weight in self.weights)


class Gateway:
    """The SQL gateway at ``host:port``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.rest = Rest(f"http://{address}", "SQL gateway")

    def version(self) -> str:
        """Return Flink's version. Raises ``JobError`` FX-FLK-0101 or 0103, and FX-FLK-0104 for one not supported."""
        try:
            found = self.rest.get("/v1/info")
        except RestError as error:
            raise self._no_gateway() from error
        if not isinstance(found, dict) or "version" not in found:
            raise self._no_gateway()
        return versions.check_cluster(str(found["version"]), self.address)

    def _no_gateway(self) -> JobError:
        message = f"what answers at {self.address} is no SQL gateway of Flink"
        return JobError("FX-FLK-0103", message, hint="the JobManager's own port is another one")

    def session(self, properties: Mapping[str, str]) -> GatewaySession:
        """Open a session with settings of Flink."""
        answer = self.rest.call("POST", "/v3/sessions", {"sessionName": "fluxcore", "properties": dict(properties)})
        return GatewaySession(self.rest, answer["sessionHandle"])


class GatewaySession:
    """One session: its tables and settings live as long as it is used now and then. Close it when done."""

    def __init__(self, rest: Rest, handle: str) -> None:
        self._rest = rest
        self._path = f"/v3/sessions/{handle}"
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def properties(self) -> dict[str, str]:
        """Return all settings of the session, the cluster's own included."""
        return dict(self._rest.get(self._path)["properties"])

    def heartbeat(self) -> None:
        """Keep the session alive."""
        self._rest.call("POST", f"{self._path}/heartbeat")

    def submit(self, statement: str) -> Operation:
        """Send a statement; return the operation that runs it. Raises ``RestError``."""
        answer = self._rest.call("POST", f"{self._path}/statements", {"statement": statement})
        return Operation(self._rest, f"{self._path}/operations/{answer['operationHandle']}")

    def run(self, statement: str) -> Page:
        """Run a statement that is no query to its end and return its answer. Raises ``RestError``."""
        operation = self.submit(statement)
        try:
            pages = list(operation.pages())
        finally:
            operation.close()
        first = pages[0]
        rows = [row for page in pages for row in page.rows]
        return Page(first.schema, rows, [1] * len(rows), first.is_query, first.job)

    def close(self) -> None:
        """End the session, once. Jobs of INSERTs go on; queries end."""
        if not self._closed:
            self._closed = True
            self._rest.call("DELETE", self._path)


class Operation:
    """A statement that runs in a session."""

    def __init__(self, rest: Rest, path: str) -> None:
        self._rest = rest
        self._path = path

    def pages(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[Page]:
        """Yield the result page by page, the first one as soon as the columns are known; end early when ``stopped`` says so.

        Raises: ``RestError`` with the root cause when the statement is wrong or its job fails.
        """
        uri, pause, told = f"{self._path}/result/0?rowFormat=JSON", FLINK_POLL_MIN_S, False
        while uri and not stopped():
            answer = self._fetch(uri)
            ready = answer["resultType"] != "NOT_READY"
            page = _page(answer) if ready else None
            if page is not None and (page.rows or not told):
                told = True
                pause = FLINK_POLL_MIN_S
                yield page
            else:
                time.sleep(pause)
                pause = min(2 * pause, FLINK_POLL_MAX_S)
            uri = answer.get("nextResultUri")

    def close(self) -> None:
        """Forget the operation: a query's job ends, an INSERT's job goes on."""
        self._rest.call("DELETE", f"{self._path}/close")

    def _fetch(self, uri: str) -> Any:
        try:
            return self._rest.get(uri)
        except RestError as error:
            if "Could not map response to JSON" in error.trace:
                error.hint = "the gateway gives no MAP whose keys are not text, nor a VARIANT: CAST the column to STRING, or write JSON_STRING(v)"
            raise


def _page(answer: Mapping[str, Any]) -> Page:
    results = answer["results"]
    rows = [each["fields"] for each in results["data"]]
    weights = [-1 if each["kind"] in _RETRACTIONS else 1 for each in results["data"]]
    return Page(schema_of(results["columns"]), rows, weights, answer["isQueryResult"], answer.get("jobID"))
