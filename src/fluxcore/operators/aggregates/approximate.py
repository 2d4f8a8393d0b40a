"""Sketches, which answer nearly right in little memory: different values (HyperLogLog) and quantiles (DDSketch).

Both keep small entries in a keyed table, chained by slot, so that thousands of groups are updated in one pass, and a group with
few values takes little room. Neither depends on the order of rows: batches and tasks never change an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from fluxcore.core.frozen import beside
from fluxcore.core.hashing import hash_columns
from fluxcore.core.types import BIGINT, DecimalType
from fluxcore.operators import chain_kernels
from fluxcore.operators.aggregates import sketch_kernels as kernels
from fluxcore.operators.aggregates.base import Accumulator, Rows, numbers
from fluxcore.operators.chains import entries_of
from fluxcore.operators.sort_words import stable_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import KeyedTable, StateBackend
    from fluxcore.operators.aggregates.base import Columns, Int64s

_CHAIN = {"next": "i8", "prev": "i8", "owner": "i8"}
_WORDS = tuple(f"r{index}" for index in range(8))
_REGISTERS = 1 << kernels.REGISTER_BITS
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)
_BETA = (0.070471823, 0.17393686, 0.16339839, -0.09237745, 0.03738027, -0.005384159, 0.00042419)
_BETA_ZEROS = -0.370393911

ACCURACY = 0.01
"""How far from the exact value, as a share of it, APPROX_PERCENTILE may be."""
_BUCKETS_HALF = 1 << 17
_BUCKET_MAX = _BUCKETS_HALF - 4
_LOG_GAMMA = np.log((1 + ACCURACY) / (1 - ACCURACY))


class _Sketch(Accumulator):
    """Entries by a key made of slot and place, chained by slot."""

    mergeable = False
    _entry_columns: ClassVar[dict[str, str]]
    _table: KeyedTable

    def open(self, state: StateBackend, name: str) -> None:
        """Make the table of entries."""
        self._table = state.table(name, [BIGINT.with_nullable(False)], {**self._entry_columns, **_CHAIN})

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:  # noqa: ARG002
        """Take the entries that :meth:`take_over` brings over."""
        raise AssertionError("sketches are merged by take_over")

    def forget(self, columns: Columns, slots: Int64s) -> None:
        """Drop the entries of these slots."""
        _, entries = self._entries(columns, slots)
        self._table.delete(entries)
        for name in self.columns():
            self.at(columns, name)[slots] = 0

    def _upsert(self, columns: Columns, keys: Int64s, slots: Int64s) -> Int64s:
        """Return the entries of keys, new ones linked to their slots."""
        entries, fresh = self._table.upsert_new([keys])
        chain = self._table.columns
        heads = self.at(columns, "head")
        chain_kernels.link(heads, chain["next"], chain["prev"], chain["owner"], entries[fresh], slots[fresh])
        return entries

    def _entries(self, columns: Columns, slots: Int64s) -> tuple[Int64s, Int64s]:
        """Return for each entry of ``slots``: the place within ``slots``, and the entry."""
        return entries_of(self.at(columns, "head"), self._table.columns["next"], slots)

    def _keys(self, entries: Int64s) -> Int64s:
        return np.asarray(self._table.key_columns(entries)[0])


class ApproxDistinct(_Sketch):
    """APPROX_COUNT_DISTINCT: HyperLogLog with 2**14 registers, a standard error of 0.8 %.

    The harmonic sum is kept as registers rise, so that a result costs the same whatever was counted.
    Source: Flajolet et al., "HyperLogLog" (2007); the estimate: Qin, Kim, Tung, "LogLog-Beta" (2016).
    """

    _entry_columns: ClassVar[dict[str, str]] = dict.fromkeys(_WORDS, "u8")

    def columns(self) -> dict[str, str]:
        """Return the chain's head, how much the harmonic sum fell, and the registers in use."""
        return {"head": "i8", "missing": "i8", "used": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Take values."""
        slots, values, _ = rows.counted()
        if not len(slots):
            return
        keys, registers = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        ranks = np.empty(len(slots), np.uint8)
        kernels.places(hash_columns([values]), slots, keys, registers, ranks)
        self._raise(columns, self._upsert(columns, keys, slots), registers, ranks, slots)

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Take the registers of another table's slots."""
        assert isinstance(giver, ApproxDistinct)
        places, entries = giver._entries(source, from_slots)
        self._take(into, slots[places], giver._keys(entries) % kernels.PAGES, giver._registers(entries))

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the estimates."""
        used = self.at(columns, "used")[slots].astype(np.float64)
        harmonic = _REGISTERS - self.at(columns, "missing")[slots] / float(1 << kernels.UNIT_BITS)
        zeros = _REGISTERS - used
        log = np.log(zeros + 1)
        beta = _BETA_ZEROS * zeros + sum(share * log ** (power + 1) for power, share in enumerate(_BETA))
        found = _ALPHA * _REGISTERS * used / (beta + harmonic)
        few = used < _REGISTERS / 4
        found = np.where(few, _REGISTERS * np.log(_REGISTERS / np.maximum(zeros, 1)), found)
        return pa.array(np.rint(found).astype(np.int64))

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the pages of registers."""
        places, entries = self._entries(columns, slots)
        words = [pa.array(self._table.columns[name][entries]) for name in _WORDS]
        pages = pa.array(self._keys(entries) % kernels.PAGES)
        batch = pa.RecordBatch.from_arrays([pa.array(places), pages, *words], ["place", "page", *_WORDS])
        return {"registers": beside(batch, 0, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take pages back."""
        places, pages, *words = (np.asarray(column) for column in frozen["registers"].columns)
        self.at(columns, "head")[slots] = 0
        owners = slots[places]
        entries = self._upsert(columns, owners * kernels.PAGES + pages, owners)
        for name, word in zip(_WORDS, words, strict=True):
            self._table.columns[name][entries] = word

    def _take(self, columns: Columns, slots: Int64s, pages: Int64s, registers: Any) -> None:
        """Raise the registers of whole pages."""
        entries = self._upsert(columns, slots * kernels.PAGES + pages, slots)
        rows, places = np.nonzero(registers)
        self._raise(columns, entries[rows], places, registers[rows, places], slots[rows])

    def _raise(self, columns: Columns, entries: Int64s, registers: Int64s, ranks: Any, slots: Int64s) -> None:
        words = tuple(self._table.columns[name] for name in _WORDS)
        state = self.at(columns, "missing"), self.at(columns, "used")
        kernels.raise_registers(words, entries, registers, ranks, slots, *state)

    def _registers(self, entries: Int64s) -> Any:
        out = np.empty((len(entries), 1 << kernels.PAGE_BITS), np.uint8)
        kernels.registers_of(tuple(self._table.columns[name] for name in _WORDS), entries, out)
        return out


class ApproxPercentile(_Sketch):
    """APPROX_PERCENTILE(x, share): DDSketch, whose answer is within 1 % of the value that stands there.

    Values are counted in buckets whose bounds grow by a constant factor, so that rows can be taken back. What is answered is
    the value of rank ``floor(share * (count - 1))``, from 0. NaN is greater than every number.
    Source: Masson, Rim, Lee, "DDSketch" (2019).
    """

    takes_retractions = True
    _entry_columns: ClassVar[dict[str, str]] = {"count": "i8"}

    def columns(self) -> dict[str, str]:
        """Return the chain's head."""
        return {"head": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Count values in buckets."""
        slots, values, weights = rows.counted()
        if len(slots):
            doubles = values.cast(pa.float64()) if isinstance(self.arg_type, DecimalType) else values
            buckets = _buckets(numbers(doubles).astype(np.float64))
            self._count(columns, slots, buckets, weights.astype(np.int64) if len(weights) else 1)

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Add the counts of another table's slots."""
        assert isinstance(giver, ApproxPercentile)
        places, entries = giver._entries(source, from_slots)
        self._count(into, slots[places], giver._bucket(entries), giver._table.columns["count"][entries])

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the values; NULL of nothing."""
        places, entries = self._entries(columns, slots)
        counts = self._table.columns["count"][entries]
        kept = counts > 0
        places, counts, buckets = places[kept], counts[kept], self._bucket(entries[kept])
        totals = np.zeros(len(slots), np.int64)
        np.add.at(totals, places, counts)
        nulls = totals == 0
        if nulls.all():
            return pa.nulls(len(slots), pa.float64())
        order = stable_order([places, buckets], len(places))
        passed = np.cumsum(counts[order])
        before = np.cumsum(totals) - totals
        ranks = np.floor(float(str(self.call.parameters[0])) * (totals - 1)).astype(np.int64)
        at = np.searchsorted(passed, before + np.maximum(ranks, 0), side="right")
        found = _values(buckets[order][np.minimum(at, len(order) - 1)])
        return pa.array(found, mask=nulls if nulls.any() else None)

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the buckets and their counts."""
        places, entries = self._entries(columns, slots)
        arrays = [places, self._bucket(entries), self._table.columns["count"][entries]]
        batch = pa.RecordBatch.from_arrays([pa.array(each) for each in arrays], ["place", "bucket", "count"])
        return {"buckets": beside(batch, 0, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take buckets back."""
        places, buckets, counts = (np.asarray(column) for column in frozen["buckets"].columns)
        self.at(columns, "head")[slots] = 0
        self._count(columns, slots[places], buckets, counts)

    def _count(self, columns: Columns, slots: Int64s, buckets: Int64s, weights: Any) -> None:
        entries = self._upsert(columns, slots * (2 * _BUCKETS_HALF) + (buckets + _BUCKETS_HALF), slots)
        held = self._table.columns
        np.add.at(held["count"], entries, weights)
        if not isinstance(weights, int):
            touched = np.unique(entries)
            dead = touched[held["count"][touched] == 0]
            heads, none = self.at(columns, "head"), np.empty(len(dead), np.int64)
            chain_kernels.unlink(heads, held["next"], held["prev"], held["owner"], dead, none)
            self._table.delete(dead)

    def _bucket(self, entries: Int64s) -> Int64s:
        return self._keys(entries) % (2 * _BUCKETS_HALF) - _BUCKETS_HALF


def _buckets(values: Any) -> Int64s:
    """Return the bucket of each value: 0 for 0, rising with the value; the last ones are infinity and NaN."""
    size = np.abs(values)
    plain = np.isfinite(values) & (size > 0)
    found = np.zeros(len(values), np.int64)
    logs = np.ceil(np.log(size[plain]) / _LOG_GAMMA).astype(np.int64) + _BUCKETS_HALF // 2
    found[plain] = np.where(values[plain] > 0, logs, -logs)
    found[np.isposinf(values)] = _BUCKET_MAX
    found[np.isneginf(values)] = -_BUCKET_MAX
    found[np.isnan(values)] = _BUCKET_MAX + 1
    return found


def _values(buckets: Int64s) -> Any:
    """Return the middle of buckets: no value in one is further from it than the accuracy says."""
    steps = np.abs(buckets) - _BUCKETS_HALF // 2
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        found = np.minimum(
            2 * np.exp((steps - 0.5) * _LOG_GAMMA) / (np.exp(_LOG_GAMMA / 2) + np.exp(-_LOG_GAMMA / 2)), largest
        )
    found = np.where(buckets < 0, -found, found)
    found = np.where(buckets == 0, 0.0, found)
    found = np.where(np.abs(buckets) == _BUCKET_MAX, np.copysign(np.inf, buckets), found)
    return np.where(buckets == _BUCKET_MAX + 1, np.nan, found)
