"""JSON_ARRAYAGG and JSON_OBJECTAGG: JSON texts gathered."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.errors import DataError
from fluxcore.operators.aggregates.listed import Values

if TYPE_CHECKING:
    from fluxcore.operators.aggregates.base import Columns, Int64s


class JsonArrayAgg(Values):
    """JSON_ARRAYAGG: the JSON texts in the order of arrival; `[]` of nothing."""

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the JSON arrays."""
        offsets, values = self._lists(columns, slots)
        inside = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), values), ",")
        return pc.binary_join_element_wise("[", inside, "]", "")


class JsonObjectAgg(Values):
    """JSON_OBJECTAGG: texts `"key":value`, by key; `{}` of nothing.

    Raises: ``DataError`` FX-RUN-0112 for a key that occurs twice.
    """

    def result(self, columns: Columns, slots: Int64s) -> pa.Array:
        """Return the JSON objects."""
        offsets, values = self._lists(columns, slots)
        pairs = values.to_pylist()
        return pa.array([_object(pairs[start:end]) for start, end in pairwise(offsets.tolist())], pa.string())


def _object(pairs: list[str]) -> str:
    decode = json.JSONDecoder().raw_decode
    by_key: dict[str, str] = {}
    for pair in pairs:
        key = decode(pair)[0]
        if key in by_key:
            hint = "take one value of each key first, with MAX or LAST_VALUE"
            raise DataError("FX-RUN-0112", f"JSON_OBJECTAGG has two values of the key '{key}'", hint=hint)
        by_key[key] = pair
    ordered = sorted(by_key, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(by_key[key] for key in ordered) + "}"
