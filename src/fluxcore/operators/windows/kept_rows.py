"""Windows that hold all of their rows, so that an evictor may choose among them whenever they fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.batch import Batch
from fluxcore.core.evictors import EvictorKind
from fluxcore.core.frozen import beside
from fluxcore.errors import DataError, FluxError
from fluxcore.operators import chain_kernels
from fluxcore.operators.aggregates.base import numbers
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.chains import entries_of
from fluxcore.operators.rows import times_ms
from fluxcore.operators.windows import trigger_kernels as kernels
from fluxcore.operators.windows.contents import Contents, Fired, Purged
from fluxcore.operators.windows.open_windows import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.batch import Bools, Int64s
    from fluxcore.core.evictors import EvictorSpec
    from fluxcore.core.ports import StateBackend
    from fluxcore.core.triggers import WindowInfo
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns
    from fluxcore.operators.windows.decisions import Decided


@dataclass(frozen=True)
class KeptOptions:
    """``schema`` and ``types`` of the rows, the aggregates, the evictor, the position of the event time (-1 for none)."""

    schema: pa.Schema
    types: tuple[DataType, ...]
    calls: tuple[AggCall, ...]
    evictor: EvictorSpec
    time: int


class KeptRows(Contents):
    """Rows in chains, one a window.

    Cost: a row is copied once; each firing reads the window's rows and aggregates them anew.
    """

    def __init__(self, options: KeptOptions, info: Callable[[int], WindowInfo]) -> None:
        self._options = options
        self._info = info
        self._aggregates = Aggregates(options.calls, options.types).scratch()
        self._arrived = 0

    def columns(self) -> dict[str, str]:
        """Return the head of the chain, and room for counting."""
        return {"head": "i8", "purges": "i8"}

    def open(self, state: StateBackend, columns: Columns) -> None:
        """Make the table of rows."""
        self._columns = columns
        chain = dict.fromkeys(("next", "prev", "owner", "arrived"), "i8")
        self._table = state.rows("rows", self._options.schema, chain)
        self._aggregates.open(state, "parts")

    def take(self, slots: Int64s, batch: Batch, decided: Decided) -> Sequence[Fired | Purged]:
        """Add rows in rounds, each up to the next decision of every window."""
        if decided.none:
            self._add(slots, batch)
            return ()
        found = np.empty(len(slots), np.int64)
        most = kernels.rounds(slots, decided.kinds, self._columns["purges"], found)
        order = np.argsort(found, kind="stable")
        bounds = np.searchsorted(found[order], np.arange(most + 2))
        done: list[Fired | Purged] = []
        for number in range(most + 1):
            rows = order[bounds[number] : bounds[number + 1]]
            self._add(slots[rows], batch.take(rows))
            kinds = decided.kinds[rows]
            fired, purged = rows[(kinds & 1) != 0], slots[rows[(kinds & 2) != 0]]
            if len(fired):
                done.append(Fired(slots[fired], fired, self.fire(slots[fired])))
            if len(purged):
                self.purge(purged)
                done.append(Purged(purged))
        return done

    def fire(self, slots: Int64s) -> list[pa.Array]:
        """Evict, aggregate what is left, and evict again."""
        places, entries = self._entries(slots)
        evictor = self._options.evictor
        if evictor.custom is not None or not evictor.after:
            places, entries = self._evicted(slots, places, entries, after=False)
        aggregates = self._aggregates
        columns = {name: np.zeros(len(slots), dtype) for name, dtype in aggregates.columns().items()}
        if len(entries):
            aggregates.update(columns, places, Batch(self._batch(entries)), 0)
        results = aggregates.results(columns, np.arange(len(slots)))
        aggregates.forget(columns, np.arange(len(slots)))
        if evictor.custom is not None or evictor.after:
            self._evicted(slots, places, entries, after=True)
        return results

    def changed(self, slots: Int64s) -> Bools:
        """Return which windows hold rows."""
        found: Bools = self._columns["head"][slots] > 0
        return found

    def purge(self, slots: Int64s) -> None:
        """Remove the rows of windows."""
        self._remove(self._entries(slots)[1])

    def join(self, into: Int64s, gone: Int64s) -> None:
        """Move rows to other windows; they keep the order of their arrival."""
        places, entries = self._entries(gone)
        self._columns["head"][gone] = 0
        chain_kernels.link(*self._links(), entries, into[places])

    def freeze(self, slots: Int64s) -> dict[str, pa.RecordBatch]:
        """Return the rows with the places of their windows, in the order of arrival."""
        places, entries = self._entries(slots)
        order = np.argsort(self._table.columns["arrived"][entries])
        arrays = [pa.array(places[order]), *self._table.take(entries[order])]
        names = ["window", *(f"row{index}" for index in range(len(self._options.schema)))]
        return {"rows": beside(pa.RecordBatch.from_arrays(arrays, names), 0, "windows")}

    def restore(self, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take rows back."""
        self._columns["head"][slots] = 0
        places, *columns = frozen["rows"].columns
        if len(places):
            data = pa.RecordBatch.from_arrays(columns, schema=self._options.schema)
            self._add(slots[np.asarray(places)], Batch(data))

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self._table.count

    @property
    def nbytes(self) -> int:
        """Return their bytes."""
        return self._table.nbytes

    def _links(self) -> tuple[Any, Any, Any, Any]:
        chain = self._table.columns
        return self._columns["head"], chain["next"], chain["prev"], chain["owner"]

    def _add(self, slots: Int64s, batch: Batch) -> None:
        entries = self._table.add(batch.data)
        self._table.columns["arrived"][entries] = np.arange(self._arrived, self._arrived + len(slots))
        self._arrived += len(slots)
        chain_kernels.link(*self._links(), entries, slots)

    def _remove(self, entries: Int64s) -> None:
        if len(entries):
            chain_kernels.unlink(*self._links(), entries, np.empty(len(entries), np.int64))
            self._table.remove(entries)

    def _entries(self, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return the rows of windows: places within ``slots``, rising, and entries in the order of arrival."""
        places, entries = entries_of(self._columns["head"], self._table.columns["next"], slots)
        order = np.lexsort((self._table.columns["arrived"][entries], places))
        return places[order], entries[order]

    def _batch(self, entries: Int64s) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(self._table.take(entries), schema=self._options.schema)

    def _evicted(self, slots: Int64s, places: Int64s, entries: Int64s, *, after: bool) -> tuple[Int64s, Int64s]:
        """Remove what the evictor does not keep; return what is left."""
        if not len(entries):
            return places, entries
        keep = self._kept(slots, places, entries, after=after)
        self._remove(entries[~keep])
        return places[keep], entries[keep]

    def _kept(self, slots: Int64s, places: Int64s, entries: Int64s, *, after: bool) -> Bools:
        evictor = self._options.evictor
        firsts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        counts = np.diff(np.append(firsts, len(places)))
        lasts = firsts + counts - 1
        match evictor.kind:
            case EvictorKind.LAST:
                kept: Bools = np.arange(len(places)) > np.repeat(lasts, counts) - evictor.count
            case EvictorKind.WITHIN:
                column = self._table.take(entries, [self._options.time])[0]
                times = times_ms(column, self._options.schema.field(self._options.time).name)
                kept = times > np.repeat(np.maximum.reduceat(times, firsts), counts) - evictor.interval
            case EvictorKind.DELTA:
                column = self._table.take(entries, [evictor.place])[0]
                values = _as_numbers(column)
                apart = np.abs(values - np.repeat(values[lasts], counts))
                kept = ~(apart >= evictor.threshold)  # a distance from or to NULL is none
            case EvictorKind.CUSTOM:
                kept = self._chosen(slots[places[firsts]], entries, np.append(firsts, len(places)), after=after)
        return kept

    def _chosen(self, slots: Int64s, entries: Int64s, bounds: Int64s, *, after: bool) -> Bools:
        """Return the rows that the user's evictor keeps, window by window."""
        evictor = self._options.evictor.custom
        assert evictor is not None
        method = evictor.after if after else evictor.before
        kept = np.ones(len(entries), np.bool_)
        for number, slot in enumerate(slots.tolist()):
            first, end = int(bounds[number]), int(bounds[number + 1])
            rows = self._batch(entries[first:end])
            try:
                found = method(visible(rows), self._info(slot))
                if found is None:
                    continue
                mask = pc.fill_null(pa.array(found, pa.bool_()) if not isinstance(found, pa.Array) else found, False)
                if len(mask) != end - first:
                    raise ValueError(f"{len(mask)} values for {end - first} rows")
                kept[first:end] = np.asarray(mask).astype(np.bool_)
            except FluxError:
                raise
            except Exception as error:
                name = f"{type(evictor).__name__}.{method.__name__}"
                raise DataError("FX-RUN-0210", f"{type(error).__name__}: {error}", hint=f"in {name}") from error
        return kept


def _as_numbers(column: pa.Array) -> Any:
    """Return a numeric column as float64, NULL as NaN."""
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    values = numbers(column).astype(np.float64)
    return np.where(np.asarray(column.is_null()), np.nan, values) if column.null_count else values
