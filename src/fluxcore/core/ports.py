"""What an extension implements: sources, sinks, connectors, formats, operators and the state that they ask for.

All of them work on batches. A source hands out splits; a split is read in two steps so that one file can be decoded by
several threads and still be delivered in order: ``take`` cuts the next raw unit (sequential, cheap) and ``decode`` turns
it into a batch (pure, called from any thread).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from fluxcore.core.batch import Batch
    from fluxcore.core.partial import Partial
    from fluxcore.core.schema import Schema
    from fluxcore.core.time import Clock
    from fluxcore.core.types import DataType
    from fluxcore.errors import Span


class Signal(Enum):
    """What ``take`` says when there is no unit to hand out."""

    NOTHING_NOW = "nothing now"
    END = "end"


class RowPolicy(Enum):
    """What happens to a row that can't be read: the job fails, the row is skipped, or it goes to a file."""

    FAIL = "fail"
    SKIP = "skip"
    DEAD_LETTER = "dead-letter"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a connector or format, as written in ``WITH (...)``.

    ``kind`` is one of string, integer, boolean, duration, memory, enum. ``extension`` marks what Flink doesn't have.
    """

    name: str
    kind: str = "string"
    default: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""
    extension: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A simple comparison ``column OP value`` that a reader may use to skip whole blocks (op: = < <= > >=)."""

    column: int
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Pushdown:
    """A predicate that the reader applies itself.

    ``mask`` maps a batch of the *requested* columns to a boolean array (null counts as false); ``bounds`` are those of
    its conjuncts that statistics can judge, with positions in the requested columns; ``columns`` the positions that the
    mask reads, so that a reader can decode those first.
    """

    mask: Callable[[pa.RecordBatch], pa.BooleanArray]
    bounds: tuple[Bound, ...] = ()
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TableDescription:
    """A table as declared: the name, the physical columns, the WITH options, and where it was declared.

    ``spans`` maps an option's name to its place in the script, for error messages. ``metadata`` maps the position of
    a metadata column in ``schema`` to the connector's metadata key. ``time_column`` is the position of the column that the
    watermark is declared on, where that is a physical one: a NULL in it is a fault of the row.
    """

    name: str
    schema: Schema
    options: Mapping[str, str]
    primary_key: tuple[int, ...] = ()
    partitioned_by: tuple[int, ...] = ()
    metadata: Mapping[int, str] = field(default_factory=dict)
    time_column: int | None = None
    span: Span | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What a plan wants of a source: which columns of the table's schema, in which order, and a predicate.

    With a ``limit`` a source may stop when it has given so many rows that pass; it need not. ``partitions`` maps a batch of
    the columns that the table is partitioned by, a row a partition, to a boolean array that says which ones are read (null
    counts as false); a source without partitions never gets one.
    """

    table: TableDescription
    columns: tuple[int, ...]
    pushdown: Pushdown | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    partitions: Callable[[pa.RecordBatch], pa.BooleanArray] | None = None


@dataclass(frozen=True, slots=True)
class SinkRequest:
    """What a plan hands to a sink: the table, and the schema of the rows (types equal, names may differ).

    With ``overwrite`` the rows take the place of what the table held; those of a partitioned table of what their partitions
    held. ``fixed`` are the constants that all rows have in columns of the partition, by the columns' positions: where there
    is one for each, that partition is replaced even by no rows.
    """

    table: TableDescription
    schema: Schema
    settings: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False
    fixed: Mapping[int, pa.Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What a join wants of a table that is asked by key: the positions of the keys and of the wanted columns."""

    table: TableDescription
    keys: tuple[int, ...]
    columns: tuple[int, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


class LookupSource(ABC):
    """Finds rows of a table by key. With ``concurrent`` several threads may call :meth:`find` at once."""

    concurrent: bool = False

    def open(self) -> None:  # noqa: B027
        """Take resources; called before the first :meth:`find`."""

    @abstractmethod
    def find(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that have one of the keys: the key's columns, then the wanted ones.

        In: keys that differ from each other and hold no NULL. Out: any number of rows for each, in any order. A raised
        ``OSError`` is tried again as often as the table's options say.
        """

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once."""


class SplitReader(ABC):
    """Reads one split. ``take`` is called by one thread at a time; ``decode`` by any number."""

    @abstractmethod
    def take(self) -> Any:
        """Return the next raw unit in order, or a :class:`Signal`."""

    @abstractmethod
    def decode(self, unit: Any) -> Batch:
        """Return the rows of a unit that ``take`` returned: the requested columns, no watermark steps."""

    def position(self) -> Mapping[str, Any]:
        """Return where the next ``take`` starts, as plain JSON values."""
        return {}

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, after the last ``take`` and ``decode``."""


class Split(ABC):
    """A part of a source that is read in order: a file, a partition, a range."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return a name for messages and metrics, such as the file's path."""

    @abstractmethod
    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from the start, or from a position that a reader gave."""


class Source(ABC):
    """Where a scan's rows come from."""

    bounded: bool = True
    replayable: bool = True

    @abstractmethod
    def splits(self) -> Sequence[Split]:
        """Return the splits in the order in which they should be read."""

    def size(self) -> int | None:
        """Return about how many bytes there are to read; None where that isn't known. Called after :meth:`splits`."""
        return None

    def rows(self) -> int | None:
        """Return how many rows there are before any predicate; None where that isn't known without reading them."""
        return None

    def statistics(self) -> Mapping[str, int]:
        """Return counts such as ``skipped_rows`` and ``dead_letter_rows`` so far."""
        return {}


class ChangeMode(Enum):
    """Which changelog a sink takes."""

    APPEND = "append"
    UPSERT = "upsert"
    RETRACT = "retract"


class Sink(ABC):
    """Where rows go. One thread at a time calls it, in the order open, write*, then commit or abort, close."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset({ChangeMode.APPEND})
    guarantee: ClassVar[str] = "at-least-once"

    def open(self) -> None:  # noqa: B027  (a sink without resources needs none)
        """Take resources; called before the first write."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Take a batch of rows, weights included."""

    def flush(self) -> None:  # noqa: B027
        """Make everything written so far visible, for sinks that show live results."""

    @abstractmethod
    def commit(self) -> None:
        """Make all rows visible for good: the input ended, or an unbounded job was stopped."""

    def abort(self) -> None:  # noqa: B027
        """Undo what can be undone: the job failed or a bounded job was cancelled."""

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, also after a failure."""

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the rows that the sink keeps in memory."""
        return 0


class Connector(ABC):
    """A connector as the entry-point group ``fluxcore.connectors`` names it: makes sources and sinks from options."""

    name: ClassVar[str]
    options: ClassVar[Sequence[Option]] = ()
    replaces: ClassVar[bool] = False
    """Whether its sink can put rows in the place of what a table holds."""
    takes_partitions: ClassVar[bool] = False
    """Whether its sink takes rows of tables that are PARTITIONED BY columns."""
    writes_metadata: ClassVar[bool] = False
    """Whether its sink takes metadata columns that are not VIRTUAL."""

    def options_for(self, given: Mapping[str, str]) -> Sequence[Option]:  # noqa: ARG002
        """Return all options that count with these given ones (a format's options included)."""
        return self.options

    def validate(self, table: TableDescription) -> None:  # noqa: B027
        """Raise a ``ScriptError`` for options that don't fit each other or the schema. Names are checked by the caller."""

    def metadata(self, given: Mapping[str, str]) -> Mapping[str, DataType]:  # noqa: ARG002
        """Return the keys of the metadata that the source can put into columns, with their types, for these options."""
        return {}

    def partitions(self, table: TableDescription) -> Sequence[Sequence[tuple[str, str]]]:  # noqa: ARG002
        """Return the partitions that a table has now, each as the names and texts of its columns."""
        return ()

    def source(self, request: ScanRequest) -> Source:
        """Return the source for a scan. Raises a ``ScriptError`` when the connector can't be read."""
        raise NotImplementedError

    def sink(self, request: SinkRequest) -> Sink:
        """Return the sink for an insert. Raises a ``ScriptError`` when the connector can't be written."""
        raise NotImplementedError

    def lookup(self, request: LookupRequest) -> LookupSource:
        """Return what finds rows by key. Raises a ``ScriptError`` when the table can't be asked by key."""
        raise NotImplementedError

    def searchable(self) -> bool:
        """Return whether the connector finds rows by key."""
        return type(self).lookup is not Connector.lookup

    def readable(self) -> bool:
        """Return whether the connector has a source."""
        return type(self).source is not Connector.source

    def writable(self) -> bool:
        """Return whether the connector has a sink."""
        return type(self).sink is not Connector.sink


class KeyedTable(Protocol):
    """A columnar table with one slot per key (see ``fluxcore.state``).

    Keys are given as columns: Arrow arrays of the declared key types, or int64 NumPy arrays for BIGINT NOT NULL keys. NULL
    equals NULL, NaN equals NaN and -0.0 equals 0.0. ``columns`` are NumPy views by slot over reserved memory: they stay
    valid when the table grows, and a new slot holds zeros.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by name."""
        ...

    def upsert(self, keys: Sequence[pa.Array | NDArray[Any]]) -> NDArray[Any]:
        """Return the slot (int64) of each key row, making slots for new keys."""
        ...

    def upsert_new(self, keys: Sequence[pa.Array | NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the slots, and the rows (rising) whose keys are new: the first row of each."""
        ...

    def lookup(self, keys: Sequence[pa.Array | NDArray[Any]]) -> NDArray[Any]:
        """Return the slot of each key row, -1 where there is none."""
        ...

    def delete(self, slots: NDArray[Any]) -> None:
        """Remove the keys at these distinct slots and give the slots back."""
        ...

    def key_columns(self, slots: NDArray[Any], columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the keys at these slots as Arrow columns: all of them, or those at some positions."""
        ...

    def live_slots(self) -> NDArray[Any]:
        """Return the slots in use, in the order of the slots."""
        ...

    def clear(self) -> None:
        """Remove all keys, keeping the memory."""
        ...

    def freeze(self) -> pa.RecordBatch:
        """Return all keys and values, a column each: keys first, named ``key0``…, then the value columns."""
        ...

    def restore(self, frozen: pa.RecordBatch) -> NDArray[Any]:
        """Add what :meth:`freeze` gave; return the slots (int64) of its rows, which are others than before."""
        ...

    @property
    def count(self) -> int:
        """Return the number of live keys."""
        ...

    @property
    def high(self) -> int:
        """Return how many slots, from 0 on, hold all live ones."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...


class RowTable(Protocol):
    """A columnar table of whole rows (see ``fluxcore.state``); a row is known by its slot, and equal rows may repeat.

    ``columns`` are NumPy views by slot as in :class:`KeyedTable`.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by name."""
        ...

    def add(self, data: pa.RecordBatch) -> NDArray[Any]:
        """Add rows; return their slots (int64)."""
        ...

    def take(self, slots: NDArray[Any], columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        ...

    def remove(self, slots: NDArray[Any]) -> None:
        """Remove the rows at these distinct slots."""
        ...

    def live_slots(self) -> NDArray[Any]:
        """Return the slots in use, in the order of the slots."""
        ...

    def freeze(self) -> pa.RecordBatch:
        """Return all rows, with the value columns behind them."""
        ...

    def restore(self, frozen: pa.RecordBatch) -> NDArray[Any]:
        """Add what :meth:`freeze` gave; return the slots of its rows."""
        ...

    @property
    def count(self) -> int:
        """Return the number of rows."""
        ...

    @property
    def high(self) -> int:
        """Return how many slots, from 0 on, hold all live ones."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...


class RowLog(Protocol):
    """Rows that only ever come, each with a 64-bit key by which it is found (see ``fluxcore.state``).

    Slots count from 0 in the order of arrival. ``columns`` are NumPy views by slot as in :class:`KeyedTable`.
    """

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the value columns by name."""
        ...

    def add(self, data: pa.RecordBatch, keys: NDArray[Any], rows: NDArray[Any] | None = None) -> NDArray[Any]:
        """Keep the rows of a batch, or those at ``rows`` (rising), with their keys (int64); return their slots (int64)."""
        ...

    def take(self, slots: NDArray[Any], columns: Sequence[int] | None = None) -> list[pa.Array]:
        """Return the rows at these slots as Arrow columns: all of them, or those at some positions."""
        ...

    def pairs(self, keys: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield (places within ``keys``, slots) of all pairs of an asked key and a row that has it, in portions."""
        ...

    def clear(self) -> None:
        """Forget all rows and give their memory back."""
        ...

    def freeze(self) -> pa.RecordBatch:
        """Return all rows, with the value columns behind them."""
        ...

    @property
    def count(self) -> int:
        """Return the number of rows."""
        ...

    @property
    def nbytes(self) -> int:
        """Return the bytes in use."""
        ...


class StateBackend(Protocol):
    """Makes the tables in which operators keep all of their keyed state."""

    def table(self, name: str, keys: Sequence[DataType], columns: Mapping[str, str]) -> KeyedTable:
        """Return the keyed table ``name`` with these key types and value columns (name -> NumPy dtype)."""
        ...

    def rows(self, name: str, schema: pa.Schema, columns: Mapping[str, str]) -> RowTable:
        """Return the table ``name`` of whole rows, with value columns (name -> NumPy dtype)."""
        ...

    def log(self, name: str, schema: pa.Schema, columns: Mapping[str, str]) -> RowLog:
        """Return the log ``name`` of rows that only ever come, with value columns (name -> NumPy dtype)."""
        ...

    def close(self) -> None:
        """Give the memory of all tables back."""
        ...


def no_side(tag: str, batch: Batch) -> None:
    """Take rows that an operator gives to a side output that nobody reads."""


def no_wake() -> None:
    """Do nothing: nobody waits for the operator."""


@dataclass(slots=True)
class OperatorContext:
    """What the runtime gives an operator: state, a clock, places for late rows and for side outputs, counters.

    ``wake()``, from any thread, has the runtime ask for ``next_tick`` anew.

    ``side(tag, batch)`` gives rows to a side output, with steps as of those that are returned; they go out before the rows that
    the running call returns.
    """

    name: str
    state: StateBackend
    clock: Clock
    late: Callable[[Batch], None]
    counters: dict[str, int] = field(default_factory=dict)
    side: Callable[[str, Batch], None] = no_side
    wake: Callable[[], None] = no_wake

    def count(self, name: str, amount: int) -> None:
        """Add to one of the operator's counters, such as ``late_rows``."""
        self.counters[name] = self.counters.get(name, 0) + amount


class Operator(ABC):
    """A stateful operator. One thread calls it.

    The runtime hands ``process`` a batch whose steps are the operator's *combined* watermark over all inputs, then calls
    ``advance`` with the watermark after the batch, then passes that watermark on. Rows that ``process`` returns carry
    steps for their source rows (``Batch.steps_for``) when they are passed through as of those rows; rows fired by
    ``advance`` carry none.
    """

    def open(self, context: OperatorContext) -> None:
        """Make state; called once before the first batch."""
        self.context = context

    @abstractmethod
    def process(self, batch: Batch, port: int = 0) -> Iterable[Batch]:
        """Take a batch of input ``port`` and return the rows that it causes at once.

        An operator that waits yields its rows as they come.
        """

    def process_partial(self, partial: Partial) -> Iterable[Batch]:
        """Take rows that were aggregated before they were sent; the steps of the whole are the combined ones."""
        return self.process(partial.all_rows())

    def port_ended(self, port: int) -> Sequence[Batch]:  # noqa: ARG002
        """Learn that no more rows come at a port, and return the rows that this causes; ``advance`` follows."""
        return ()

    def advance(self, watermark: int) -> Sequence[Batch]:  # noqa: ARG002
        """Take a new watermark (ms; ``MAX_TIME_MS`` at the end of input) and return the rows that it fires."""
        return ()

    @property
    def next_tick(self) -> int | None:
        """Return the processing time (ms) at which the operator wants :meth:`tick`; None while it wants none."""
        return None

    def tick(self, now: int) -> Sequence[Batch]:  # noqa: ARG002
        """Learn that the clock has reached ``next_tick``, and return the rows that this fires.

        It comes between two batches, also while no rows come. In: ``now`` (ms); at the end of input, after the last
        ``advance``, it is ``MAX_TIME_MS``, once, if a tick is wanted: what is open is given then. Afterwards nobody asks.
        """
        return ()

    def output_watermark(self, watermark: int) -> int:
        """Return the watermark of the rows that come out, once the operator has advanced to ``watermark``."""
        return watermark

    def finish(self) -> Iterable[Batch]:
        """Return the last rows; called once, after all inputs ended and after the last ``advance``."""
        return ()

    @property
    def awaits(self) -> bool:
        """Return whether rows will come out though none come in: then the operator is not idle when its inputs are."""
        return False

    @property
    def satisfied(self) -> bool:
        """Return whether no further row can change what comes out, so that sources read for it alone may end.

        Asked from any thread.
        """
        return False

    @property
    def ticks(self) -> bool:
        """Return whether the operator may ever want a tick."""
        return type(self).tick is not Operator.tick

    def freeze(self) -> Mapping[str, pa.RecordBatch]:
        """Return all that the operator knows, at a batch boundary; it may go on afterwards.

        Each batch is marked with how it is divided among another number of tasks (see ``fluxcore.core.frozen``): ``keyed``
        by the columns that the exchange hashes, ``beside`` the rows of another batch, or ``shared`` by all tasks. Rows of
        several tasks must be able to stand behind each other: what one task numbers by itself is frozen as values, or as
        row numbers of another batch.
        """
        raise NotImplementedError(f"{type(self).__name__} can't be frozen")

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from what :meth:`freeze` gave, here or in several tasks whose states were put together.

        Called once, after :meth:`open` and before the first batch.
        """
        raise NotImplementedError(f"{type(self).__name__} can't be restored")

    def cancel(self) -> None:  # noqa: B027
        """Learn, in any thread, that the job is stopped: who waits for something else than the clock waits no longer."""

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, also when it was never opened."""

    @property
    def state_rows(self) -> int:
        """Return the number of keys and rows kept."""
        return 0

    @property
    def state_bytes(self) -> int:
        """Return the bytes kept."""
        return 0


@dataclass(frozen=True)
class CustomOperator:
    """An operator that a program brings: ``make`` makes the one of each task; ``sides`` are its side outputs' columns by tag."""

    make: Callable[[], Operator]
    sides: Mapping[str, pa.Schema] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return getattr(self.make, "__name__", type(self.make).__name__)
