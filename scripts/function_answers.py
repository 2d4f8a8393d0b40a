"""Asks a real Flink what built-in functions give, and writes its answers into tests/functions/answers.

    python scripts/function_answers.py --flink flink://HOST:PORT [--all] [CATEGORY ...]

Only what has no answer yet is asked, with ``--all`` everything.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.functions.asking import ask  # noqa: E402
from tests.functions.cases import answers_of, categories, groups_of, write_answers  # noqa: E402

from fluxcore.targets.flink.address import cluster_at  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("category", nargs="*", help="tests/functions/CATEGORY.toml; all without")
    parser.add_argument("--flink", default="flink", help="a cluster's address; 'flink' is the local one")
    parser.add_argument("--all", action="store_true", help="ask again what has an answer")
    options = parser.parse_args()
    gateway = cluster_at(options.flink).gateway
    gateway.version()
    for category in options.category or categories():
        known, told = answers_of(category), {}
        for group in groups_of(category):
            before = known.get(group.name, {})
            kept = {} if options.all or before.get("rows") != group.basis() else before["answers"]
            wanted = [each for each in group.questions if each not in kept]
            start = time.monotonic()
            found = {**kept, **ask(gateway, group, wanted, before.get("answers"))} if wanted else kept
            told[group.name] = {"rows": group.basis(), "answers": {each: found[each] for each in group.questions}}
            if wanted:
                print(f"{category}/{group.name}: {len(wanted)} asked in {time.monotonic() - start:.1f} s", flush=True)
                write_answers(category, known | told)
        write_answers(category, told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
