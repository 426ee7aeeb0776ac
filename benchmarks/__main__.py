"""``python -m benchmarks [NAME …]``: measures, and prints Markdown tables.

Every comparison is a ratio of runs that took turns in one process or one session, because
machines are shared and their speed drifts. ``benchmarks/peers`` needs an environment of its
own; see ``make bench-peers``.
"""

from __future__ import annotations

import argparse
import importlib
import sys

BENCHMARKS: tuple[tuple[str, str], ...] = (
    ("help", "benchmarks.help_time"),
    ("features", "benchmarks.feature_speed"),
    ("train", "benchmarks.train_time"),
    ("elpv", "benchmarks.elpv_protocol"),
    ("memory", "benchmarks.memory"),
    ("inspect", "benchmarks.inspect_speed"),
)


def main() -> None:
    names = [name for name, _ in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    wanted = parser.parse_args().names or names
    for name in wanted:
        if name not in names:
            sys.exit(f"There is no benchmark {name!r}; known: {', '.join(names)}.")
    for name, module in BENCHMARKS:
        if name in wanted:
            print(f"\n## {name}\n", flush=True)
            importlib.import_module(module).main()


if __name__ == "__main__":
    main()
