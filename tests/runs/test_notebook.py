"""What a classifier shows in a notebook."""

from __future__ import annotations

import dataclasses
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas
import pytest

import foveal
from foveal.errors import RunAlteredError, UsageError


@pytest.fixture(scope="module")
def classifier(run_folder: Path) -> foveal.runs.Classifier:
    return foveal.load(run_folder)


def test_the_table_of_classes_holds_the_evidence(classifier: foveal.runs.Classifier) -> None:
    frame = pandas.DataFrame(classifier.table("classes")).set_index("class")
    assert list(frame.index) == list(classifier.class_names)
    assert frame["num_images"].sum() == classifier.evidence.metrics.num_images
    for one in classifier.evidence.metrics.per_class:
        assert frame.loc[one.name, "recall"] == one.recall.estimate
        assert frame.loc[one.name, "auroc_low"] == one.auroc.low


def test_the_table_of_images_reaches_the_headline(classifier: foveal.runs.Classifier) -> None:
    frame = pandas.DataFrame(classifier.table("images"))
    accuracy = (frame["label"] == frame["predicted"]).mean()
    assert accuracy == pytest.approx(classifier.evidence.metrics.accuracy.estimate)
    assert frame["fold"].nunique() == classifier.evidence.protocol.num_folds


def test_another_table_is_refused_by_name(classifier: foveal.runs.Classifier) -> None:
    with pytest.raises(UsageError, match="got table 'rows', expected one of classes, images"):
        classifier.table("rows")


def test_an_altered_table_is_not_shown(run_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run_folder, tmp_path / "run"))
    altered = foveal.load(folder)
    (folder / "oof.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunAlteredError, match=r"oof\.parquet was altered"):
        altered.table("images")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_overview_is_sound_html_with_the_headline(classifier: foveal.runs.Classifier) -> None:
    page = classifier._repr_html_()
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert "<b>Accuracy " in page
    assert "on images of unseen groups" in page
    assert all(f"<td>{name}</td>" in page for name in classifier.class_names)


def test_figures_on_images_it_was_trained_on_say_so(classifier: foveal.runs.Classifier) -> None:
    protocol = dataclasses.replace(classifier.evidence.protocol, measured_on="seen")
    evidence = dataclasses.replace(classifier.evidence, protocol=protocol)
    seen = dataclasses.replace(classifier, evidence=evidence)
    assert "on the very images it was trained on" in seen._repr_html_()
    assert "on the very images it was trained on" in repr(seen)


def test_hostile_class_names_stay_text(classifier: foveal.runs.Classifier) -> None:
    metrics = classifier.evidence.metrics
    hostile = dataclasses.replace(metrics.per_class[0], name="<script>\x1b[31m")
    many = dataclasses.replace(metrics, per_class=(hostile,) * 40)
    evidence = dataclasses.replace(classifier.evidence, metrics=many)
    page = dataclasses.replace(classifier, evidence=evidence)._repr_html_()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "28 more classes" in page
