"""Brings the rows of a query from the cluster into a sink here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.operators.materialize import Multiset
from fluxcore.targets.flink.settings import DEFAULT_ZONE, ZONE
from fluxcore.targets.flink.types import has_instants, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.ports import Sink
    from fluxcore.core.schema import Schema
    from fluxcore.targets.flink.gateway import GatewaySession


class Results:
    """The rows of one query, which is sent at once. ``job`` is the id of the job that gives them, once it is known.

    In: ``changes`` whether each change is wanted, not the final table; ``schema`` what rows must be like, when not as they come.
    """

    def __init__(self, session: GatewaySession, query: str, *, changes: bool, schema: pa.Schema | None = None) -> None:
        self._schema = schema
        self._session = session
        self._operation = session.submit(query)
        self._changes = changes
        self.job: str | None = None

    def give(
        self,
        sink_of: Callable[[Schema], Sink],
        started: Callable[[str], None] = lambda job: None,  # noqa: ARG005
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write all rows into the sink that ``sink_of`` makes: each change as it comes, or the final table at the end.

        A failure, and a stop before a final table is whole, abort the sink.

        Raises: ``RestError`` with the root cause when the statement is wrong or the job fails.
        """
        sink: Sink | None = None
        table: Multiset | None = None
        zone = DEFAULT_ZONE
        try:
            for page in self._operation.pages(stopped):
                if sink is None:
                    sink = sink_of(page.schema)
                    sink.open()
                    if any(has_instants(column.type) for column in page.schema):
                        zone = self._session.properties().get(ZONE, DEFAULT_ZONE)
                    table = None if self._changes else Multiset(self._schema or _plain(page.schema))
                if page.job is not None and self.job is None:
                    self.job = page.job
                    started(page.job)
                if page.rows:
                    weights = None if page.appends else np.array(page.weights, np.int8)
                    data = rows_of(page.rows, page.schema, zone)
                    batch = Batch(data if self._schema is None else _shaped(data, self._schema), weights)
                    sink.write(batch) if table is None else table.add(batch)
            if sink is not None and stopped() and table is not None:
                sink.abort()  # a part of a final table is none
            elif sink is not None:
                if table is not None:
                    sink.write(Batch(table.take()))
                sink.commit()
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
        finally:
            if sink is not None:
                sink.close()
            self._operation.close()


def _plain(schema: Schema) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.type.arrow()) for column in schema])


def _shaped(data: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows with the names and types that the plan has for them."""
    columns = [column.cast(field.type) for column, field in zip(data.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
