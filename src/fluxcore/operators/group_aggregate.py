"""Aggregates per key without a window: a changelog of each group's row, or the final rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.frozen import keyed
from fluxcore.core.types import BIGINT
from fluxcore.operators.aggregates.aggregate_kernels import count as count_rows
from fluxcore.operators.aggregates.base import NO_MASK, NO_WEIGHTS
from fluxcore.operators.aggregates.build import Aggregates
from fluxcore.operators.expiry import TOUCHED, AgingOperator, Expiry, known_rows
from fluxcore.operators.rows import number_state
from fluxcore.operators.sort_words import equality_words
from fluxcore.operators.turns import turns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.ports import OperatorContext
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall


@dataclass(frozen=True)
class GroupAggregateOptions:
    """What to aggregate. ``at_end`` gives only the final rows; ``append_only`` promises input without retractions.

    A group that got no row for ``ttl_ms`` by the clock is forgotten without a word, and starts afresh with its next one.
    """

    types: tuple[DataType, ...]
    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    output: pa.Schema
    at_end: bool = False
    append_only: bool = True
    ttl_ms: int | None = None


_STEADY = ("MIN", "MAX", "FIRST_VALUE")
"""Functions whose results most rows leave as they are."""


class GroupAggregateOperator(AgingOperator):
    """Gives, for each group that a batch touches, its old row with weight -1 and its new row with weight +1.

    Groups come in the order in which they got their values, as they would if each row were a batch: the one whose last
    row came first is first. Where rows seldom change a group (DISTINCT, MIN, MAX), its first row counts.

    Without keys there is one group, which exists even when no row came. With a lifetime each batch repeats the rows of its
    groups, also those that stayed the same, so that those who keep them keep them as long.
    """

    def __init__(self, options: GroupAggregateOptions) -> None:
        assert not (options.at_end and options.ttl_ms), "what is forgotten is not known at the end"
        self._options = options
        self._aggregates = Aggregates(options.calls, options.types, append_only=options.append_only)
        if not options.append_only:
            self._aggregates.need_retractions()
        self._arrived = 0
        self._ordered = any(not call.distinct and call.function not in _STEADY for call in options.calls)

    def open(self, context: OperatorContext) -> None:
        """Make the table of groups."""
        super().open(context)
        keys = [self._options.types[index] for index in self._options.keys]
        columns = {**self._aggregates.columns(), "rows": "i8"}
        if self._options.ttl_ms:
            columns[TOUCHED] = "i8"
        if self._ordered:
            columns["latest"] = "i8"
        self._state = context.state
        self._table = context.state.table("groups", keys or [BIGINT.with_nullable(False)], columns)
        self._aggregates.open(context.state)
        self._expiry = Expiry(self._options.ttl_ms, context.clock, self._table) if self._options.ttl_ms else None

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Take rows and return the changes of their groups."""
        if not batch.rows:
            return ()
        table = self._table
        keys = [batch.column(index) for index in self._options.keys] or [np.zeros(batch.rows, np.int64)]
        slots = table.upsert(keys)
        if self._options.at_end:
            self._take(batch, slots)
            return ()
        if self._expiry is not None:
            slots = self._without_expired(self._expiry, keys, slots)
        changed = self._changed(batch, slots)
        if changed is None:
            return ()
        changes, _ = changed
        steps = batch.steps_for(np.full(changes.rows, batch.rows - 1)) if batch.steps is not None else None
        return [changes.with_steps(steps)]

    @property
    def tells_each(self) -> bool:
        """Return whether rows of different groups can be taken together: where no clock forgets groups between them."""
        return bool(self._options.keys) and self._expiry is None

    def process_each(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Take rows and return the changes that each makes: the first rows of all groups at once, then the second ones, …"""
        keys = [batch.column(index) for index in self._options.keys]
        groups = self._table.upsert(keys)
        changes, rows = [], []
        for turn in turns_of(groups):
            some = batch.take(turn)
            slots = self._table.upsert([some.column(index) for index in self._options.keys])
            changed = self._changed(some, slots)
            if changed is not None:
                order = np.argsort(slots)
                changes.append(changed[0])
                rows.append(turn[order[np.searchsorted(slots[order], changed[1])]])
        return _in_order(batch, changes, np.concatenate(rows), groups) if rows else ()

    def _changed(self, batch: Batch, slots: NDArray[np.int64]) -> tuple[Batch, NDArray[np.int64]] | None:
        """Take rows; return the changes of their groups, and the group's slot of each change; None where there are none."""
        table, taken = self._table, batch
        touched = np.unique(slots)
        existed = table.columns["rows"][touched] > 0
        old = self._rows(touched[existed])
        if self._expiry is not None:
            self._expiry.touch(touched)
            if batch.weights is not None:
                known = known_rows(table.columns["rows"], slots, batch.counts)
                taken, slots = batch.filter(known), slots[known]
        self._take(taken, slots)
        alive = table.columns["rows"][touched] > 0
        new = self._rows(touched[alive])
        changes = self._changes(old, new, touched[existed], touched[alive])
        self._forget(touched[~alive])
        return changes

    def aging(self) -> Sequence[tuple[Expiry, Callable[[NDArray[np.int64]], None]]]:
        """Return the groups, if they have a lifetime."""
        return () if self._expiry is None else ((self._expiry, self._forget),)

    def finish(self) -> Sequence[Batch]:
        """Return the final rows, where only those were asked for; the row of no keys comes even for no input, or none that is left."""
        table = self._table
        live = table.live_slots()
        alive = table.columns["rows"][live] > 0
        if not self._options.keys and not alive.any() and not (self._options.ttl_ms and self._arrived):
            self._forget(live)  # its rows were all taken back
            slots = table.upsert([np.zeros(1, np.int64)])
            return [Batch(self._rows(slots))]
        if not self._options.at_end:
            return ()
        slots = live[alive]
        return [Batch(self._rows(slots[np.argsort(self._order_of(slots))] if self._ordered else slots))]

    @property
    def state_rows(self) -> int:
        """Return the number of groups."""
        return self._table.count

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the groups and of what their functions keep, such as different values."""
        return self._state.nbytes

    def freeze(self) -> dict[str, pa.RecordBatch]:
        """Return the groups and what their aggregates keep."""
        table = self._table
        kept = self._aggregates.freeze(table.columns, table.live_slots(), "groups")
        groups = keyed(table.freeze(), range(len(self._options.keys)))
        return {"groups": groups, "arrived": number_state(self._arrived), **kept}

    def restore(self, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Go on from a frozen state; called after ``open``."""
        self._arrived = frozen["arrived"].column(0)[0].as_py()
        slots = self._table.restore(frozen["groups"])
        self._aggregates.thaw(self._table.columns, slots, frozen)
        if self._expiry is not None:
            self._expiry.adopt(slots)

    def _without_expired(
        self, expiry: Expiry, keys: Sequence[pa.Array | NDArray[np.int64]], slots: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Forget groups that are out of their lifetime, those of these rows first; return the slots of the rows."""
        expiry.begin()
        over = expiry.over(slots)
        if over.any():
            self._forget(np.unique(slots[over]))
            slots = self._table.upsert(keys)
        self._forget(expiry.sweep(len(slots)))
        return slots

    def _forget(self, slots: NDArray[np.int64]) -> None:
        if len(slots):
            self._aggregates.forget(self._table.columns, slots)
            self._table.delete(slots)

    def _take(self, batch: Batch, slots: NDArray[np.int64]) -> None:
        weights = NO_WEIGHTS if batch.weights is None else batch.weights
        count_rows(self._table.columns["rows"], slots, NO_MASK, weights)
        self._aggregates.update(self._table.columns, slots, batch, self._arrived)
        if self._ordered:
            self._table.columns["latest"][slots] = np.arange(self._arrived, self._arrived + batch.rows)
        self._arrived += batch.rows

    def _order_of(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return numbers that order groups."""
        return self._table.columns["latest"][slots] if self._ordered else slots

    def _rows(self, slots: NDArray[np.int64]) -> pa.RecordBatch:
        keys = self._table.key_columns(slots) if self._options.keys else []
        results = self._aggregates.results(self._table.columns, slots)
        return pa.RecordBatch.from_arrays([*keys, *results], schema=self._options.output)

    def _changes(
        self, old: pa.RecordBatch, new: pa.RecordBatch, old_slots: NDArray[np.int64], new_slots: NDArray[np.int64]
    ) -> tuple[Batch, NDArray[np.int64]] | None:
        """Return old rows with -1 and new rows with +1, group by group in their order, and their slots; groups whose row stayed the same are left out."""
        both, old_at, new_at = np.intersect1d(old_slots, new_slots, return_indices=True)
        if len(both) and self._expiry is None:
            same = np.ones(len(both), np.bool_)
            for a, b in zip(old.columns, new.columns, strict=True):
                left, right = a.take(pa.array(old_at)), b.take(pa.array(new_at))
                same &= _equal(left, right)
            old_keep, new_keep = np.ones(len(old_slots), np.bool_), np.ones(len(new_slots), np.bool_)
            old_keep[old_at[same]] = False
            new_keep[new_at[same]] = False
            old, old_slots = old.filter(pa.array(old_keep)), old_slots[old_keep]
            new, new_slots = new.filter(pa.array(new_keep)), new_slots[new_keep]
        if not len(old_slots) and not len(new_slots):
            return None
        joined = pa.Table.from_batches([old, new]).combine_chunks().to_batches()[0]
        weights = np.concatenate([np.full(len(old_slots), -1, np.int8), np.ones(len(new_slots), np.int8)])
        slots = np.concatenate([old_slots, new_slots])
        order = np.lexsort((weights, self._order_of(slots)))
        return Batch(joined.take(pa.array(order)), weights[order]), slots[order]


def _in_order(
    batch: Batch, changes: Sequence[Batch], rows: NDArray[np.int64], groups: NDArray[np.int64]
) -> Sequence[Batch]:
    """Return changes in the order of the rows that made them, cut where a group comes back right behind its deletion."""
    data = pa.Table.from_batches([each.data for each in changes]).combine_chunks().to_batches()[0]
    weights = np.concatenate([each.weights for each in changes if each.weights is not None])
    order = np.argsort(rows, kind="stable")
    rows, weights = rows[order], weights[order]
    whole = Batch(data.take(pa.array(order)), weights, batch.steps_for(rows))
    again = (weights[:-1] < 0) & (weights[1:] > 0) & (rows[:-1] != rows[1:]) & (groups[rows[:-1]] == groups[rows[1:]])
    ends = [*(np.flatnonzero(again) + 1).tolist(), whole.rows]
    return [whole.slice(start, end - start) for start, end in pairwise([0, *ends])]


def _equal(left: pa.Array, right: pa.Array) -> NDArray[np.bool_]:
    words = equality_words(pa.concat_arrays([left, right]))
    same = np.ones(len(left), np.bool_)
    for word in words:
        same &= word[: len(left)] == word[len(left) :]
    return same
