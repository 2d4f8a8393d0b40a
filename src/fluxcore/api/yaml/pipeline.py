"""A pipeline in YAML as the statements of a script in SQL: settings, functions, tables, views, and what is done with them.

The statements are what a person would write, so that all that runs scripts runs pipelines: here, in batch, on Flink. An error
of the script is shown at the place in the YAML that it comes of.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.api.yaml.document import Document
from fluxcore.api.yaml.queries import interval, name_of, query
from fluxcore.api.yaml.written import Written
from fluxcore.core.quotes import path, quoted, text
from fluxcore.errors import FluxError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.api.yaml.document import Node

_PARTS = ("settings", "functions", "tables", "views", "insert", "show")
_TABLE = ("columns", "watermark", "primary_key", "partitioned_by", "comment", "with")


@dataclass(frozen=True)
class Pipeline:
    """What a document says: ``definitions`` (settings, functions, tables, views), and ``script``, which does something too."""

    document: Document
    definitions: Written
    script: Written

    @contextmanager
    def places(self) -> Iterator[None]:
        """Show errors of the script where they stand in the document."""
        try:
            yield
        except FluxError as error:
            if error.place is not None and error.place.file == self.document.file:
                error.place = self.script.place(self.document, error.place)
            raise


def read_pipeline(source: str, file: str | None = None) -> Pipeline:
    """Return the pipeline of a YAML document; ``file`` is the name for messages.

    Raises ``ScriptError`` FX-YAML-0001 for what is no YAML, FX-YAML-0002 for keys and values that a pipeline doesn't have.
    """
    document = Document(source, file)
    said = document.mapping(document.root, "a pipeline", _PARTS)
    definitions = Written()
    for key, statement in (("settings", _setting), ("functions", _function), ("tables", _table), ("views", _view)):
        if key in said:
            for name, value in document.mapping(said[key], key).items():
                definitions.add(statement(document, name, value), ";\n\n")
    script = Written().add(definitions)
    if "insert" in said:
        script.add(_inserts(document, said["insert"]), ";\n\n")
    if "show" in said:
        for each in document.pieces(said["show"], "show"):
            script.add("SELECT * FROM ", name_of(each), ";\n\n")
    return Pipeline(document, definitions, script)


def _setting(document: Document, name: str, node: Node) -> Written:
    return Written().add(f"SET {text(name)} = '", _escaped(document, node, f"the setting '{name}'"), "'")


def _function(document: Document, name: str, node: Node) -> Written:
    place = document.piece(node, f"the function '{name}'")
    return Written().add(f"CREATE TEMPORARY FUNCTION {path(name)} AS '", place, "' LANGUAGE PYTHON")


def _view(document: Document, name: str, node: Node) -> Written:
    return Written().add(f"CREATE TEMPORARY VIEW {path(name)} AS\n", query(document, node, name))


def _table(document: Document, name: str, node: Node) -> Written:
    what = f"the table '{name}'"
    said = document.mapping(node, what, _TABLE)
    if "with" not in said:
        raise document.error(
            node, f"{what} has no connector", hint="with: {connector: filesystem, path: …, format: csv}"
        )
    lines = [
        Written().add(f"{quoted(column)} ", document.piece(type_, f"the column '{column}'"))
        for column, type_ in (document.mapping(said["columns"], "columns") if "columns" in said else {}).items()
    ]
    if "watermark" in said:
        lines.append(_watermark(document, said["watermark"]))
    if "primary_key" in said:
        key = document.pieces(said["primary_key"], "primary_key")
        lines.append(Written().add("PRIMARY KEY (").listed(map(name_of, key)).add(") NOT ENFORCED"))
    written = Written().add(f"CREATE TEMPORARY TABLE {path(name)} (\n  ").listed(lines, ",\n  ").add("\n)")
    if "comment" in said:
        written.add(f" COMMENT {text(document.piece(said['comment'], 'comment').text)}")
    if "partitioned_by" in said:
        columns = document.pieces(said["partitioned_by"], "partitioned_by")
        written.add(" PARTITIONED BY (").listed(map(name_of, columns)).add(")")
    options = (
        Written().add(f"{text(key)} = '", _escaped(document, value, f"the option '{key}'"), "'")
        for key, value in document.mapping(said["with"], "with").items()
    )
    return written.add(" WITH (\n  ").listed(options, ",\n  ").add("\n)")


def _escaped(document: Document, node: Node, what: str) -> Written:
    """Return a value as what stands between quotes."""
    piece = document.piece(node, what)
    return Written().add(piece) if "'" not in piece.text else Written().add(piece.text.replace("'", "''"))


def _watermark(document: Document, node: Node) -> Written:
    """Return the watermark of ``{column: delay}``: a duration, or an expression over the columns."""
    said = document.mapping(node, "watermark")
    if len(said) != 1:
        raise document.error(node, "a watermark names one column", hint="watermark: {ts: 5 seconds}")
    ((column, delay),) = said.items()
    piece = document.piece(delay, "the watermark")
    written = Written().add(f"WATERMARK FOR {quoted(column)} AS ")
    if piece.text.strip()[:1].isdigit():
        return written.add(f"{quoted(column)} - {interval(document, delay, 'the watermark')}")
    return written.add(piece)


def _inserts(document: Document, node: Node) -> Written:
    """Return the inserts as one job: each table and the views, or the one view, whose rows go into it."""
    written = Written().add("EXECUTE STATEMENT SET BEGIN\n")
    for table, views in document.mapping(node, "insert").items():
        for view in document.pieces(views, "insert"):
            written.add("  INSERT INTO ", path(table), " SELECT * FROM ", name_of(view), ";\n")
    return written.add("END")
