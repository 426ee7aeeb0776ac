"""The demonstration's data: ELPV, solar cells by electroluminescence, as an ordinary folder.

Deitsch et al. 2019 (arXiv 1807.02894): 2,624 cells cut from images of 44 modules, each with
the probability that it is defective. The images install from PyPI and stay under their own
licence (CC BY-NC-SA 4.0); they are copied into a folder of the user's, never into a wheel.
"""

from __future__ import annotations

import importlib.util
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foveal.errors import DataError, MissingExtraError
from foveal.files import write_atomically

ELPV_LICENCE = "CC BY-NC-SA 4.0"
ELPV_SOURCE = "ELPV (Deitsch et al. 2019), PyPI package elpv-dataset"
_CELLS_PER_MODULE = 60


@dataclass(frozen=True, slots=True)
class Cell:
    """One solar cell.

    Attributes:
        path: The image.
        probability: That it is defective: 0, ⅓, ⅔ or 1.
        kind: ``"mono"`` or ``"poly"``.
        module: A guess at the module it was cut from.
    """

    path: Path
    probability: float
    kind: str
    module: str

    @property
    def label(self) -> str:
        """``functional`` at 0, ``defective`` at 1, ``uncertain`` between."""
        if self.probability in (0.0, 1.0):
            return "defective" if self.probability else "functional"
        return "uncertain"


def read_elpv() -> tuple[Cell, ...]:
    """Returns all cells in file order.

    The package does not say which module a cell came from. The files follow the modules:
    runs of one cell type have lengths near multiples of 60, and cutting each run into
    pieces of about 60 gives 44 pieces, the number of modules in the paper.

    Raises:
        MissingExtraError: The package is not installed.
        DataError: It does not hold what is expected.
    """
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("elpv-dataset", purpose="The demonstration")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    try:
        lines = (folder / "labels.csv").read_text("utf-8").splitlines()
        rows = [
            (path, float(share), kind) for path, share, kind in map(str.split, filter(None, lines))
        ]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / 'labels.csv'} does not hold 'path probability type' in every line.",
            next_step="Install the package again: pip install --force-reinstall elpv-dataset",
        ) from error
    cells: list[Cell] = []
    number = 0
    for kind, run in itertools.groupby(rows, key=lambda row: row[2]):
        members = list(run)
        num_modules = max(1, round(len(members) / _CELLS_PER_MODULE))
        for position, (path, share, _) in enumerate(members):
            module = number + position * num_modules // len(members)
            cells.append(Cell(folder / path, round(share, 4), kind, f"module-{module:02d}"))
        number += num_modules
    return tuple(cells)


def choose_cells(cells: Sequence[Cell], num_images: int, *, seed: int) -> tuple[Cell, ...]:
    """Returns ``num_images`` cells in file order, in proportion by probability and type."""
    if num_images >= len(cells):
        return tuple(cells)
    random = np.random.default_rng(seed)
    strata: dict[tuple[float, str], list[int]] = {}
    for index, cell in enumerate(cells):
        strata.setdefault((cell.probability, cell.kind), []).append(index)
    keys = sorted(strata)
    exact = np.array([num_images * len(strata[key]) / len(cells) for key in keys])
    counts = np.floor(exact).astype(int)
    # The largest remainders get the images that rounding down left over.
    for index in np.argsort(counts - exact, kind="stable")[: num_images - counts.sum()]:
        counts[index] += 1
    chosen = [
        index
        for key, count in zip(keys, counts, strict=True)
        for index in random.choice(strata[key], count, replace=False)
    ]
    return tuple(cells[index] for index in sorted(chosen))


def write_folder(cells: Sequence[Cell], folder: Path) -> None:
    """Writes class folders and ``groups.csv``; files that are there already stay."""
    lines = ["path,approximate_group"]
    for cell in cells:
        name = f"{cell.label}/{cell.path.name}"
        target = folder / name
        # A copy that was killed half-way has another size.
        if not target.is_file() or target.stat().st_size != cell.path.stat().st_size:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cell.path, target)
        lines.append(f"{name},{cell.module}")
    write_atomically(folder / "groups.csv", ("\n".join(lines) + "\n").encode())
