"""Makes docs/explain.png: ``foveal explain`` on pictures that nobody photographed.

Sixty drawn solar cells, half of them cracked, become a run; the sheet shows three new ones.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE_PX = 240
NUM_PER_CLASS = 30
WIDTH_PX = 1000
OUT = Path(__file__).parent.parent / "docs" / "explain.png"


def draw_cell(random: np.random.Generator, *, is_cracked: bool) -> Image.Image:
    """A grey cell with three bars and fine fingers; cracks wander over it."""
    coarse = Image.fromarray(random.uniform(120, 190, (4, 4)).astype(np.float32))
    ground = coarse.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    cell = Image.fromarray(np.clip(np.asarray(ground), 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(cell)
    for bar in range(1, 4):
        pen.line([(0, bar * SIZE_PX // 4), (SIZE_PX, bar * SIZE_PX // 4)], fill=95, width=4)
    for x in range(0, SIZE_PX, 10):
        pen.line([(x, 0), (x, SIZE_PX)], fill=int(120 + random.integers(0, 20)))
    for _ in range(1 + int(random.integers(0, 2)) if is_cracked else 0):
        at, angle = random.uniform(0.2, 0.8, 2) * SIZE_PX, random.uniform(0, 2 * np.pi)
        points = [tuple(at)]
        for _ in range(9):
            angle += random.normal(0, 0.55)
            at = at + 11 * np.array([np.cos(angle), np.sin(angle)])
            points.append(tuple(at))
        pen.line(points, fill=40, width=4)
    levels = np.asarray(cell.filter(ImageFilter.GaussianBlur(0.8))).astype(float)
    levels += random.normal(0, 5, levels.shape)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def main() -> int:
    """Trains, explains, and writes the picture."""
    import foveal
    from foveal.explanation.sheet import lay_out, sheet_png

    random = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label in ("cracked", "intact"):
            (folder / "cells" / label).mkdir(parents=True)
            for number in range(NUM_PER_CLASS):
                cell = draw_cell(random, is_cracked=label == "cracked")
                cell.save(folder / "cells" / label / f"{number:02}.png")
        files = []
        for number, is_cracked in enumerate((True, True, False), start=1):
            files.append(folder / f"cell-{number}.png")
            draw_cell(random, is_cracked=is_cracked).save(files[-1])
        run = foveal.train(folder / "cells", folder / "run")
        os.chdir(folder)
        explained = run.explain([file.name for file in files])
        content = sheet_png(lay_out(explained, title="Drawn cells, cracked or intact"))
        (folder / "sheet.png").write_bytes(content)
        with Image.open(folder / "sheet.png") as sheet:
            height = round(sheet.height * WIDTH_PX / sheet.width)
            small = sheet.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
        small.save(OUT, "PNG", optimize=True)
    print(f"{OUT}: {WIDTH_PX} x {height}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
