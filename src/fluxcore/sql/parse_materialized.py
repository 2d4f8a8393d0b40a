"""Parses what only materialised tables have: CREATE with its freshness, and the clauses that steer their refreshing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import statements as st
from fluxcore.sql.parse_parts import PartsParser

if TYPE_CHECKING:
    from fluxcore.errors import Span

_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY")
_MODES = ("CONTINUOUS", "FULL")


class MaterializedParser(PartsParser):
    """Parses CREATE [OR ALTER] MATERIALIZED TABLE, and SUSPEND, RESUME and REFRESH of ALTER."""

    def create_materialized(self, start: Span) -> st.CreateMaterialized:
        """Parse what follows CREATE."""
        alter = self.take_word("OR", "ALTER")
        self.need_word("MATERIALIZED", "TABLE")
        place = self.token.span
        name = self.names()
        parts = self.table_parts()
        bare = [each.column for each in parts.columns if each.column.type is None and each.column.computed is None]
        if bare and len(bare) < len(parts.columns):
            message = "columns with types and columns without don't go together"
            raise ScriptError("FX-SQL-0104", message, span=bare[0].span)
        comment = self.comment()
        distribution = self.distribution()
        partitioned = self.bracketed(self.name) if self.take_word("PARTITIONED", "BY") else ()
        options = self.with_options()
        freshness = self._freshness()
        mode = self._mode()
        self.need_word("AS")
        query = self.query()
        table = st.CreateTable(
            name=name, columns=tuple(each.column for each in parts.columns), watermark=parts.watermark,
            primary_key=parts.key, distribution=distribution, partitioned=partitioned, options=options, comment=comment,
            query=query, span=self.since(place),
        )  # fmt: skip
        return st.CreateMaterialized(table=table, freshness=freshness, mode=mode, alter=alter, span=self.since(start))

    def is_refreshing(self) -> bool:
        """Return whether SUSPEND, RESUME or REFRESH stands here."""
        return self.token.word in ("SUSPEND", "RESUME", "REFRESH")

    def refreshing(self) -> st.Refreshing:
        """Parse SUSPEND, RESUME or REFRESH."""
        start = self.token.span
        action = self.advance().word
        options = self.with_options() if action == "RESUME" else ()
        partition = self.partition_spec() if action == "REFRESH" and self.take_word("PARTITION") else ()
        return st.Refreshing(action=action, options=options, partition=partition, span=self.since(start))

    def _freshness(self) -> st.Freshness | None:
        """Parse FRESHNESS = INTERVAL … if it stands here. Raises ``ScriptError`` FX-SQL-0530 for what is no freshness."""
        start = self.token.span
        if not self.take_word("FRESHNESS"):
            return None
        self.need_symbol("=")
        self.need_word("INTERVAL")
        count = self.string("a number in quotes")
        unit = self.advance().word.removesuffix("S")
        if unit not in _UNITS:
            message = "a freshness is a number of SECOND, MINUTE, HOUR or DAY"
            raise ScriptError("FX-SQL-0530", message, span=self.since(start))
        if not count.isdecimal() or not int(count):
            message = f"a freshness is a whole number above 0, not '{count}'"
            raise ScriptError("FX-SQL-0530", message, span=self.since(start))
        return st.Freshness(count=int(count), unit=unit, span=self.since(start))

    def _mode(self) -> str | None:
        """Parse REFRESH_MODE = … if it stands here."""
        if not self.take_word("REFRESH_MODE"):
            return None
        self.need_symbol("=")
        if self.token.word not in _MODES:
            raise self.unexpected(" or ".join(_MODES))
        return self.advance().word
