"""Settings of a job: Flink's configuration keys where one exists, ours under ``fluxcore.``.

They come, later ones winning, from the defaults here, a ``fluxcore.toml`` in the working folder, environment variables
(``FLUXCORE_SET_`` + the key in upper case with ``.`` and ``-`` as ``_``), ``SET`` in a script and ``--set`` on the command line.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.core.duration import duration_ms
from fluxcore.core.flink_settings import ONLY, is_flinks
from fluxcore.core.size import size_bytes
from fluxcore.core.zones import Zone, zone_of
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.errors import Span

CONFIG_FILE = "fluxcore.toml"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its default as text, its kind (string, integer, boolean, duration, size, zone, enum) and what it does."""

    key: str
    default: str
    kind: str
    help: str
    choices: tuple[str, ...] = ()


SETTINGS: dict[str, Setting] = {
    each.key: each
    for each in (
        Setting(
            "parallelism.default",
            "0",
            "integer",
            "Worker threads per stage; 0 takes one for little input, else the number of processors.",
        ),
        Setting("table.local-time-zone", "UTC", "zone", "The session time zone of TIMESTAMP_LTZ values."),
        Setting(
            "execution.runtime-mode",
            "streaming",
            "enum",
            "How a script is executed: 'batch' runs one whose input ends on DuckDB.",
            ("streaming", "batch"),
        ),
        Setting(
            "python.files",
            "",
            "string",
            "Files (.py, .zip) and folders with commas between them, in which CREATE FUNCTION finds Python modules.",
        ),
        Setting(
            "fluxcore.flink.python.folder",
            "",
            "string",
            "A folder that this machine and a cluster's SQL gateway both see, for functions in Python; needed for one elsewhere.",
        ),
        Setting(
            "pipeline.auto-watermark-interval",
            "0",
            "string",
            "Accepted for Flink's sake; FluxCore always judges lateness row by row, as Flink does with 0.",
        ),
        Setting(
            "table.exec.source.idle-timeout",
            "0 ms",
            "duration",
            "After so long without rows a split no longer holds the watermark back; 0 is never. A table's option wins.",
        ),
        Setting(
            "table.exec.state.ttl",
            "0 ms",
            "duration",
            "After so long by the clock without being touched, a group, a ranking's partition or a joined row is forgotten; "
            "0 is never.",
        ),
        Setting(
            "table.exec.emit.allow-lateness",
            "0 ms",
            "duration",
            "Rows that come so long after a window's end still change its result.",
        ),
        *(
            each
            for which, when in (("early", "before its end"), ("late", "for late rows"))
            for each in (
                Setting(
                    f"table.exec.emit.{which}-fire.enabled",
                    "false",
                    "enum",
                    f"Whether a window gives results {when} as the delay says.",
                    ("true", "false"),
                ),
                Setting(
                    f"table.exec.emit.{which}-fire.delay",
                    "",
                    "duration",
                    f"How long by the clock a window waits until it gives a result {when}; 0 is with every row.",
                ),
            )
        ),
        Setting(
            "table.exec.async-lookup.buffer-capacity",
            "100",
            "integer",
            "How many lookups of a join run at once where the table says 'lookup.async' = 'true'.",
        ),
        Setting(
            "table.exec.async-lookup.timeout", "3 min", "duration", "How long a lookup of an async function may take."
        ),
        Setting(
            "table.exec.async-lookup.output-mode",
            "ORDERED",
            "enum",
            "Rows of one key always come out of a lookup join in their order, which ALLOW_UNORDERED allows too.",
            ("ORDERED", "ALLOW_UNORDERED"),
        ),
        *(
            Setting(key, "", "string", f"Accepted for Flink's sake; no answer depends on it: {why}.")
            for key, why in (
                ("table.exec.mini-batch.enabled", "rows always travel in batches"),
                ("table.exec.mini-batch.allow-latency", "rows always travel in batches"),
                ("table.exec.mini-batch.size", "rows always travel in batches"),
                ("table.optimizer.agg-phase-strategy", "aggregation is split where that pays"),
                ("table.optimizer.distinct-agg.split.enabled", "distinct values have a table of their own"),
                ("table.exec.spill-compression.enabled", "nothing is spilled"),
                ("pipeline.object-reuse", "rows are columns"),
                ("sql-client.execution.result-mode", "the shell shows results as they change"),
            )
        ),
        Setting(
            "taskmanager.memory.process.size",
            "",
            "size",
            "The most memory that the process may take, such as 1 gb: near it sources slow down, over it the job fails. "
            "Without it: what is free when the job starts, but for a tenth of that.",
        ),
        Setting(
            "materialized-table.refresh-mode.freshness-threshold",
            "30 min",
            "duration",
            "A materialised table whose freshness is below this is refreshed continuously, else in full, unless it says how.",
        ),
        Setting(
            "materialized-table.default-freshness.continuous",
            "3 min",
            "duration",
            "The freshness of a materialised table that is refreshed continuously and names none.",
        ),
        Setting(
            "materialized-table.default-freshness.full",
            "1 h",
            "duration",
            "The freshness of a materialised table that is refreshed in full and names none.",
        ),
        Setting("pipeline.name", "", "string", "A name for the job in metrics and messages."),
        Setting(
            "fluxcore.late-rows.path",
            "",
            "string",
            "A folder that receives the rows that came too late for a window, one JSON lines file per operator.",
        ),
        Setting(
            "fluxcore.optimizer.disabled-rules",
            "",
            "string",
            "Rules of the optimiser that are left out, by name, with commas between; EXPLAIN shows which did something.",
        ),
        Setting(
            "fluxcore.log.level",
            "warning",
            "enum",
            "What the command line logs on standard error: this level and above.",
            ("debug", "info", "warning", "error"),
        ),
        Setting(
            "fluxcore.metrics.show",
            "false",
            "enum",
            "Whether each job writes what its operators did to standard error when it ends; `--metrics` sets it.",
            ("false", "true"),
        ),
        Setting("fluxcore.log.format", "text", "enum", "The form of the log's lines.", ("text", "json")),
    )
}


@dataclass(frozen=True)
class Settings:
    """The settings of one session or job: only keys that were set; the rest have their defaults."""

    values: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def load(folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of the configuration file in ``folder`` and of the environment.

        Raises: ``ScriptError`` FX-SET-0001 to 0003 for an unknown key, a wrong value or a file that is not TOML.
        """
        settings = Settings()
        path = (folder or Path.cwd()) / CONFIG_FILE
        if path.is_file():
            try:
                content = tomllib.loads(path.read_text("utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ScriptError("FX-SET-0003", f"{path} is not valid TOML: {error}") from error
            for key, value in _flatten(content.get("set", content)).items():
                settings = settings.with_value(key, value)
        variables = {"FLUXCORE_SET_" + key.upper().replace(".", "_").replace("-", "_"): key for key in SETTINGS}
        for variable, value in (os.environ if environment is None else environment).items():
            if variable in variables:
                settings = settings.with_value(variables[variable], value)
        return settings

    def with_value(self, key: str, value: str, *, span: Span | None = None) -> Settings:
        """Return these settings with one more value, checked."""
        setting = SETTINGS.get(key)
        if setting is None and is_flinks(key, SETTINGS):
            only = ONLY.get(key, value)
            if value.lower() != only.lower():
                message = f"'{value}' for '{key}' is not supported yet"
                raise ScriptError("FX-SET-0002", message, span=span, hint=f"FluxCore does what '{only}' asks for")
            return Settings({**self.values, key: value})
        if setting is None:
            hint = nearest(key, SETTINGS) or "`fluxcore doctor --settings` lists the keys"
            raise ScriptError("FX-SET-0001", f"there is no setting '{key}'", span=span, hint=hint)
        problem = _problem(setting, value)
        if problem:
            raise ScriptError("FX-SET-0002", f"'{value}' is no value for '{key}': {problem}", span=span)
        return Settings({**self.values, key: value})

    def without(self, key: str | None) -> Settings:
        """Return these settings with one key, or all, back at the default."""
        return Settings({} if key is None else {k: v for k, v in self.values.items() if k != key})

    def text(self, key: str) -> str:
        """Return the value of a key as text."""
        return self.values[key] if key in self.values else SETTINGS[key].default

    @property
    def parallelism(self) -> int:
        """Return the number of worker threads per stage."""
        return self.asked_parallelism or os.cpu_count() or 1

    @property
    def asked_parallelism(self) -> int:
        """Return the number of worker threads per stage that is asked for; 0 for none. Flink's setting for SQL wins."""
        for_sql = self.values.get("table.exec.resource.default-parallelism", "")
        return int(for_sql) if for_sql.isdecimal() and int(for_sql) else int(self.text("parallelism.default"))

    @property
    def zone(self) -> Zone:
        """Return the session time zone."""
        return zone_of(self.text("table.local-time-zone"))


def _problem(setting: Setting, value: str) -> str | None:
    if setting.kind == "integer" and not value.isdecimal():
        return "it must be a whole number that is not negative"
    if setting.kind == "enum" and value.lower() not in [choice.lower() for choice in setting.choices]:
        return f"it must be one of {', '.join(setting.choices)}"
    if setting.kind == "duration":
        try:
            duration_ms(value)
        except ValueError as error:
            return str(error)
    if setting.kind == "size" and value:
        try:
            size_bytes(value)
        except ValueError as error:
            return str(error)
    if setting.kind == "zone":
        try:
            zone_of(value)
        except (ValueError, OSError):
            return "there is no such time zone; use a name such as Europe/Berlin, or GMT+05:30"
    return None


def _flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat
