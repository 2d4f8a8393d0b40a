"""Compiled HyperLogLog: registers of one byte, in pages of 64 that stand in eight words each."""

from __future__ import annotations

import numpy as np
from numba import njit

REGISTER_BITS = 14
PAGE_BITS = 6
PAGES = 1 << (REGISTER_BITS - PAGE_BITS)
UNIT_BITS = 48
"""A register of value r counts 2**-r in the harmonic sum, here in whole units of 2**-UNIT_BITS: r is never larger."""

_INDEX_SHIFT = np.uint64(64 - REGISTER_BITS)
_REST_SHIFT = np.uint64(REGISTER_BITS)
_STOP = np.uint64(1 << (REGISTER_BITS - 1))
_TOP = np.uint64(1 << 63)
_ONE = np.uint64(1)
_BYTE = np.uint64(255)


@njit(cache=True, nogil=True)
def places(hashes, slots, keys, registers, ranks):  # type: ignore[no-untyped-def]
    """Find for each hash the page (``keys``: slot and page in one number), the register within it, and its rank."""
    for row in range(len(hashes)):
        value = hashes[row]
        index = np.int64(value >> _INDEX_SHIFT)
        rest = (value << _REST_SHIFT) | _STOP
        rank = 1
        while not rest & _TOP:
            rest <<= _ONE
            rank += 1
        keys[row] = slots[row] * PAGES + (index >> PAGE_BITS)
        registers[row] = index & ((1 << PAGE_BITS) - 1)
        ranks[row] = min(rank, UNIT_BITS)


@njit(cache=True, nogil=True)
def raise_registers(words, entries, registers, ranks, slots, missing, used):  # type: ignore[no-untyped-def]
    """Raise registers to ranks where these are higher.

    ``missing`` by slot: how much the harmonic sum fell, in units; ``used``: how many registers are not 0.
    """
    for row in range(len(entries)):
        entry, register, rank = entries[row], registers[row], np.int64(ranks[row])
        word, shift = words[register >> 3], np.uint64((register & 7) * 8)
        old = np.int64((word[entry] >> shift) & _BYTE)
        if rank <= old:
            continue
        word[entry] = (word[entry] & ~(_BYTE << shift)) | (np.uint64(rank) << shift)
        slot = slots[row]
        if old == 0:
            used[slot] += 1
        missing[slot] += (np.int64(1) << (UNIT_BITS - old)) - (np.int64(1) << (UNIT_BITS - rank))


@njit(cache=True, nogil=True)
def registers_of(words, entries, out):  # type: ignore[no-untyped-def]
    """Write the 64 registers of each page (uint8)."""
    for row in range(len(entries)):
        for register in range(1 << PAGE_BITS):
            shift = np.uint64((register & 7) * 8)
            out[row, register] = np.uint8((words[register >> 3][entries[row]] >> shift) & _BYTE)
