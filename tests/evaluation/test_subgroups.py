from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle
from statsmodels.stats.multitest import multipletests

from foveal.dataset.traits import Trait
from foveal.evaluation import describe_subgroups, measure_subgroups
from foveal.evaluation.evidence import Subgroups
from foveal.evaluation.group_spread import measure_spread
from foveal.evaluation.subgroup_wording import describe_trait, is_shown
from foveal.evaluation.subgroups import holm
from foveal.schema import from_json, to_json

NAMES = ("a", "b", "c")
EXACT = 1e-12


def answers(
    num_images: int, *, num_classes: int = 3, skill: float = 0.8, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and predictions of which about a share ``skill`` is right."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, num_images)
    wrong = (labels + generator.integers(1, num_classes, num_images)) % num_classes
    return labels, np.where(generator.random(num_images) < skill, labels, wrong)


def parted(values: object, name: str = "site") -> Trait:
    return Trait(name, "column", tuple(map(str, np.asarray(values))))


def measured(
    labels: np.ndarray, predictions: np.ndarray, *traits: Trait, **more: object
) -> Subgroups:
    groups = more.pop("groups", np.arange(len(labels)))
    names = NAMES[: int(labels.max()) + 1]
    found = measure_subgroups(predictions, labels, groups, traits, class_names=names, **more)
    assert found is not None
    return found


def test_figures_of_each_part_are_those_of_scikit_learn() -> None:
    labels, predictions = answers(300)
    site = np.arange(300) % 4
    found = measured(labels, predictions, parted(site), groups=np.arange(300) // 3)
    for position, one in enumerate(found.traits[0].subgroups):
        inside = site == position
        truth, said = labels[inside], predictions[inside]
        assert one.accuracy is not None
        assert one.balanced_accuracy is not None
        assert one.accuracy.estimate == pytest.approx(oracle.accuracy_score(truth, said), abs=EXACT)
        assert one.balanced_accuracy.estimate == pytest.approx(
            oracle.balanced_accuracy_score(truth, said), abs=EXACT
        )
        recalls = oracle.recall_score(truth, said, average=None)
        assert [item.estimate for item in one.recalls if item] == pytest.approx(
            list(recalls), abs=EXACT
        )
        assert one.num_groups == len(np.unique((np.arange(300) // 3)[inside]))


def test_excess_is_that_above_the_recall_of_the_classes() -> None:
    # Class 0: 30 of 40 right; class 1: 10 of 40. Part x has 30 + 10 images of them, y 10 + 30.
    labels = np.repeat([0, 0, 1, 1], [30, 10, 10, 30])
    site = np.repeat(["x", "y", "x", "y"], [30, 10, 10, 30])
    right = np.concatenate([np.repeat([1, 0], n) for n in ((24, 6), (6, 4), (4, 6), (6, 24))])
    found = measured(labels, np.where(right, labels, 1 - labels), parted(site))
    x, y = found.traits[0].subgroups
    assert x.excess == pytest.approx(28 / 40 - (30 * 0.75 + 10 * 0.25) / 40, abs=EXACT)
    assert y.excess == pytest.approx(12 / 40 - (10 * 0.75 + 30 * 0.25) / 40, abs=EXACT)


def test_parts_of_one_mix_of_classes_differ_as_their_accuracies_do() -> None:
    labels = np.tile([0, 1], 100)
    site = np.repeat(["x", "y"], 100)
    right = np.concatenate([np.arange(100) % 10 > 0, np.arange(100) % 10 > 3])
    found = measured(labels, np.where(right, labels, 1 - labels), parted(site))
    gap = found.traits[0].gap
    assert gap is not None
    assert (gap.highest, gap.lowest) == ("x", "y")
    assert gap.difference.estimate == pytest.approx(0.9 - 0.6, abs=EXACT)


def test_a_part_that_is_a_class_is_not_blamed_for_being_hard() -> None:
    labels, predictions = answers(400, num_classes=2)
    predictions = np.where(labels == 1, predictions, labels)  # class 0 is always right
    found = measured(labels, predictions, parted(labels))
    gap = found.traits[0].gap
    assert gap is not None
    assert gap.difference.estimate == pytest.approx(0.0, abs=EXACT)
    assert not is_shown(gap)


def test_a_planted_difference_is_shown_and_named() -> None:
    labels, predictions = answers(600, num_classes=2, skill=0.95)
    site = np.arange(600) % 3
    spoilt = (site == 1) & (np.arange(600) % 2 == 0)
    found = measured(labels, np.where(spoilt, 1 - labels, predictions), parted(site))
    gap = found.traits[0].gap
    assert gap is not None
    assert is_shown(gap)
    assert gap.lowest == "1"
    assert "By site accuracy differs" in describe_subgroups(found)


def test_a_difference_of_few_groups_is_not_taken_for_one_of_parts() -> None:
    # Six patients of 50 images, three a site; all of one patient's are wrong.
    labels = np.tile([0, 1], 150)
    patient = np.repeat(np.arange(6), 50)
    right = (patient != 5) & (np.arange(300) % 10 != 0)
    trait = parted(patient % 2)
    predictions = np.where(right, labels, 1 - labels)
    by_patient = measured(labels, predictions, trait, groups=patient).traits[0].gap
    by_image = measured(labels, predictions, trait).traits[0].gap
    assert by_patient is not None
    assert by_image is not None
    assert by_image.p_value < 0.01
    assert by_patient.p_value > 0.05
    assert not is_shown(by_patient)


@pytest.mark.parametrize("kind", ["images alone", "whole groups", "within groups"])
def test_false_alarms_are_as_rare_as_promised(kind: str) -> None:
    alarms = 0
    for seed in range(120):
        generator = np.random.default_rng(seed)
        groups = np.arange(240) // (1 if kind == "images alone" else 8)
        # Groups are of unequal skill, and parts of unequal size.
        skill = np.clip(generator.normal(0.75, 0.15, groups.max() + 1), 0.2, 1.0)[groups]
        labels = generator.integers(0, 2, 240)
        predictions = np.where(generator.random(240) < skill, labels, 1 - labels)
        source = generator.random(240) if kind == "within groups" else groups * 7 % 11 / 11.0
        site = np.digitize(source, [0.5, 0.75])
        gap = measured(labels, predictions, parted(site), groups=groups, seed=seed).traits[0].gap
        assert gap is not None
        alarms += gap.p_value <= 0.05
    # At most 5% are promised; 120 trials give up to 13 of them with a chance of 0.5%.
    assert alarms <= 13


def test_holm_is_that_of_statsmodels() -> None:
    p_values = [0.004, 0.2, 0.03, 0.004, 0.9]
    expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(expected), abs=EXACT)
    assert holm([]) == ()


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=12))
@settings(deadline=None, max_examples=50)
def test_holm_never_lowers_a_p_value(p_values: list[float]) -> None:
    assert all(after >= before for before, after in zip(p_values, holm(p_values), strict=True))


def test_small_parts_have_no_figures() -> None:
    labels, predictions = answers(219)
    found = measured(labels, predictions, parted(np.repeat(["x", "y", "z"], [100, 100, 19])))
    small = found.traits[0].subgroups[2]
    assert (small.num_images, small.accuracy, small.balanced_accuracy) == (19, None, None)
    assert small.excess is None


def test_a_class_without_images_in_a_part_has_no_sensitivity_there() -> None:
    labels = np.concatenate([np.arange(100) % 2, np.arange(100) % 3])
    predictions = labels.copy()
    predictions[::7] = (labels[::7] + 1) % 3
    found = measured(labels, predictions, parted(np.repeat(["x", "y"], 100)))
    x, y = found.traits[0].subgroups
    assert x.recalls[2] is None
    assert y.recalls[2] is not None
    assert x.balanced_accuracy is not None
    assert x.balanced_accuracy.estimate == pytest.approx(
        np.mean([(predictions[:100] == labels[:100])[labels[:100] == k].mean() for k in (0, 1)])
    )


def test_one_group_a_part_has_no_interval_and_no_test() -> None:
    labels, predictions = answers(200)
    site = np.repeat(["x", "y"], 100)
    found = measured(labels, predictions, parted(site), groups=np.repeat([0, 1], 100))
    trait = found.traits[0]
    assert trait.gap is None
    assert "one group alone" in trait.reason
    assert trait.subgroups[0].accuracy is not None
    assert trait.subgroups[0].accuracy.low is None
    assert describe_trait(trait, num_tested=0).startswith("Not compared.")


def test_a_part_without_a_mistake_is_not_known_without_error() -> None:
    labels = np.tile([0, 1], 40)
    predictions = labels.copy()
    predictions[40:44] = 1 - labels[40:44]
    found = measured(labels, predictions, parted(np.repeat(["x", "y"], 40)))
    gap = found.traits[0].gap
    assert gap is not None
    assert gap.difference.low is not None
    assert gap.difference.low < 0.0


def test_everything_right_is_no_difference() -> None:
    labels = np.tile([0, 1], 40)
    gap = measured(labels, labels, parted(np.repeat(["x", "y"], 40))).traits[0].gap
    assert gap is not None
    assert gap.p_value == 1.0
    assert gap.difference.estimate == 0.0


def test_words_do_not_say_that_there_is_no_difference() -> None:
    labels, predictions = answers(200)
    found = measured(labels, predictions, parted(np.arange(200) % 2))
    text = describe_trait(found.traits[0], num_tested=1)
    assert text.startswith("No difference is shown")
    assert "not ruled out" in text


def test_spread_between_groups_is_that_of_the_analysis_of_variance() -> None:
    generator = np.random.default_rng(3)
    sizes = generator.integers(3, 20, 30)
    groups = np.repeat(np.arange(30), sizes)
    labels = generator.integers(0, 3, len(groups))
    skill = np.clip(generator.normal(0.75, 0.2, 30), 0, 1)[groups]
    right = (generator.random(len(groups)) < skill).astype(float)
    excess = right - np.array([right[labels == k].mean() for k in range(3)])[labels]
    found = measure_spread(excess, labels, groups, source="the patient")
    assert found is not None
    parts = [excess[groups == g] for g in range(30)]
    ratio = stats.f_oneway(*parts).statistic
    within = sum(((part - part.mean()) ** 2).sum() for part in parts) / (len(groups) - 30)
    typical = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / 29
    assert found.i_squared == pytest.approx(1 - 1 / ratio, abs=EXACT)
    assert found.spread.estimate == pytest.approx(
        np.sqrt(within * (ratio - 1) / typical), abs=EXACT
    )
    assert found.p_value == pytest.approx(0.001)


def test_alike_groups_have_no_spread() -> None:
    labels = np.zeros(100, dtype=np.int64)
    right = np.tile([1.0, 1.0, 1.0, 0.0], 25)
    found = measure_spread(right - 0.75, labels, np.arange(100) // 4, source="the patient")
    assert found is not None
    assert found.spread.estimate == 0.0
    assert found.i_squared == 0.0
    assert found.p_value == 1.0


def test_four_groups_or_single_images_have_no_spread() -> None:
    values, labels = np.zeros(40), np.zeros(40, dtype=np.int64)
    assert measure_spread(values, labels, np.arange(40) // 10, source="x") is None
    assert measure_spread(values, labels, np.arange(40), source="x") is None


def test_nothing_to_part_is_none() -> None:
    labels, predictions = answers(50)
    traits = [parted(np.zeros(50))]
    assert measure_subgroups(predictions, labels, np.arange(50), traits, class_names=NAMES) is None


def test_the_same_seed_gives_the_same_figures_and_json_keeps_them() -> None:
    labels, predictions = answers(200)
    trait = parted(np.arange(200) % 3)
    more = {"groups": np.arange(200) // 5, "group_source": "the patient", "seed": 4}
    first = measured(labels, predictions, trait, **more)
    assert first == measured(labels, predictions, trait, **more)
    assert from_json(Subgroups, to_json(first)) == first
