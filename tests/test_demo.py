from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from foveal.demo import Cell, choose_cells, read_elpv, write_folder
from foveal.errors import MissingExtraError

needs_elpv = pytest.mark.skipif(
    importlib.util.find_spec("elpv_dataset") is None, reason="elpv-dataset is not installed"
)


def make_cells(folder: Path = Path("cells")) -> tuple[Cell, ...]:
    """100 cells: half functional mono, the rest by kind and probability."""
    strata = [(0.0, "mono", 50), (0.3333, "poly", 20), (0.6667, "poly", 10), (1.0, "poly", 20)]
    rows = [(share, kind) for share, kind, count in strata for _ in range(count)]
    return tuple(
        Cell(folder / f"cell{number:04}.png", share, kind, f"module-{number // 60:02d}")
        for number, (share, kind) in enumerate(rows)
    )


@pytest.mark.parametrize(
    ("probability", "label"),
    [(0.0, "functional"), (0.3333, "uncertain"), (0.6667, "uncertain"), (1.0, "defective")],
)
def test_the_probability_gives_the_class(probability: float, label: str) -> None:
    assert Cell(Path("a.png"), probability, "mono", "module-00").label == label


def test_a_sample_keeps_the_proportions() -> None:
    chosen = choose_cells(make_cells(), 50, seed=0)
    assert Counter(cell.probability for cell in chosen) == {0.0: 25, 0.3333: 10, 0.6667: 5, 1.0: 10}


@pytest.mark.parametrize("num_images", [1, 7, 33, 99])
def test_a_sample_has_the_size_asked_for(num_images: int) -> None:
    assert len(set(choose_cells(make_cells(), num_images, seed=0))) == num_images


def test_a_sample_keeps_the_file_order() -> None:
    chosen = choose_cells(make_cells(), 30, seed=0)
    assert list(chosen) == sorted(chosen, key=lambda cell: cell.path)


def test_the_seed_decides() -> None:
    cells = make_cells()
    assert choose_cells(cells, 30, seed=3) == choose_cells(cells, 30, seed=3)


def test_another_seed_gives_another_sample() -> None:
    cells = make_cells()
    assert choose_cells(cells, 30, seed=3) != choose_cells(cells, 30, seed=4)


def test_more_than_there_are_gives_all() -> None:
    assert choose_cells(make_cells(), 1000, seed=0) == make_cells()


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Cell, ...]:
    cells = make_cells(tmp_path / "package")[45:55]
    (tmp_path / "package").mkdir()
    for cell in cells:
        cell.path.write_bytes(b"picture of " + cell.path.name.encode())
    return cells


def test_the_folder_has_a_folder_a_class(sources: tuple[Cell, ...], tmp_path: Path) -> None:
    write_folder(sources, tmp_path / "out")
    assert Counter(path.parent.name for path in tmp_path.glob("out/*/*.png")) == {
        "functional": 5,
        "uncertain": 5,
    }


def test_the_folder_says_which_module_each_cell_came_from(
    sources: tuple[Cell, ...], tmp_path: Path
) -> None:
    write_folder(sources, tmp_path / "out")
    lines = (tmp_path / "out" / "groups.csv").read_text("utf-8").splitlines()
    assert lines[:2] == ["path,approximate_group", "functional/cell0045.png,module-00"]


def test_a_copy_that_was_killed_is_made_again(sources: tuple[Cell, ...], tmp_path: Path) -> None:
    write_folder(sources, tmp_path / "out")
    copy = tmp_path / "out" / "functional" / "cell0045.png"
    copy.write_bytes(b"pict")
    write_folder(sources, tmp_path / "out")
    assert copy.read_bytes() == b"picture of cell0045.png"


def test_without_the_images_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install elpv-dataset"):
        read_elpv()


@needs_elpv
def test_elpv_is_what_its_paper_says() -> None:
    # Deitsch et al. 2019, table 1: cells by defect probability.
    counts = Counter(cell.probability for cell in read_elpv())
    assert counts == {0.0: 1508, 0.3333: 295, 0.6667: 106, 1.0: 715}


@needs_elpv
def test_elpv_comes_from_44_modules() -> None:
    assert len({cell.module for cell in read_elpv()}) == 44
