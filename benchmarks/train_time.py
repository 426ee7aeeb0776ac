"""``foveal train`` as a whole process: the 500 images of the demonstration, and all 2,624."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.measuring import FOVEAL, Measured, print_table, run
from foveal.demo import choose_cells, read_elpv, write_folder


def main() -> None:
    cells = read_elpv()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small, full = root / "elpv-500", root / "elpv"
        write_folder(choose_cells(cells, 500, seed=0), small)
        write_folder(cells, full)

        def train(data: Path, cache: str, name: str) -> tuple[str, Measured]:
            command = (*FOVEAL, "train", str(data), "--out", str(root / name), "--json")
            return name, run(command, cache=root / cache)

        measured = [
            train(small, "cache-a", "500 images, cold"),
            train(small, "cache-a", "500 images, again"),
            train(full, "cache-b", "2,624 images, cold"),
            train(full, "cache-b", "2,624 images, again"),
        ]
        rows = []
        for name, one in measured:
            steps = json.loads(one.stdout)["timing"]["steps_seconds"]
            slowest = sorted(steps.items(), key=lambda item: -item[1])[:4]
            rows.append(
                (
                    name,
                    f"{one.seconds:.1f} s",
                    f"{one.peak_mib:,.0f} MiB",
                    ", ".join(f"{step} {seconds:.1f}" for step, seconds in slowest),
                )
            )
    print_table(("foveal train", "wall", "peak memory", "longest steps (s)"), rows)


if __name__ == "__main__":
    main()
