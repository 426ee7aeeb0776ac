"""The simplest kind that none beats is kept, and what others claim is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.errors import UsageError
from foveal.evaluation import describe_choice
from foveal.features.reading import Reading
from foveal.training import Problem
from foveal.training.choosing import choose_maker, compare_ways
from foveal.training.makers import MAKERS, choose_makers

READING = Reading(stages=("early",), widths=(2, 6))
NUM_GROUPS, GROUP_SIZE = 40, 5


def problem_of(
    features: NDArray[np.float64], labels: NDArray[np.int64], *, is_holdout: bool = False
) -> Problem:
    groups = np.arange(NUM_GROUPS * GROUP_SIZE) // GROUP_SIZE
    fold_index = assign_folds(labels, groups, num_folds=5, seed=0).fold_index
    return Problem.of_features(
        features.astype(np.float32),
        labels,
        num_classes=2,
        groups=groups,
        fold_index=np.where(fold_index == 0, 0, -1) if is_holdout else fold_index,
    )


def rings(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two classes that only a curve parts, in the early stage; the last stage is noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(NUM_GROUPS * GROUP_SIZE) // GROUP_SIZE % 2
    angle = random.uniform(0, 2 * np.pi, len(labels))
    radius = 1 + 1.5 * labels + 0.2 * random.normal(size=len(labels))
    early = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return np.hstack([early, 0.1 * random.normal(size=(len(labels), 6))]), labels


def makers():  # type: ignore[no-untyped-def]
    return choose_makers("auto", READING, num_images=200, num_classes=2)[0]


def of_features(features: NDArray[np.float64]) -> Problem:
    """The reading of the features alone takes the last columns."""
    return problem_of(*features)  # type: ignore[misc]


def last_alone(problem: Problem) -> Problem:
    whole = problem.source(READING)
    return replace(problem, source=lambda reading: whole if reading.stages else whole[:, -6:])


@pytest.mark.parametrize("is_holdout", [False, True])
def test_a_kind_that_is_better_beyond_chance_is_kept(is_holdout: bool) -> None:
    problem = last_alone(problem_of(*rings(), is_holdout=is_holdout))
    chosen = choose_maker(problem, makers())
    choice = chosen.record
    assert chosen.maker.kind == chosen.fits.model.describe().kind == "kernel"
    assert choice is not None
    assert choice.chosen == "kernel"
    kernel = choice.candidates[2]
    assert kernel.gain is not None
    assert kernel.gain.low is not None
    assert kernel.gain.low > 0.2
    # A comparison on the tested part would have a say in its own figure.
    assert choice.by_fold == (() if is_holdout else ("kernel",) * 5)
    assert len(chosen.logits) == (problem.fold_index >= 0).sum()
    np.testing.assert_array_equal(chosen.logits, chosen.fits.logits)


def test_the_simplest_is_kept_where_nothing_is_to_be_had() -> None:
    features, labels = rings()
    noise = np.random.default_rng(3).normal(size=features.shape)
    choice = choose_maker(last_alone(problem_of(noise, labels)), makers()).record
    assert choice is not None
    assert choice.chosen == "linear"
    assert [one.kind for one in choice.candidates] == ["linear", "stages", "kernel"]
    assert choice.candidates[0].gain is None


def test_looks_of_groups_credit_a_kind_at_random_folds_only() -> None:
    # Every group has a look of its own in the early stage, and a label of its own by chance.
    random = np.random.default_rng(0)
    groups = np.arange(NUM_GROUPS * GROUP_SIZE) // GROUP_SIZE
    labels = random.permutation(np.arange(NUM_GROUPS) % 2)[groups]
    looks = 2 * random.normal(size=(NUM_GROUPS, 2))[groups]
    early = looks + 0.05 * random.normal(size=looks.shape)
    features = np.hstack([early, random.normal(size=(len(labels), 6))])
    choice = choose_maker(last_alone(problem_of(features, labels)), makers()).record
    assert choice is not None
    linear, _, kernel = choice.candidates
    assert choice.chosen == "linear"
    assert kernel.random_accuracy is not None
    assert linear.random_accuracy is not None
    assert kernel.random_accuracy > linear.random_accuracy + 0.1
    assert kernel.accuracy < 0.65
    said = " ".join(describe_choice(choice))
    assert "compared out of fold, by group: linear" in said
    assert "The kind linear was kept: no other beats it beyond chance." in said
    assert "Random folds would have credited, in points over linear:" in said


def test_one_kind_is_compared_with_nothing() -> None:
    only, _ = choose_makers("kernel", READING, num_images=200, num_classes=2)
    chosen = choose_maker(problem_of(*rings()), only)
    assert (chosen.maker.kind, chosen.record) == ("kernel", None)


def test_kinds_that_cannot_be_had_are_passed_over_with_a_reason() -> None:
    found, passed_over = choose_makers(
        "auto", Reading(), num_images=200, num_classes=2, no_stages="it cannot be traced"
    )
    assert [maker.kind for maker in found] == ["linear"]
    assert passed_over == tuple(
        f"The kind {kind} was not tried: it cannot be traced." for kind in ("stages", "kernel")
    )
    choice = choose_maker(problem_of(*rings()), found, passed_over=passed_over).record
    assert choice is not None
    assert describe_choice(choice)[-2:] == passed_over


def test_a_kernel_of_very_many_images_is_passed_over() -> None:
    found, passed_over = choose_makers("auto", READING, num_images=6001, num_classes=2)
    assert [maker.kind for maker in found] == ["linear", "stages"]
    assert passed_over == ("The kind kernel was not tried: 6,001 images are more than its 6,000.",)


def test_a_kind_that_was_asked_for_and_cannot_be_had_is_an_error() -> None:
    with pytest.raises(UsageError, match="--head kernel cannot be used here: 7,000 images"):
        choose_makers("kernel", READING, num_images=7000, num_classes=2)


def test_the_table_begins_with_the_simplest() -> None:
    assert next(iter(MAKERS)) == "linear"


def answered(problem: Problem, right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns logits that are right and wrong where they shall be."""
    return np.eye(2)[np.where(right, problem.labels, 1 - problem.labels)]


def test_no_answer_that_is_reported_was_chosen_by_its_own_label() -> None:
    # The second way is better in fold 0 alone, and there by so much that all answers choose it.
    labels = np.arange(200) % 2
    problem = replace(problem_of(np.zeros((200, 8)), labels), groups=np.arange(200))
    fold, random = problem.fold_index, np.random.default_rng(0)
    first = random.random(200) < 0.6
    second = np.where(fold == 0, True, first)
    found = compare_ways(problem, [answered(problem, first), answered(problem, second)])
    assert found.kept == 1
    assert found.by_fold[0] == 0
    reported = found.logits.argmax(1) == labels
    np.testing.assert_array_equal(reported[fold == 0], first[fold == 0])
    # Whatever the labels of a fold, and so the answers that are right, its choice stays.
    turned = np.where(fold == 0, ~second, second)
    again = compare_ways(problem, [answered(problem, first), answered(problem, turned)])
    assert again.by_fold[0] == found.by_fold[0]


def test_of_a_holdout_halves_choose_for_one_another() -> None:
    labels = np.arange(200) % 2
    problem = replace(
        problem_of(np.zeros((200, 8)), labels), groups=np.arange(200), fold_index=np.zeros(200, int)
    )
    random = np.random.default_rng(0)
    first = random.random(200) < 0.5
    found = compare_ways(problem, [answered(problem, first), answered(problem, ~first)])
    assert len(found.by_fold) == 2
    better = answered(problem, first | (random.random(200) < 0.6))
    clear = compare_ways(problem, [answered(problem, first), better])
    assert (clear.kept, clear.by_fold) == (1, (1, 1))
    np.testing.assert_array_equal(clear.logits, better)


def test_folds_that_choose_differently_answer_with_one_sharpness() -> None:
    labels = np.arange(200) % 2
    problem = replace(problem_of(np.zeros((200, 8)), labels), groups=np.arange(200))
    fold, random = problem.fold_index, np.random.default_rng(0)
    first = random.random(200) < 0.6
    second = np.where(fold == 0, True, first)
    answers = [50 * answered(problem, first), 2 * answered(problem, second)]
    spread = np.ptp(compare_ways(problem, answers).logits, axis=1)
    assert spread.max() / spread.min() < 10


def test_where_classes_count_the_same_they_do_in_the_comparison() -> None:
    # 20 images of the rare class; the second way finds them and pays with 30 of the other.
    labels = (np.arange(200) % 10 == 0).astype(np.int64)
    problem = replace(problem_of(np.zeros((200, 8)), labels), groups=np.arange(200))
    first = labels == 0
    second = (labels == 1) | (np.arange(200) >= 34)
    answers = [answered(problem, first), answered(problem, second)]
    assert (first.mean(), second.mean()) == (0.9, 0.85)
    assert compare_ways(problem, answers).kept == 0
    balanced = compare_ways(replace(problem, class_weights="balanced"), answers)
    assert (balanced.kept, balanced.measure) == (1, "balanced_accuracy")
    gain = balanced.gains[1]
    assert gain is not None
    assert gain.estimate == pytest.approx((150 / 180 + 20 / 20) / 2 - (1 + 0) / 2)


def test_a_choice_that_folds_do_not_share_is_said() -> None:
    from foveal.evaluation import Candidate, ModelChoice

    candidates = (Candidate("linear", 0.6, None, None), Candidate("kernel", 0.7, None, None))
    folds = ("linear", "kernel", "kernel", "kernel", "kernel")
    said = describe_choice(ModelChoice("kernel", candidates, by_fold=folds))
    assert said[-1] == (
        "The figures are of answers that had no say in the choice: for every fold the kind was "
        "chosen by the other folds (linear in 1, kernel in 4 of 5)."
    )
    same = ModelChoice("kernel", candidates, by_fold=("kernel",) * 5)
    assert not any("no say" in sentence for sentence in describe_choice(same))


def test_flips_are_tried_where_they_were_read_and_else_there_is_a_reason() -> None:
    def kinds(no_flips: str | None, head: Any = "auto") -> tuple[list[str], tuple[str, ...]]:
        found, passed_over = choose_makers(
            head, READING, num_images=200, num_classes=2, no_flips=no_flips
        )
        return [maker.kind for maker in found], passed_over

    assert kinds(None) == (["linear", "stages", "kernel", "kernel-flips"], ())
    assert kinds("") == (["linear", "stages", "kernel"], ())
    assert kinds("it takes an hour")[1] == (
        "The kind kernel-flips was not tried: it takes an hour.",
    )
    assert kinds(None, "kernel-flips") == (["kernel-flips"], ())
