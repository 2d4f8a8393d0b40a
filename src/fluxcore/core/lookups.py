"""What a join asks for rows by key: a table of a connector that finds them, or a function of the user."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from fluxcore.core import registry
from fluxcore.core.duration import duration_ms
from fluxcore.core.ports import LookupRequest, LookupSource, Option
from fluxcore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.schema import Schema

CAPACITY = 100
"""Lookups that run at once where nothing else is said, as in Flink."""

LOOKUP_OPTIONS = (
    Option(
        "lookup.cache", "enum", "NONE", choices=("NONE", "PARTIAL", "FULL"),
        help="What a lookup join keeps: nothing, rows that were asked for, or the whole table as it was at the start.",
    ),
    Option("lookup.partial-cache.max-rows", "integer", help="The most rows that are kept; the longest unused ones go."),
    Option("lookup.partial-cache.expire-after-access", "duration", help="A key not asked for so long is asked again."),
    Option("lookup.partial-cache.expire-after-write", "duration", help="A key is asked again after so long."),
    Option("lookup.partial-cache.cache-missing-key", "boolean", "true", help="Whether it is kept that a key has no row."),
    Option("lookup.max-retries", "integer", "3", help="How often a failed lookup is tried again."),
    Option("lookup.async", "boolean", "false", help="Whether several lookups run at once."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LookupOptions:
    """How rows are kept and asked for; ``None`` is without a bound. ``capacity`` is how many lookups run at once."""

    cached: bool = False
    rows_max: int | None = None
    after_access_ms: int | None = None
    after_write_ms: int | None = None
    missing: bool = True
    retries: int = 3
    capacity: int = 1
    timeout_s: float | None = None

    @staticmethod
    def of(options: Mapping[str, str]) -> LookupOptions:
        """Return the options of a table, which were checked when it was declared."""

        def length(name: str) -> int | None:
            text = options.get(f"lookup.partial-cache.{name}")
            return None if text is None else duration_ms(text)

        rows = options.get("lookup.partial-cache.max-rows")
        return LookupOptions(
            cached=options.get("lookup.cache") == "PARTIAL",
            rows_max=None if rows is None else int(rows),
            after_access_ms=length("expire-after-access"),
            after_write_ms=length("expire-after-write"),
            missing=options.get("lookup.partial-cache.cache-missing-key", "true").lower() == "true",
            retries=int(options.get("lookup.max-retries", "3")),
            capacity=CAPACITY if options.get("lookup.async", "false").lower() == "true" else 1,
        )


class Asked(Protocol):
    """What a lookup join asks."""

    @property
    def name(self) -> str:
        """Return a name for people."""
        ...

    @property
    def key_names(self) -> tuple[str, ...]:
        """Return the names of its keys."""
        ...

    @property
    def options(self) -> LookupOptions:
        """Return how rows are kept and asked for."""
        ...

    def narrowed(self, kept: Sequence[int]) -> Asked:
        """Return the same with some of its columns."""
        ...

    def source(self, settings: Mapping[str, str]) -> LookupSource:
        """Return what finds rows; it is not opened."""
        ...


@dataclass(frozen=True)
class AskedTable:
    """A table of a connector that finds rows by ``keys``; the positions of keys and columns are the table's."""

    table: TableDescription
    keys: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self.table.name

    @property
    def key_names(self) -> tuple[str, ...]:
        """Return the names of the keys."""
        return tuple(self.table.schema[index].name for index in self.keys)

    @property
    def options(self) -> LookupOptions:
        """Return what the table's options say."""
        return LookupOptions.of(self.table.options)

    def narrowed(self, kept: Sequence[int]) -> AskedTable:
        """Return the table with some of its columns."""
        return replace(self, columns=tuple(self.columns[index] for index in kept))

    def source(self, settings: Mapping[str, str]) -> LookupSource:
        """Return the connector's source."""
        connector = registry.connector(self.table.options["connector"])
        return connector.lookup(LookupRequest(self.table, self.keys, self.columns, settings))


@dataclass(frozen=True)
class AskedFunction:
    """A function of the user that gives the rows of one key, as a dict, several dicts, or None; it may be ``async``.

    ``keys`` are the columns that it takes, in its order; ``columns`` what it gives.
    """

    function: Callable[..., Any]
    keys: Schema
    columns: Schema
    options: LookupOptions = field(default_factory=LookupOptions)

    @property
    def name(self) -> str:
        """Return the function's name."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Return the names of the columns that it takes."""
        return tuple(self.keys.names)

    def narrowed(self, kept: Sequence[int]) -> AskedFunction:
        """Return the function with some of the columns that it gives."""
        return replace(self, columns=self.columns.select(kept))

    def source(self, settings: Mapping[str, str]) -> LookupSource:  # noqa: ARG002
        """Return what calls the function."""
        return _FunctionSource(self)


class _FunctionSource(LookupSource):
    """Calls a function key by key: a plain one in the threads that ask, an ``async`` one on a loop of its own."""

    def __init__(self, asked: AskedFunction) -> None:
        self._asked = asked
        function = asked.function
        self._async = iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
        self.concurrent = not self._async
        both = [*asked.keys.columns, *asked.columns.columns]
        self._schema = pa.schema([pa.field(f"c{index}", column.type.arrow()) for index, column in enumerate(both)])
        self._loop: asyncio.AbstractEventLoop | None = None

    def find(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        """Call the function for each key; return the rows of all of them.

        Raises: ``DataError`` FX-RUN-0240 when it fails, FX-RUN-0241 when what it gives doesn't fit its schema.
        """
        values = list(zip(*(column.to_pylist() for column in keys.columns), strict=True))
        found = self._awaited(values) if self._async else [self._called(each) for each in values]
        try:
            rows = [(*key, *row) for key, answer in zip(values, found, strict=True) for row in self._rows(answer)]
            columns = list(zip(*rows, strict=True)) or [()] * len(self._schema)
            arrays = [pa.array(each, field.type) for each, field in zip(columns, self._schema, strict=True)]
        except (pa.ArrowException, TypeError, AttributeError) as error:
            hint = "a dict of its columns, several of them, or None"
            message = f"what {self._asked.name} gave doesn't fit its schema: {error}"
            raise DataError("FX-RUN-0241", message, hint=hint) from error
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _called(self, key: tuple[Any, ...]) -> Any:
        for left in range(self._asked.options.retries, -1, -1):
            try:
                return self._asked.function(*key)
            except Exception as error:
                if left == 0 or not isinstance(error, OSError):
                    raise self._failed(key, error) from error
        return None

    async def _called_later(self, key: tuple[Any, ...], room: asyncio.Semaphore) -> Any:
        options = self._asked.options
        async with room:
            for left in range(options.retries, -1, -1):
                try:
                    return await asyncio.wait_for(self._asked.function(*key), options.timeout_s)
                except Exception as error:
                    if left == 0 or not isinstance(error, OSError):
                        raise self._failed(key, error) from error
        return None

    def _failed(self, key: tuple[Any, ...], error: Exception) -> DataError:
        shown = ", ".join(map(repr, key))
        message = f"{self._asked.name}({shown}) failed: {type(error).__name__}: {error}".rstrip(": ")
        return DataError("FX-RUN-0240", message, hint="a function that finds no row returns None")

    def close(self) -> None:
        """End the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _awaited(self, keys: Sequence[tuple[Any, ...]]) -> list[Any]:
        async def every() -> list[Any]:
            room = asyncio.Semaphore(self._asked.options.capacity)
            async with asyncio.TaskGroup() as group:  # the first failure cancels the others
                tasks = [group.create_task(self._called_later(key, room)) for key in keys]
            return [task.result() for task in tasks]

        try:
            return asyncio.run_coroutine_threadsafe(every(), self._running()).result()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed.exceptions[0].__cause__

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name=f"lookup {self._asked.name}", daemon=True).start()
        return self._loop

    def _rows(self, answer: Any) -> Iterable[tuple[Any, ...]]:
        rows = [] if answer is None else [answer] if isinstance(answer, Mapping) else list(answer)
        names = self._asked.columns.names
        return [tuple(row.get(name) for name in names) for row in rows]


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
