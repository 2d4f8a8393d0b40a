"""Plans are looked up all the time, and the hash of a node goes through all that is below it: it is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def remember_hashes(kind: type[Any]) -> None:
    """Let the immutable objects of all classes below ``kind`` compute their hash once."""
    for each in kind.__subclasses__():
        remember_hashes(each)
        computed: Any = each.__hash__

        def remembered(self: Any, computed: Callable[[Any], int] = computed) -> int:
            known: int | None = self.__dict__.get("_hash")
            if known is None:
                known = self.__dict__["_hash"] = computed(self)
            return known

        each.__hash__ = remembered  # type: ignore[assignment]
