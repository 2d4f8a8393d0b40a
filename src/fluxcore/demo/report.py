"""The report of the demonstration: one HTML file with charts, which needs nothing else."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from fluxcore import __version__
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.demo.check import Verdict
    from fluxcore.runtime.metrics import JobMetrics

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; } h2 { margin-top: 2.5rem; } p.lead { color: var(--soft); margin-top: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; overflow-x: auto; } figure svg { width: 100%; height: auto; max-width: 60rem; }
.good { color: #1a7f37; } .bad { color: #cf222e; }
@media (prefers-color-scheme: dark) { figure svg { filter: invert(.88) hue-rotate(180deg); } }
"""


def write_report(work: Path, metrics: JobMetrics, verdicts: Sequence[Verdict]) -> Path:
    """Write ``report.html`` below ``work`` and return its path. Raises ``JobError`` FX-DEM-0001 without the demo extra."""
    connection = duckdb.connect()
    folder = str(work / "answers")
    equal = all(verdict.equal for verdict in verdicts)
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>A year of flights, as a stream</title>",
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style>",
        "<h1>A year of flights, as a stream</h1>",
        f"<p class='lead'>{metrics.source_rows:,} rows (flights and hours of weather) in {metrics.elapsed_s:.1f} s, "
        f"by FluxCore {__version__}. Every answer was computed event by event, in the order in which things happened.</p>",
        f"<p class='{'good' if equal else 'bad'}'><b>"
        + (
            "Every answer equals DuckDB's over the same rows."
            if equal
            else "An answer differs from DuckDB's: see below."
        )
        + "</b></p>",
    ]
    for title, text, query, draw in _CHARTS:
        rows = connection.execute(query.format(folder=folder)).fetchall()
        parts += [f"<h2>{title}</h2><p>{text}</p>", f"<figure>{_svg(rows, draw)}</figure>"]
    parts += _routes(connection, folder) + _late(metrics) + _comparison(verdicts) + ["</html>"]
    path = work / "report.html"
    path.write_text("\n".join(parts), "utf-8")
    return path


def _by_month(axes: Any, rows: Sequence[Any]) -> None:
    for origin in sorted({row[0] for row in rows}):
        own = [row for row in rows if row[0] == origin]
        axes.plot([row[1] for row in own], [row[2] for row in own], label=origin, linewidth=1.6)
    axes.set_ylabel("mean delay, minutes")
    axes.legend(frameon=False, ncols=3)


def _by_hour(axes: Any, rows: Sequence[Any]) -> None:
    axes.bar([row[0] for row in rows], [row[1] for row in rows], color="#0e7c86", label="mean")
    axes.plot([row[0] for row in rows], [row[2] for row in rows], color="#d9480f", marker="o", label="95th percentile")
    axes.set_xlabel("planned hour of departure, New York time")
    axes.set_ylabel("delay, minutes")
    axes.legend(frameon=False)


def _by_weather(axes: Any, rows: Sequence[Any]) -> None:
    axes.bar([row[0] for row in rows], [row[1] for row in rows], color="#0e7c86")
    axes.set_ylabel("mean delay, minutes")
    for index, row in enumerate(rows):
        axes.text(index, row[1], f"{row[2]:,} h", ha="center", va="bottom", fontsize=8)


def _by_times(axes: Any, rows: Sequence[Any]) -> None:
    axes.barh([row[0] for row in rows][::-1], [row[1] for row in rows][::-1], color="#0e7c86")
    axes.set_xlabel("times that two delays over an hour came in a row")


_CHARTS: tuple[tuple[str, str, str, Callable[[Any, Sequence[Any]], None]], ...] = (
    (
        "The year",
        "Mean departure delay by week and airport, from the hourly tumbling windows.",
        "SELECT origin, date_trunc('week', window_start) AS w, sum(mean_delay * departures) / sum(departures) "
        "FROM read_parquet('{folder}/hourly/*') WHERE departures > 0 GROUP BY ALL ORDER BY 1, 2",
        _by_month,
    ),
    (
        "The day",
        "Delays add up: a morning flight leaves on time, an evening flight carries the day's delays.",
        "SELECT date_part('hour', window_start - to_hours(CASE WHEN window_start >= TIMESTAMP '2013-03-10 07:00:00' "
        "AND window_start < TIMESTAMP '2013-11-03 06:00:00' THEN 4 ELSE 5 END)) AS h, "
        "sum(mean_delay * departures) / sum(departures), sum(p95_delay * departures) / sum(departures) "
        "FROM read_parquet('{folder}/hourly/*') WHERE departures > 0 GROUP BY h HAVING sum(departures) > 100 ORDER BY h",
        _by_hour,
    ),
    (
        "The weather",
        "The delays of each hour beside the visibility of that hour, from the window join; the number of hours on the bars.",
        "SELECT CASE WHEN visib < 1 THEN 'under 1 mile' WHEN visib < 3 THEN '1 to 3' WHEN visib < 6 THEN '3 to 6' "
        "WHEN visib < 10 THEN '6 to 10' ELSE '10 miles' END, sum(mean_delay * departures) / sum(departures), count(*), "
        "min(visib) FROM read_parquet('{folder}/delays_and_weather/*') WHERE departures > 0 AND visib IS NOT NULL GROUP BY 1 ORDER BY 4",
        _by_weather,
    ),
    (
        "Again and again",
        "Aircraft that left more than an hour late twice in a row, found by LAG over each aircraft's flights.",
        "SELECT tailnum, count(*) AS n FROM read_parquet('{folder}/twice_late/*') GROUP BY tailnum ORDER BY n DESC, tailnum LIMIT 12",
        _by_times,
    ),
)


def _svg(rows: Sequence[Any], draw: Callable[[Any, Sequence[Any]], None]) -> str:
    """Return a chart as SVG text."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        hint = "pip install 'fluxcore[demo]'"
        raise JobError("FX-DEM-0001", "the report needs the package matplotlib", hint=hint) from error
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "fluxcore"}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
        draw(axes, rows)
        text = io.StringIO()
        figure.savefig(
            text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Type": None, "Format": None}
        )
    content = text.getvalue()
    return content[content.index("<svg") :].replace(
        'xmlns:xlink="http://www.w3.org/1999/xlink"', "xmlns:xlink='http://www.w3.org/1999/xlink'"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(f'{v:,}' if isinstance(v, int) else str(v))}</td>" for v in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{cells}</tr>{body}</table>"


def _routes(connection: duckdb.DuckDBPyConnection, folder: str) -> list[str]:
    query = (
        "SELECT origin || ' to ' || dest, count(*), round(avg(mean_delay), 1), round(max(mean_delay), 1) "  # noqa: S608
        f"FROM read_parquet('{folder}/worst_routes/*') GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
    )
    rows = connection.execute(query).fetchall()
    text = (
        "How often a route was among the three worst of the last 24 hours; told anew every hour, at least ten flights."
    )
    head = ("route", "hours among the worst", "mean delay then", "worst")
    return [f"<h2>The routes</h2><p>{text}</p>", _table(head, rows)]


def _late(metrics: JobMetrics) -> list[str]:
    text = (
        "A flight arrives in the stream when it really left, with its planned time as event time; the watermark waits two "
        "hours. A flight that comes even later misses the windows that have fired. It is counted here and kept in the folder "
        "<code>late</code>; of the 24 hour windows it may miss one and still count in the others."
    )
    rows = [(o.name, o.late_rows, o.late_drops or o.late_rows) for o in metrics.operators if o.late_rows]
    return [f"<h2>The late ones</h2><p>{text}</p>", _table(("operator", "late rows", "windows missed"), rows)]


def _comparison(verdicts: Sequence[Verdict]) -> list[str]:
    text = (
        "DuckDB answered the same questions over the same rows, with the late rows taken out by the same rule, written in "
        "its own SQL."
    )
    rows = [(v.name, v.ours, v.theirs, "equal" if v.equal else "DIFFERENT") for v in verdicts]
    return [f"<h2>The comparison</h2><p>{text}</p>", _table(("what", "FluxCore", "DuckDB", ""), rows)]
