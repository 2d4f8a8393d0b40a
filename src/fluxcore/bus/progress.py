"""How far a group has come in a topic."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, omit_defaults=True):
    """How far a group has come in a topic.

    ``position`` is the first offset that is not done; ``done`` the ranges above it that are, each up to, not including, its second
    number; ``attempts`` how often the handler has failed so far, by offset, where it has.
    """

    position: int
    done: list[tuple[int, int]] = []
    attempts: dict[int, int] = {}
