"""Columns and orders that are named for a training, from the command line to the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]


@pytest.fixture
def table(make_shapes: Callable[..., Path]) -> Path:
    """60 images in a table, of two sites, of which one has darker images."""
    folder = make_shapes(num_per_class=20)
    (folder / "groups.csv").unlink()
    lines = ["path,label,site"]
    for row, file in enumerate(sorted(folder.glob("*/*.png"))):
        site = "north" if row % 2 else "south"
        if site == "south":
            Image.open(file).point(lambda level: level // 2).save(file)
        lines.append(f"{file.relative_to(folder).as_posix()},{file.parent.name},{site}")
    (folder / "data.csv").write_text("\n".join(lines))
    return folder / "data.csv"


def test_a_named_column_and_an_order_reach_the_report(
    foveal: Run, train: Run, table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    order = "stripes<circle<cross"
    outcome = train(
        *(table, "--out", run, "--subgroup", "site", "--ordered", order, "--no-groups"),
    )
    assert outcome.code == 0, outcome.err
    assert "Weighted kappa" in outcome.out
    evidence = json.loads((run / "evaluation.json").read_text())
    first = evidence["subgroups"]["traits"][0]
    assert (first["name"], first["origin"]) == ("site", "column")
    assert [one["name"] for one in first["subgroups"]] == ["north", "south"]
    assert [one["num_images"] for one in first["subgroups"]] == [30, 30]
    assert first["gap"]["adjusted_p_value"] >= first["gap"]["p_value"]
    assert evidence["ordered"]["order"] == ["stripes", "circle", "cross"]
    page = (run / "report.html").read_text()
    assert "By site:" in page
    assert "stripes &lt; circle &lt; cross" in page
    # A finished run is drawn again from its files, and judges new data in the same order.
    assert foveal("report", run, "--out", tmp_path / "again").code == 0
    assert "By site:" in (tmp_path / "again" / "report.html").read_text()
    scored = json.loads(foveal("evaluate", run, table, "--subgroup", "site", "--json").out)
    assert scored["ordered"]["order"] == ["stripes", "circle", "cross"]
    assert scored["subgroups"]["traits"][0]["name"] == "site"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--subgroup", "sit"), 2, "Did you mean 'site'"),
        (("--ordered", "circle<cross"), 2, "leaves out 'stripes'"),
    ],
)
def test_wrong_names_are_answered_before_anything_is_computed(
    train: Run, table: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    outcome = train(table, "--out", tmp_path / "run", *words)
    assert outcome.code == code
    assert said in " ".join(outcome.err.split())
    assert not (tmp_path / "run").exists()


def test_anonymous_runs_tell_no_folder(
    train: Run, make_shapes: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_shapes(num_per_class=20)
    (folder / "groups.csv").unlink()
    for row, file in enumerate(sorted(folder.glob("*/*.png"))):
        place = file.parent / ("SaintMary" if row % 2 else "Hill")
        place.mkdir(exist_ok=True)
        file.rename(place / file.name)
    run = tmp_path / "run"
    outcome = train(
        *(folder, "--out", run, "--anonymous-paths", "--no-groups", "--class-level", "1")
    )
    assert outcome.code == 0, outcome.err
    for name in ("evaluation.json", "report.html", "README.md"):
        assert "SaintMary" not in (run / name).read_text()
