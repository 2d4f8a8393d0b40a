"""A naive model of OVER: each function over each row's frame, row by row."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from decimal import ROUND_HALF_UP, Context, Decimal

_EXACT = Context(prec=100)


def frame_of(mine, place, key, frame):
    """Return the rows of a frame. In: ``mine`` sorted rows of a partition, ``key`` a row's order (None: no number)."""
    by_rows, preceding, following = frame
    found = []
    for other, row in enumerate(mine):
        if by_rows:
            low = preceding is None or other >= place - preceding
            high = following is None or other <= place + following
        else:
            mine_key, its_key = key(mine[place]), key(row)
            peer = mine_key == its_key
            low = preceding is None or _within(mine_key, its_key, preceding, other - place, peer)
            high = following is None or _within(its_key, mine_key, following, place - other, peer)
        if low and high:
            found.append(row)
    return found


def _within(here, there, reach, order, peer):
    """Return whether ``there`` is not more than ``reach`` before ``here``; NULLs only meet their peers and the edge."""
    if peer:
        return reach >= 0 or here is None
    if reach == 0:
        return order > 0
    if here is None or there is None:
        # a NULL reaches no number; it stands outside of every bound
        return False if here is None or (there is None and order < 0) else order > 0 and there is not None
    return there >= here - reach


def number(values, function):
    """Return an aggregate of values that are not NULL."""
    if function == "COUNT":
        return len(values)
    if not values:
        return None
    if function == "SUM":
        return _sum(values)
    if function == "AVG":
        return _average(values)
    if function in ("MIN", "MAX"):
        return (min if function == "MIN" else max)(values, key=lambda v: (isinstance(v, float) and math.isnan(v), v))
    if function == "STDDEV_SAMP":
        return statistics.stdev(values) if len(values) > 1 else None
    if function == "VAR_POP":
        found = statistics.pvariance(values)
        return int(found) if isinstance(values[0], int) else found
    if function == "FIRST_VALUE":
        return values[0]
    if function == "LAST_VALUE":
        return values[-1]
    if function == "LISTAGG":
        return ",".join(map(str, values))
    if function == "COLLECT":
        return sorted(Counter(values).items())
    raise AssertionError(function)


def _sum(values):
    if isinstance(values[0], Decimal):
        whole = sum(int(v.scaleb(2, _EXACT)) for v in values)
        return None if abs(whole) >= 10**38 else Decimal(whole).scaleb(-2, _EXACT)
    return sum(values)


def _average(values):
    if isinstance(values[0], Decimal):
        total = _sum(values)
        if total is None:
            return None
        mean = _EXACT.divide(total, Decimal(len(values))).quantize(Decimal("0.000001"), ROUND_HALF_UP, _EXACT)
        return None if abs(mean) >= 10**32 else mean
    if isinstance(values[0], int):
        return math.trunc(sum(values) / len(values))
    return sum(values) / len(values)


def apply(function, mine, place, key, frame, value, parameters, *, distinct=False, at_once=False):
    """Return the function's result for the row at ``place`` of its partition.

    With ``at_once`` rows of one time come together, and LAG counts from the last of them, as in Flink's streams.
    """
    peers = [other for other, row in enumerate(mine) if key(row) == key(mine[place])]
    groups = [key(row) for other, row in enumerate(mine) if other == 0 or key(row) != key(mine[other - 1])]
    match function:
        case "ROW_NUMBER":
            return place + 1
        case "RANK":
            return peers[0] + 1
        case "DENSE_RANK":
            return groups.index(key(mine[place])) + 1
        case "PERCENT_RANK":
            return peers[0] / max(len(mine) - 1, 1)
        case "CUME_DIST":
            return (peers[-1] + 1) / len(mine)
        case "NTILE":
            (tiles,) = parameters
            sizes = [len(mine) // tiles + (tile < len(mine) % tiles) for tile in range(tiles)]
            return next(tile + 1 for tile in range(tiles) if place < sum(sizes[: tile + 1]))
        case "LAG" | "LEAD":
            here = peers[-1] if at_once else place
            at = here + (parameters[0] if function == "LEAD" else -parameters[0])
            return value(mine[at]) if 0 <= at < len(mine) else parameters[1]
    rows = frame_of(mine, place, key, frame)
    if function == "NTH_VALUE":
        return value(rows[parameters[0] - 1]) if len(rows) >= parameters[0] else None
    if function == "ARRAY_AGG":
        return [value(row) for row in rows] or None
    values = [value(row) for row in rows if value(row) is not None]
    if distinct:
        values = list(dict.fromkeys(values))
    return number(values, function)
