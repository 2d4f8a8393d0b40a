"""Random and sequential rows, as Flink's datagen connector makes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch
from fluxcore.core.duration import duration_ms
from fluxcore.core.ports import Connector, Option, Signal, Source, Split, SplitReader
from fluxcore.core.types import (
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    StringType,
    TimestampType,
)
from fluxcore.errors import ScriptError, nearest, not_supported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import ScanRequest, TableDescription

_UNIT_ROWS = 65_536
_SEEDED_ROWS = 1_024
"""Rows that are made from one seed, so that the same row is the same however rows are cut."""
_LETTERS = np.frombuffer(b"0123456789abcdef", np.uint8)


class DatagenConnector(Connector):
    """Makes rows from a random or a sequence generator per column."""

    name = "datagen"
    options = (
        Option("rows-per-second", "integer", "10000", help="Rows per second at the most."),
        Option(
            "number-of-rows", "integer", help="How many rows; without it, and without sequences, the table never ends."
        ),
        Option("fields.#.kind", "enum", "random", choices=("random", "sequence"), help="How a column is made."),
        Option("fields.#.min", help="The smallest random value."),
        Option("fields.#.max", help="The largest random value."),
        Option("fields.#.max-past", "duration", "0", help="How far before now a random time may be."),
        Option("fields.#.length", "integer", "100", help="The length of random text."),
        Option("fields.#.null-rate", help="The share of NULLs, 0 to 1."),
        Option("fields.#.start", "integer", help="The first value of a sequence."),
        Option("fields.#.end", "integer", help="The last value of a sequence; then the table ends."),
        Option("seed", "integer", help="Makes the random values the same every time.", extension=True),
    )

    def validate(self, table: TableDescription) -> None:
        """Check the options of each column. Raises ``ScriptError`` FX-CON-0121 and 0122."""
        for key in table.options:
            parts = key.split(".")
            if parts[0] == "fields" and table.schema.find(".".join(parts[1:-1])) is None:
                message = f"'{key}' names no column"
                hint = nearest(".".join(parts[1:-1]), table.schema.names)
                raise ScriptError("FX-CON-0121", message, span=table.spans.get(key), hint=hint)
        for column in table.schema:
            _Field(column.name, column.type, table)

    def source(self, request: ScanRequest) -> Source:
        """Return the source."""
        return DatagenSource(request)


class _Field:
    """How one column is made."""

    def __init__(self, name: str, type_: DataType, table: TableDescription) -> None:
        self.type = type_
        self._table = table
        self._name = name
        self.sequence = self._text("kind") == "sequence"
        self.null_rate = self._number("null-rate", 0.0)
        if self.sequence:
            if not isinstance(type_, IntegerType | StringType | DecimalType | FloatType):
                raise self._wrong("kind", f"{type_.name()} has no sequence")
            if self._text("start") is None or self._text("end") is None:
                raise self._wrong("kind", "a sequence needs fields.…start and fields.…end")
            self.start, self.end = int(self._number("start", 0)), int(self._number("end", 0))
            return
        self._limits()

    def _limits(self) -> None:
        type_ = self.type
        if isinstance(type_, IntegerType):
            low, high = -(2 ** (type_.bits - 1)), 2 ** (type_.bits - 1) - 1
            self.low: float = int(self._number("min", low))
            self.high: float = int(self._number("max", high))
        elif isinstance(type_, FloatType | DecimalType):
            wide = 10.0 ** (type_.precision - type_.scale) - 1 if isinstance(type_, DecimalType) else 1e9
            self.low, self.high = self._number("min", 0.0), self._number("max", wide)
        elif isinstance(type_, StringType):
            self.length = min(int(self._number("length", 100)), type_.length)
        elif isinstance(type_, TimestampType | DateType):
            self.past_ms = duration_ms(self._text("max-past") or 0)
        elif not isinstance(type_, BooleanType):
            raise not_supported(f"datagen of {type_.name()}", span=self._table.span)
        if isinstance(type_, IntegerType | FloatType | DecimalType) and self.low > self.high:
            raise self._wrong("min", "it is larger than the largest value")

    def values(self, first: int, rows: int, random: np.random.Generator) -> pa.Array:
        """Return the column for row numbers from ``first`` on."""
        made = self._sequence(first, rows) if self.sequence else self._random(rows, random)
        if self.null_rate:
            made = pc.if_else(pa.array(random.random(rows) < self.null_rate), pa.scalar(None, made.type), made)
        return made

    def _sequence(self, first: int, rows: int) -> pa.Array:
        return pa.array(np.arange(self.start + first, self.start + first + rows)).cast(self.type.arrow())

    def _random(self, rows: int, random: np.random.Generator) -> pa.Array:
        type_ = self.type
        if isinstance(type_, BooleanType):
            return pa.array(random.random(rows) < 0.5)
        if isinstance(type_, IntegerType):
            return pa.array(random.integers(int(self.low), int(self.high), rows, endpoint=True)).cast(type_.arrow())
        if isinstance(type_, FloatType | DecimalType):
            doubles = pa.array(self.low + random.random(rows) * (self.high - self.low))
            if isinstance(type_, DecimalType):
                return pc.round(doubles, type_.scale).cast(pa.decimal128(38, type_.scale)).cast(type_.arrow())
            return doubles.cast(type_.arrow())
        if isinstance(type_, StringType):
            content = _LETTERS[random.integers(0, 16, rows * self.length)]
            offsets = np.arange(rows + 1, dtype=np.int32) * self.length
            return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(content)])
        now = time.time_ns() // 1_000_000
        times = now - (random.random(rows) * self.past_ms).astype(np.int64)
        stamps = pa.array(times).cast(pa.timestamp("ms"))
        if isinstance(type_, TimestampType) and type_.local:
            return stamps.cast(pa.timestamp("ms", "UTC")).cast(type_.arrow())
        return stamps.cast(type_.arrow(), safe=False)

    def _text(self, option: str) -> str | None:
        return self._table.options.get(f"fields.{self._name}.{option}")

    def _number(self, option: str, default: float) -> float:
        text = self._text(option)
        if text is None:
            return default
        try:
            return float(text) if "." in text or "e" in text.lower() else int(text)
        except ValueError as error:
            raise self._wrong(option, "it must be a number") from error

    def _wrong(self, option: str, why: str) -> ScriptError:
        key = f"fields.{self._name}.{option}"
        return ScriptError("FX-CON-0122", f"'{key}' is wrong: {why}", span=self._table.spans.get(key, self._table.span))


class DatagenSource(Source):
    """One split of made rows."""

    replayable = False

    def __init__(self, request: ScanRequest) -> None:
        self.request = request
        table = request.table
        options = table.options
        self.fields = [_Field(table.schema[i].name, table.schema[i].type, table) for i in range(len(table.schema))]
        ends = [field.end - field.start + 1 for field in self.fields if field.sequence]
        if "number-of-rows" in options:
            ends.append(int(options["number-of-rows"]))
        self.row_count = min(ends) if ends else None
        self.per_second = int(options.get("rows-per-second", "10000"))
        self.seed = int(options["seed"]) if "seed" in options else None
        self.bounded = self.row_count is not None

    def splits(self) -> list[Split]:
        """Return the one split."""
        return [DatagenSplit(self)]

    def rows(self) -> int | None:
        """Return how many rows will be made; None for no end of them."""
        return self.row_count


class DatagenSplit(Split):
    """The rows from the first on."""

    def __init__(self, source: DatagenSource) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """Return a name for messages."""
        return "datagen"

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from a row number on."""
        return DatagenReader(self._source, int(position["row"]) if position else 0)


class DatagenReader(SplitReader):
    """Hands out ranges of row numbers as they are due."""

    def __init__(self, source: DatagenSource, first: int) -> None:
        self._source = source
        self._first = self._next = first
        self._started = time.monotonic()
        schema = source.request.table.schema
        self._schema = pa.schema([pa.field(schema[i].name, schema[i].type.arrow()) for i in source.request.columns])

    def take(self) -> tuple[int, int] | Signal:
        """Return first row number and number of rows."""
        rows = self._source.row_count
        if rows is not None and self._next >= rows:
            return Signal.END
        due = self._first + int((time.monotonic() - self._started) * self._source.per_second) + 1
        last = min(self._next + _UNIT_ROWS, due, rows if rows is not None else due)
        if last <= self._next:
            return Signal.NOTHING_NOW
        unit = (self._next, last - self._next)
        self._next = last
        return unit

    def decode(self, unit: tuple[int, int]) -> Batch:
        """Return the rows of a range."""
        first, rows = unit
        source = self._source
        arrays = [self._values(index, first, rows) for index in source.request.columns]
        data = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        pushdown = source.request.pushdown
        return Batch(data) if pushdown is None else Batch(data).filter(pushdown.mask(data))

    def _values(self, index: int, first: int, rows: int) -> pa.Array:
        """Return a column of a range; with a seed it does not depend on how rows are cut into ranges."""
        source = self._source
        if source.seed is None:
            return source.fields[index].values(first, rows, np.random.default_rng())
        start = first // _SEEDED_ROWS * _SEEDED_ROWS
        parts = [
            source.fields[index].values(at, _SEEDED_ROWS, np.random.default_rng([source.seed, index, at]))
            for at in range(start, first + rows, _SEEDED_ROWS)
        ]
        return pa.concat_arrays(parts).slice(first - start, rows)

    def position(self) -> Mapping[str, Any]:
        """Return the next row number."""
        return {"row": self._next}
