"""Peak memory of ``foveal train`` at 500 and at 20,000 images.

The 20,000 are the cells in their eight orientations, as JPEG: different files with different
contents, without needing another data set.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import FOVEAL, print_table, run
from foveal.demo import Cell, choose_cells, read_elpv
from foveal.images.views import VIEWS, turn


def main() -> None:
    cells = read_elpv()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = []
        for num_images in (500, 20_000):
            data = root / f"images-{num_images}"
            _write_turned(cells, data, num_images)
            command = (*FOVEAL, "train", str(data), "--out", str(root / f"run-{num_images}"))
            one = run((*command, "--json"), cache=root / f"cache-{num_images}")
            rows.append((f"{num_images:,}", f"{one.peak_mib:,.0f} MiB", f"{one.seconds:.0f} s"))
    print_table(("images", "peak memory", "wall, cold"), rows)


def _write_turned(cells: tuple[Cell, ...], folder: Path, num_images: int) -> None:
    each = choose_cells(cells, -(-num_images // len(VIEWS)), seed=0)
    lines = ["path,group"]
    turned = [(cell, view) for cell in each for view in VIEWS][:num_images]
    for cell, view in turned:
        name = f"{cell.label}/{cell.path.stem}-{view}.jpg"
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(cell.path) as image:
            pixels = np.ascontiguousarray(turn(np.asarray(image), view))
        Image.fromarray(pixels).save(target, quality=90)
        lines.append(f"{name},{cell.module}")
    (folder / "groups.csv").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
