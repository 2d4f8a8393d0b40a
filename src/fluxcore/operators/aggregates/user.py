"""Aggregate functions written in Python: one accumulator object for each group."""

from __future__ import annotations

import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.aggregate import VectorAggregateFunction
from fluxcore.core.frozen import beside
from fluxcore.core.user_code import user_line
from fluxcore.errors import DataError, FluxError
from fluxcore.operators.aggregates.base import Accumulator, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fluxcore.core.ports import StateBackend
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall
    from fluxcore.operators.aggregates.base import Columns, Int64s

_SHOWN_MAX = 200


class UserDefined(Accumulator):
    """Hands rows to the function, one by one or a batch at a time; NULLs are handed over as they are.

    A column holds for each slot the place of its accumulator + 1, and 0 before the first row.
    Cost: a Python call a row, or one a batch where the function takes batches.
    """

    mergeable = False

    def __init__(self, call: AggCall, arg_type: DataType | None, prefix: str) -> None:
        super().__init__(call, arg_type, prefix)
        assert call.user is not None
        self._user = call.user
        self._function = call.user.function
        self._vectorised = isinstance(self._function, VectorAggregateFunction)
        self.takes_retractions = call.user.can("retract_batch" if self._vectorised else "retract")
        self.merges = call.user.can("merge")
        self._objects: list[Any] = []
        self._free: list[int] = []

    def open(self, state: StateBackend, name: str) -> None:  # noqa: ARG002
        """Hold no accumulators."""
        self._objects, self._free = [], []

    def columns(self) -> dict[str, str]:
        """Return where accumulators are."""
        return {"object": "i8"}

    def update(self, columns: Columns, rows: Rows) -> None:
        """Hand over rows; those that are taken back in one go with the others, in the order of arrival."""
        chosen = np.flatnonzero(rows.where) if len(rows.where) else np.arange(len(rows.slots))
        if not len(chosen):
            return
        slots, groups = np.unique(rows.slots[chosen], return_inverse=True)
        groups = groups.reshape(-1)
        args = [each.take(pa.array(chosen)) if len(rows.where) else each for each in rows.args]
        weights = rows.weights[chosen] if len(rows.weights) else rows.weights
        accumulators = self._held(columns, slots)
        if self._vectorised:
            self._take_batch(accumulators, groups, args, weights)
        else:
            self._take_rows(accumulators, groups, args, weights)
        self._hold(columns, slots, accumulators)

    def merge(self, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:  # noqa: ARG002
        """Take the accumulators that :meth:`take_over` brings over."""
        raise AssertionError("accumulators in Python are merged by take_over")

    def take_over(self, giver: Accumulator, into: Columns, slots: Int64s, source: Columns, from_slots: Int64s) -> None:
        """Merge the accumulators of another table's slots."""
        assert isinstance(giver, UserDefined)
        targets, groups = np.unique(slots, return_inverse=True)
        accumulators = self._held(into, targets)
        places = giver.at(source, "object")[from_slots].tolist()
        for group, place in zip(groups.reshape(-1).tolist(), places, strict=True):
            if not place:
                continue
            pair = accumulators[group], giver._objects[place - 1]
            try:
                merged = self._function.merge(*pair)
            except Exception as error:
                raise self._error(error, "merge", pair) from error
            if merged is not None:
                accumulators[group] = merged
        self._hold(into, targets, accumulators)

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the results; of no rows it is that of a new accumulator."""
        places = self.at(columns, "object")[slots].tolist()
        found = []
        for place in places:
            accumulator = self._objects[place - 1] if place else self._new()
            try:
                found.append(self._function.result(accumulator))
            except Exception as error:
                raise self._error(error, "result", (accumulator,)) from error
        type_ = self.call.type.arrow()
        try:
            return pa.array([list(each.items()) if isinstance(each, dict) else each for each in found], type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, OverflowError) as error:
            message = f"{self._user.name} gave a result that is no {self.call.type.name()}: {error}"
            raise DataError("FX-RUN-0213", message, hint="give udaf() the type of the results") from error

    def forget(self, columns: Columns, slots: Int64s) -> None:
        """Drop the accumulators of these slots."""
        places = self.at(columns, "object")
        for place in places[slots].tolist():
            if place:
                self._objects[place - 1] = None
                self._free.append(place - 1)
        places[slots] = 0

    def freeze(self, columns: Columns, slots: Int64s, owner: str) -> dict[str, pa.RecordBatch]:
        """Return the accumulators: in the type that the function declares, or pickled."""
        held = self.at(columns, "object")[slots]
        places = np.flatnonzero(held)
        objects = [self._objects[place - 1] for place in held[places].tolist()]
        with self._told("freeze"):
            if self._function.state is not None:
                states = pa.array(objects, self._function.state)
            else:
                states = pa.array([pickle.dumps(each) for each in objects], pa.binary())
        batch = pa.RecordBatch.from_arrays([pa.array(places, pa.int64()), states], ["place", "state"])
        return {"objects": beside(batch, 0, owner)}

    def thaw(self, columns: Columns, slots: Int64s, frozen: Mapping[str, pa.RecordBatch]) -> None:
        """Take the accumulators back."""
        places, states = frozen["objects"].columns
        objects = states.to_pylist()
        with self._told("restore"):
            if self._function.state is None:
                objects = [pickle.loads(each) for each in objects]  # noqa: S301  (the job's own state)
            elif pa.types.is_map(states.type):
                objects = [dict(each) for each in objects]
        self.at(columns, "object")[slots] = 0
        chosen = slots[np.asarray(places)]
        self._hold(columns, chosen, objects)

    def _held(self, columns: Columns, slots: Int64s) -> list[Any]:
        """Return the accumulators of distinct slots, new ones where there are none."""
        found = []
        for place in self.at(columns, "object")[slots].tolist():
            if place:
                found.append(self._objects[place - 1])
                continue
            found.append(self._new())
        return found

    def _new(self) -> Any:
        with self._told("create"):
            return self._function.create()

    def _hold(self, columns: Columns, slots: Int64s, accumulators: list[Any]) -> None:
        places = self.at(columns, "object")
        for slot, place, accumulator in zip(slots.tolist(), places[slots].tolist(), accumulators, strict=True):
            if place:
                self._objects[place - 1] = accumulator
            elif self._free:
                at = self._free.pop()
                self._objects[at] = accumulator
                places[slot] = at + 1
            else:
                self._objects.append(accumulator)
                places[slot] = len(self._objects)

    def _take_rows(self, accumulators: list[Any], groups: Int64s, args: list[pa.Array], weights: Any) -> None:
        accumulate, retract = self._function.accumulate, self._function.retract
        signs = weights.tolist() if len(weights) else [1] * len(groups)
        values = zip(*(each.to_pylist() for each in args), strict=True)
        for group, sign, row in zip(groups.tolist(), signs, values, strict=True):
            try:
                changed = (accumulate if sign > 0 else retract)(accumulators[group], *row)
            except Exception as error:
                raise self._error(error, "accumulate" if sign > 0 else "retract", row) from error
            if changed is not None:
                accumulators[group] = changed

    def _take_batch(self, accumulators: list[Any], groups: Int64s, args: list[pa.Array], weights: Any) -> None:
        assert isinstance(self._function, VectorAggregateFunction)
        if not len(weights):
            with self._told("accumulate_batch"):
                self._function.accumulate_batch(accumulators, groups, *args)
            return
        for chosen, method in ((weights > 0, "accumulate_batch"), (weights < 0, "retract_batch")):
            rows = np.flatnonzero(chosen)
            if len(rows):
                with self._told(method):
                    getattr(self._function, method)(
                        accumulators, groups[rows], *(each.take(pa.array(rows)) for each in args)
                    )

    @contextmanager
    def _told(self, method: str) -> Iterator[None]:
        try:
            yield
        except FluxError:
            raise
        except Exception as error:
            raise self._error(error, method, None) from error

    def _error(self, error: Exception, method: str, row: tuple[Any, ...] | None) -> FluxError:
        """Return the error that names the user's line and what it was given."""
        if isinstance(error, FluxError):
            return error
        line = user_line(error, or_library=True)
        shown = repr(row)
        shown = shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "…"
        given = f", given {shown}" if row is not None else ""
        hint = f"in {self._user.name}.{method}{f', {line}' if line else ''}{given}"
        return DataError("FX-RUN-0212", f"{type(error).__name__}: {error}", hint=hint)
