"""How long ``foveal --help`` takes, as a whole process."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.measuring import FOVEAL, print_table, run


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for arguments in (("--help",), ("train", "--help"), ("predict", "--help")):
            seconds = [run((*FOVEAL, *arguments), cache=Path(folder)).seconds for _ in range(5)]
            rows.append((f"foveal {' '.join(arguments)}", f"{statistics.median(seconds):.2f} s"))
    print_table(("command", "median of 5"), rows)


if __name__ == "__main__":
    main()
