"""Sides are made by hand here, so that every figure is known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal.api import compare, load
from foveal.errors import DataError, RunError, UsageError
from foveal.runs.common_images import find_common
from foveal.runs.comparing import compare_sides
from foveal.runs.sides import Side, read_answers_side, read_run_side

CLASSES = ("cat", "dog")


def side(
    answers: str,
    *,
    name: str = "one",
    labels: str | None = None,
    paths: list[str] | None = None,
    contents: list[str] | None = None,
    groups: list[int] | None = None,
    folds: list[int] | None = None,
    **more: Any,
) -> Side:
    """A side that answers ``"cd"`` to two images: cat, then dog."""
    words = dict(zip("cdb", ("cat", "dog", "bird"), strict=True))
    number = len(answers)
    contents = contents or [f"content-{place}" for place in range(number)]
    return (
        Side(
            name=name,
            kind="run",
            class_names=CLASSES,
            paths=tuple(paths or [f"{place:03}.png" for place in range(number)]),
            digests=tuple((f"file-{one}", f"pixels-{one}") for one in contents),
            predicted=tuple(words[letter] for letter in answers),
            scores=np.array([[float(one == "c"), float(one != "c")] for one in answers]),
            labels=tuple(words[letter] for letter in labels or answers),
            groups=np.array(groups or range(number)),
            folds=np.array(folds or [0] * number),
            trained_on=frozenset(contents),
        )
        if not more
        else replace(side(answers, name=name, labels=labels, paths=paths), **more)
    )


def table(folder: Path, text: str, name: str = "answers.csv") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_images_are_matched_by_what_they_show_before_their_path() -> None:
    first = side("ccd", paths=["a", "b", "c"], contents=["x", "y", "z"])
    second = side("dcc", paths=["c", "a", "q"], contents=["x", "w", "y"])
    common = find_common(first, second)
    # x and y are the same images elsewhere; nothing is left of the path a, whose file is x.
    assert list(zip(common.first_rows, common.second_rows, strict=True)) == [(0, 0), (1, 2)]
    assert (common.num_by_content, common.num_by_path) == (2, 0)


def test_copies_are_matched_one_by_one() -> None:
    first = side("cccc", contents=["x", "x", "x", "y"])
    second = side("cc", paths=["m", "n"], contents=["x", "x"])
    common = find_common(first, second)
    assert len(common.first_rows) == 2
    assert sorted(common.second_rows) == [0, 1]


def test_the_same_path_with_other_contents_is_said() -> None:
    first, second = side("cdcd"), side("cdcc", contents=["p", "q", "r", "s"], labels="cdcd")
    found = compare_sides(first, second)
    assert (found.num_by_content, found.num_by_path) == (0, 4)
    assert any("the same path, but different contents" in note for note in found.notes)


def test_numbers_in_place_of_names_match_nothing() -> None:
    first, second = side("cd"), side("cd", contents=["p", "q"])
    with pytest.raises(DataError, match="have no image in common"):
        find_common(first, replace(second, has_numbered_paths=True))


def test_what_is_left_out_is_counted_with_its_accuracy() -> None:
    first = side("cdcdc", labels="cdcdd")
    found = compare_sides(first, side("cdcc", name="two", labels="cdcd"))
    assert (found.first.num_left_out, found.second.num_left_out) == (1, 0)
    assert found.first.accuracy_left_out == 0.0
    assert any("1 of the 5 images that one answered" in note for note in found.notes)
    assert found.comparison.accuracy.first == 1.0
    assert found.comparison.accuracy.second == 0.75


def test_labels_that_disagree_are_left_out_by_name() -> None:
    found = compare_sides(side("cdcd"), side("cdcd", name="two", labels="ddcd"))
    assert found.num_disagreeing == 1
    assert found.comparison.num_images == 3
    assert any("000.png (cat and dog)" in note for note in found.notes)


def test_labels_that_disagree_throughout_are_refused() -> None:
    with pytest.raises(DataError, match="agree about the label of no common image"):
        compare_sides(side("cd"), side("dc"))


def test_classes_of_one_side_alone_are_left_out() -> None:
    second = replace(side("cdcc", labels="cdcd", name="two"), class_names=("bird", "cat", "dog"))
    second = replace(
        second,
        predicted=("bird", "dog", "cat", "cat"),
        labels=("cat", "dog", "cat", "bird"),
        scores=np.eye(3)[[0, 2, 1, 1]],
    )
    first = replace(side("cdcc", labels="cdcd"), class_names=("cat", "dog", "bird"))
    first = replace(first, scores=np.eye(3)[[0, 1, 0, 0]], labels=("cat", "dog", "cat", "bird"))
    found = compare_sides(replace(first, class_names=("cat", "dog", "owl")), second)
    assert found.num_unknown_class == 1
    assert found.comparison.class_names == CLASSES
    assert found.comparison.accuracy.second == pytest.approx(2 / 3)
    assert any("bird (1)" in note for note in found.notes)


def test_other_class_names_are_refused_with_the_near_ones() -> None:
    second = replace(side("cd"), class_names=("Cats", "Dogs"))
    with pytest.raises(DataError, match="0 classes in common, expected at least two") as error:
        compare_sides(side("cd"), second)
    assert "'cat' and 'Cats'" in str(error.value)


def test_groups_of_either_run_are_kept_together() -> None:
    first = side("cdcdcd", groups=[0, 0, 1, 2, 3, 4])
    second = side("cdcdcd", name="two", groups=[0, 1, 1, 2, 3, 4])
    # 0 and 1 by the first, 1 and 2 by the second: one group of three.
    assert compare_sides(first, second).comparison.num_groups == 4


def test_a_run_that_spread_the_groups_of_the_other_over_folds_is_told() -> None:
    first = side("cdcd", groups=[0, 0, 1, 1], folds=[0, 0, 1, 1])
    second = side("cdcd", name="two", folds=[0, 1, 0, 0])
    notes = compare_sides(first, second).notes
    assert any("two has images of 1 group of one in several folds" in note for note in notes)


def test_what_other_training_images_mean_is_said() -> None:
    found = compare_sides(side("cdcd"), side("cd", name="two"))
    note = next(note for note in found.notes if "different images" in note)
    assert "one from 4, two from 2, 2 of them the same" in note
    assert "out of fold on both sides" in note


def read(folder: Path, text: str, **more: Any) -> Side:
    return read_answers_side(table(folder, text), CLASSES, **more)


@pytest.mark.parametrize("path", ["a/1.png", "./a/1.png", "a\\1.png", "photos/a/1.png", "1.png"])
def test_a_table_may_name_an_image_from_further_up_or_down(path: str, tmp_path: Path) -> None:
    run = side("cd", paths=["a/1.png", "a/2.png"])
    common = find_common(run, read(tmp_path, f"path,label\n{path},cat\n"))
    assert list(common.first_rows) == [0]


def test_a_path_that_fits_two_images_is_refused(tmp_path: Path) -> None:
    run = side("cd", paths=["a/1.png", "b/1.png"])
    with pytest.raises(DataError, match=r"The path 1\.png could be 2 images of the run"):
        find_common(run, read(tmp_path, "path,label\n1.png,cat\n"))


def test_two_paths_for_one_image_are_refused(tmp_path: Path) -> None:
    run = side("cd", paths=["a/1.png", "b/2.png"])
    answers = read(tmp_path, "path,label\nx/a/1.png,cat\ny/a/1.png,dog\n")
    with pytest.raises(DataError, match="Two paths of the table are the same image"):
        find_common(run, answers)


def test_rows_without_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    run = side("cdcd", labels="cddd", paths=["1", "2", "3", "4"])
    found = compare_sides(run, read(tmp_path, "path,label\n1,cat\n2,\n4,nan\n"))
    assert found.comparison.num_images == 1
    assert found.first.num_left_out == 3
    assert found.first.accuracy_left_out == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n1,cat\n1,dog\n", "two answers for 1: 'cat' in line 2 and 'dog' in line 3"),
        ("path,label\n1,cats\n2,Dog\n", r"does not know: 'cats' \(1\), 'Dog' \(1\)"),
        ("path,label\n,cat\n", "has no path in line 2"),
        ("path,label\n1,\n2,?\n", "has no answer: its column 'label' is empty"),
        ("path,label,cat,dog\n1,cat,0.9,0.9\n", "in line 2 of 'answers.csv' add up to 1.8"),
        ("path,label,cat,dog\n1,cat,nan,0.9\n", "holds 'nan' in line 2, expected a probability"),
        ("path,label,probability_cat\n1,cat,1.2\n", "holds '1.2' in line 2"),
        ("path,label,cat\n1,cat,\n", "holds '' in line 2, expected a probability"),
        ("file,colour\n1,cat\n", "has no column 'label'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_a_row_that_is_repeated_counts_once(tmp_path: Path) -> None:
    found = read(tmp_path, "path,label\n1,cat\n1,cat\n./1,cat\n2,dog\n")
    assert found.paths == ("1", "2")
    assert found.notes == ("2 rows repeated another one and counted once.",)


def test_an_answer_is_not_taken_from_the_column_of_the_truth(tmp_path: Path) -> None:
    found = read(tmp_path, "path,label,prediction\n1,cat,dog\n")
    assert found.predicted == ("dog",)
    assert "'prediction' was read as the answer. The column 'label' is not used" in found.notes[0]


def test_a_table_of_the_true_labels_is_noticed(tmp_path: Path) -> None:
    run = side("cdcd", labels="cddc", paths=["1", "2", "3", "4"])
    found = compare_sides(run, read(tmp_path, "path,label\n1,cat\n2,dog\n3,dog\n4,cat\n"))
    assert any("is it a table of the labels" in note for note in found.notes)


@pytest.mark.parametrize("columns", ["probability_cat", "p_cat", "CAT", "prob_cat", "score_cat"])
def test_of_two_classes_one_probability_is_enough(columns: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"path,label,{columns}\n1,cat,0.75\n2,dog,0.5\n")
    assert found.scores is not None
    assert found.scores.tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_classes_without_probabilities_are_named(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    run = replace(
        side("cdcdcd", paths=list("123456")),
        class_names=names,
        labels=tuple("abcabc"),
        predicted=tuple("abcabb"),
        scores=np.eye(3)[[0, 1, 2, 0, 1, 1]],
    )
    text = "path,label,p_a\n" + "".join(
        f"{n},{a},0.5\n" for n, a in zip("123456", "aabbcc", strict=True)
    )
    found = compare_sides(run, read_answers_side(table(tmp_path, text), names))
    assert any("has no probabilities of b, c" in note for note in found.notes)
    assert found.comparison.auroc.second == 0.5
    assert found.comparison.per_class[1].auroc.reason is not None


def test_what_predict_writes_can_be_compared(
    foveal: Callable[..., Any], run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    assert (
        foveal("predict", run_folder, shapes / "*" / "*.png", "--out", tmp_path / "p.csv").code == 0
    )
    outcome = foveal("compare", run_folder, tmp_path / "p.csv")
    assert outcome.code == 0
    assert "36 common images" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_figures_of_a_run_are_those_of_its_report(run_folder: Path) -> None:
    found = compare(run_folder, run_folder)
    metrics = load(run_folder).evidence.metrics
    assert found.comparison.accuracy.first == metrics.accuracy.estimate
    assert found.comparison.auroc.first == pytest.approx(metrics.auroc.estimate, abs=1e-12)
    assert found.comparison.num_groups == metrics.num_groups
    assert "No difference in accuracy is shown" in found.verdict
    assert read_run_side(run_folder).paths


def test_margin_and_files_that_cannot_be_are_refused(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="margin: got 2, expected a number above 0"):
        compare(run_folder, run_folder, margin=2)
    with pytest.raises(UsageError, match="is a file, expected a run folder"):
        compare(table(tmp_path, "path,label\n1,cat\n"), run_folder)
    with pytest.raises(RunError, match="There is no run folder"):
        compare(run_folder, tmp_path / "nowhere")


def test_exit_code_says_whether_the_margin_is_kept(
    foveal: Callable[..., Any], run_folder: Path, tmp_path: Path
) -> None:
    assert foveal("compare", run_folder, run_folder, "--margin", "0.9").code == 0
    outcome = foveal("compare", run_folder, run_folder, "--margin", "0.001")
    assert outcome.code == 1
    assert "neither shown nor ruled out" in " ".join(outcome.out.split())
    page = tmp_path / "page.html"
    assert foveal("compare", run_folder, run_folder, "--html", page).code == 0
    assert "No difference in accuracy" in page.read_text("utf-8")
