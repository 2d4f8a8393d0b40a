"""Copies of bytes inside compiled loops."""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def copy_bytes(typing_context, out, at, source, start, count):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Copy ``count`` bytes of ``source`` from ``start`` on to ``out`` at ``at``: uint8 arrays, places int64."""
    signature = types.void(out, types.int64, source, types.int64, types.int64)

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]
        to = context.make_array(signature.args[0])(context, builder, args[0]).data
        of = context.make_array(signature.args[2])(context, builder, args[2]).data
        cgutils.raw_memcpy(builder, builder.gep(to, [args[1]]), builder.gep(of, [args[3]]), args[4], 1)
        return context.get_dummy_value()

    return signature, code
