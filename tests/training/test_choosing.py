"""The simplest kind that none beats is kept, and what others claim is said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.dataset import assign_folds
from foveal.errors import UsageError
from foveal.evaluation import describe_choice
from foveal.features.reading import Reading
from foveal.training import Problem
from foveal.training.choosing import choose_maker
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
    from dataclasses import replace

    whole = problem.source(READING)
    return replace(problem, source=lambda reading: whole if reading.stages else whole[:, -6:])


@pytest.mark.parametrize("is_holdout", [False, True])
def test_a_kind_that_is_better_beyond_chance_is_kept(is_holdout: bool) -> None:
    problem = last_alone(problem_of(*rings(), is_holdout=is_holdout))
    maker, fits, choice = choose_maker(problem, makers())
    assert maker.kind == "kernel"
    assert choice is not None
    assert choice.chosen == "kernel"
    kernel = choice.candidates[2]
    assert kernel.gain is not None
    assert kernel.gain.low is not None
    assert kernel.gain.low > 0.2
    # A comparison on the tested part would have a say in its own figure.
    assert (fits is None) == is_holdout


def test_the_simplest_is_kept_where_nothing_is_to_be_had() -> None:
    features, labels = rings()
    noise = np.random.default_rng(3).normal(size=features.shape)
    _, _, choice = choose_maker(last_alone(problem_of(noise, labels)), makers())
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
    _, _, choice = choose_maker(last_alone(problem_of(features, labels)), makers())
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
    maker, fits, choice = choose_maker(problem_of(*rings()), only)
    assert (maker.kind, fits, choice) == ("kernel", None, None)


def test_kinds_that_cannot_be_had_are_passed_over_with_a_reason() -> None:
    found, passed_over = choose_makers(
        "auto", Reading(), num_images=200, num_classes=2, no_stages="it cannot be traced"
    )
    assert [maker.kind for maker in found] == ["linear"]
    assert passed_over == tuple(
        f"The kind {kind} was not tried: it cannot be traced." for kind in ("stages", "kernel")
    )
    _, _, choice = choose_maker(problem_of(*rings()), found, passed_over=passed_over)
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
