"""Runs each lab and writes what it measured into the package, for those who only read.

``python -m benchmarks record-labs`` for all; ``python -m benchmarks.record_labs NAME …`` for some.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from foveal.learn.labs import LABS, load_lab
from foveal.learn.labs.lab import Settings
from foveal.learn.labs.machine import describe_machine
from foveal.learn.labs.showing import to_json

RECORDED = Path(__file__).parents[1] / "src" / "foveal" / "learn" / "web" / "recorded"
_SEEDS = 5


def main() -> None:
    wanted = sys.argv[1:] or [name for name, _ in LABS]
    machine = describe_machine()
    print(f"| lab | finding | seconds |\n| --- | --- | ---: |  {machine}")
    for name in wanted:
        lab = load_lab(name)
        start = time.perf_counter()
        result = lab.run(Settings(num_seeds=_SEEDS))
        content = to_json(lab, result, guess=None, machine=machine)
        content["command"] = f"foveal lab {name} --seeds {_SEEDS}"
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        (RECORDED / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"| {name} | {result.finding} | {time.perf_counter() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
