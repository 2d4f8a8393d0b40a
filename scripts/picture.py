"""Draws docs/pictures/demo.svg from a real run of the demo."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from rich.console import Console

from fluxcore.demo.run import DemoOptions, run

ROOT = Path(__file__).resolve().parent.parent
FONTS = "Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace"


def main() -> int:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=118, file=nowhere, force_terminal=False, color_system="truecolor")
        os.chdir(ROOT)
        code = run(DemoOptions("work/demo"), console)
    target = ROOT / "docs" / "pictures" / "demo.svg"
    target.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="make demo", unique_id="demo")
    svg = svg.replace("Fira Code, monospace", FONTS)
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
