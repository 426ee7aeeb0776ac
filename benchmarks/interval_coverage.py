"""``python -m benchmarks intervals``: how often each 95% interval holds the true value.

Made-up answers of which everything is known: a score is ±(d + group + image), both normal, so that
sensitivity, precision, areas and net benefit of the population are closed forms, whatever the size
of the groups and the share of the classes. Of many samples it is counted how often the interval
that Foveal prints holds the population's value. ``--write`` puts the table into docs/intervals.md;
``SAMPLES=1000`` takes more samples than 250.
"""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from benchmarks.measuring import print_table
from foveal.dataset.traits import Trait
from foveal.evaluation import (
    Interval,
    accuracy_difference,
    assess_prediction_sets,
    compare_with_baseline,
    measure,
    measure_ordered,
    measure_subgroups,
    softmax,
    wilson,
)
from foveal.evaluation.comparison import Answered, compare_answers
from foveal.evaluation.decision_curve import measure_decision_curves
from foveal.evaluation.rates import rates_of
from foveal.evaluation.recalibration import assess_external_calibration

PAGE = Path(__file__).parents[1] / "docs" / "intervals.md"
BEGIN, END = "<!-- coverage -->\n", "<!-- /coverage -->\n"
NUM_SAMPLES = int(os.environ.get("SAMPLES", "250"))
CUT = 0.2
SETS_FROM = 0.3
RARE = 0.02
NAMES = ("no", "yes")


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of sample: images, how many share a group, how alike they are, share of yes."""

    num_images: int
    per_group: int
    alike: float
    prevalence: float
    sensitivity: float = 0.85

    @property
    def name(self) -> str:
        groups = "alone" if self.per_group == 1 else f"{self.num_images // self.per_group} groups"
        return f"{self.num_images:,}, {groups}, {100 * self.prevalence:.0f}%" + (
            "" if self.sensitivity == 0.85 else f", sens. {100 * self.sensitivity:.0f}%"
        )

    @property
    def margin(self) -> float:
        return float(norm.ppf(self.sensitivity))


CASES = (
    Case(60, 1, 0.0, 0.5),
    Case(200, 1, 0.0, 0.5),
    Case(200, 1, 0.0, 0.1),
    Case(1000, 1, 0.0, 0.1),
    Case(1000, 1, 0.0, 0.5, 0.99),
    Case(200, 5, 0.3, 0.5),
    Case(200, 20, 0.3, 0.5),
    Case(1000, 20, 0.3, 0.5),
    Case(1000, 20, 0.3, 0.1),
    Case(1000, 100, 0.1, 0.5),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Scores for "yes" of two classifiers, truth and groups; grades and answers about them."""

    scores: NDArray[np.float64]
    others: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    grades: NDArray[np.int64]
    graded: NDArray[np.int64]

    @property
    def predictions(self) -> NDArray[np.int64]:
        return (self.scores > 0).astype(np.int64)


def as_logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the two logits of scores for "yes"."""
    return np.stack([np.zeros_like(scores), scores], axis=1)


def draw(case: Case, seed: int) -> Sample:
    """Returns a sample of the population of ``case``."""
    random = np.random.default_rng(seed)
    groups = np.arange(case.num_images) // case.per_group
    shared = random.normal(0, math.sqrt(case.alike), groups.max() + 1)[groups]
    alone = math.sqrt(1 - case.alike)

    def margins(middle: float) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = middle + shared + random.normal(0, alone, case.num_images)
        return drawn

    labels = (random.random(case.num_images) < case.prevalence).astype(np.int64)
    labels[:2] = (0, 1)  # a sample without a class has no figure for it
    sign = 2.0 * labels - 1.0
    first = margins(case.margin)
    grades = random.integers(0, 4, case.num_images)
    off_by_one = np.where(grades < 3, grades + 1, 2)
    return Sample(
        scores=sign * first,
        others=sign * margins(case.margin - 0.3),
        labels=labels,
        groups=groups,
        grades=grades,
        graded=np.where(first > 0, grades, off_by_one),
    )


def truths(case: Case) -> dict[str, float]:
    """Returns the population's value of every figure."""
    d, share, right = case.margin, case.prevalence, case.sensitivity
    other = float(norm.cdf(d - 0.3))
    precision = share * right / (share * right + (1 - share) * (1 - right))
    f1 = 2 * precision * right / (precision + right)
    no_precision = (1 - share) * right / ((1 - share) * right + share * (1 - right))
    no_f1 = 2 * no_precision * right / (no_precision + right)
    cut = math.log(CUT / (1 - CUT))
    hit, alarm = float(norm.cdf(d - cut)), float(norm.cdf(-d - cut))
    area = float(norm.cdf(math.sqrt(2) * d))
    joint = np.zeros((4, 4))
    for grade in range(4):
        joint[grade, grade] += right / 4
        joint[grade, grade + 1 if grade < 3 else 2] += (1 - right) / 4
    weights = (np.arange(4)[:, None] - np.arange(4)) ** 2
    chance = float((weights * np.outer(joint.sum(1), joint.sum(0))).sum())
    both = float(multivariate_normal.cdf([d, d], cov=[[1, case.alike], [case.alike, 1]]))
    return {
        "accuracy": right,
        "balanced accuracy": right,
        "recall of the rarer class": right,
        "precision of the rarer class": precision,
        "F1 of the rarer class": f1,
        "macro F1": (f1 + no_f1) / 2,
        "area under the ROC curve": area,
        "gain over the constant answer": right - max(share, 1 - share),
        "coverage of prediction sets": float(norm.cdf(d - math.log(SETS_FROM / (1 - SETS_FROM)))),
        "difference of two accuracies, paired": right - other,
        "difference of two balanced accuracies, paired": right - other,
        "difference of two areas, paired": area - float(norm.cdf(math.sqrt(2) * (d - 0.3))),
        "sensitivity at a threshold": hit,
        "specificity at a threshold": 1 - alarm,
        "PPV at a threshold": share * hit / (share * hit + (1 - share) * alarm),
        "PPV at another prevalence": RARE * hit / (RARE * hit + (1 - RARE) * alarm),
        "net benefit": share * hit - (1 - share) * alarm * CUT / (1 - CUT),
        "calibration slope": 2 * d,
        "calibration in the large": _in_the_large(d, share),
        "accuracy of a subgroup": right,
        "gap of two subgroups": 0.0,
        "spread between groups": math.sqrt(max(0.0, both - right**2)),
        "weighted kappa": 1 - (1 - right) / chance,
        "mean distance of grades": 1 - right,
    }


def _in_the_large(d: float, share: float) -> float:
    """Returns the intercept that makes mean probability and share equal, the slope held at 1."""
    steps, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def surplus(intercept: float) -> float:
        yes, no = (1 / (1 + np.exp(-intercept - middle - steps)) for middle in (d, -d))
        return float(share * (weights @ yes) + (1 - share) * (weights @ no) - share)

    return float(brentq(surplus, -20, 20))


def figures(sample: Sample, seed: int) -> dict[str, Interval]:
    """Returns the interval of every figure, as Foveal prints it."""
    labels, groups = sample.labels, sample.groups
    named = {"class_names": NAMES, "seed": seed}
    metrics = measure(as_logits(sample.scores), labels, groups, **named)
    rare = metrics.per_class[1]
    probabilities = softmax(as_logits(sample.scores))
    sets = assess_prediction_sets(
        probabilities,
        labels,
        groups,
        thresholds=(SETS_FROM, SETS_FROM),
        alpha=0.1,
        conditional="marginal",
        seed=seed,
    )
    second = (sample.others > 0).astype(np.int64)
    compared = compare_answers(
        Answered(sample.predictions, probabilities),
        Answered(second, softmax(as_logits(sample.others))),
        labels,
        groups,
        **named,
    )
    rates, elsewhere = rates_of(
        probabilities[:, 1] >= CUT, labels == 1, groups, prevalence=RARE, seed=seed
    )
    assert elsewhere is not None
    curve = measure_decision_curves(probabilities, labels, groups, class_names=NAMES)[1]
    place = curve.thresholds.index(CUT)
    calibrated = assess_external_calibration(
        probabilities, labels, groups, class_names=NAMES, seed=seed, num_resamples=20
    )
    site = Trait("site", "column", tuple("ab"[group % 2] for group in groups))
    parted = measure_subgroups(
        sample.predictions, labels, groups, (site,), group_source="group", **named
    )
    assert parted is not None
    gap, part = parted.traits[0].gap, parted.traits[0].subgroups[0]
    ordered = measure_ordered(
        sample.graded,
        sample.grades,
        groups,
        class_names=tuple("0123"),
        order=tuple("0123"),
        origin="given",
        seed=seed,
    )
    found = {
        "accuracy": metrics.accuracy,
        "balanced accuracy": metrics.balanced_accuracy,
        "recall of the rarer class": rare.recall,
        "precision of the rarer class": rare.precision,
        "F1 of the rarer class": rare.f1,
        "macro F1": metrics.macro_f1,
        "area under the ROC curve": metrics.auroc,
        "gain over the constant answer": compare_with_baseline(
            as_logits(sample.scores), labels, groups, **named
        ).gain,
        "coverage of prediction sets": sets.coverage,
        "difference of two accuracies, paired": accuracy_difference(
            sample.predictions == labels, second == labels, groups, seed=seed
        ),
        "difference of two balanced accuracies, paired": compared.balanced_accuracy.difference,
        "difference of two areas, paired": compared.auroc.difference,
        "sensitivity at a threshold": rates.sensitivity,
        "specificity at a threshold": rates.specificity,
        "PPV at a threshold": rates.ppv,
        "PPV at another prevalence": elsewhere.ppv,
        "net benefit": Interval(curve.net_benefit[place], curve.low[place], curve.high[place]),
        "calibration slope": calibrated.slope,
        "calibration in the large": calibrated.classes[1].intercept,
        "accuracy of a subgroup": part.accuracy,
        "gap of two subgroups": None if gap is None else gap.difference,
        "spread between groups": None
        if parted.between_groups is None
        else parted.between_groups.spread,
        "weighted kappa": ordered.weighted_kappa,
        "mean distance of grades": ordered.mean_distance,
    }
    return {name: interval for name, interval in found.items() if interval is not None}


def coverage(case: Case, num_samples: int) -> dict[str, tuple[int, int]]:
    """Returns by figure in how many samples the interval held the truth, and of how many."""
    expected = truths(case)
    held: dict[str, list[bool]] = {name: [] for name in expected}
    for seed in range(num_samples):
        sample = draw(case, seed)
        # The constant answer is that of the images at hand, so the gain is at their mix.
        share = float(sample.labels.mean())
        expected["gain over the constant answer"] = case.sensitivity - max(share, 1 - share)
        for name, interval in figures(sample, seed).items():
            if interval.low is not None and interval.high is not None:
                is_in = interval.low - 1e-9 <= expected[name] <= interval.high + 1e-9
                held[name].append(is_in)
    return {name: (sum(inside), len(inside)) for name, inside in held.items()}


def told(hits: int, trials: int) -> str:
    """Returns the coverage in per cent; bold where it lies outside 93 to 97% beyond chance."""
    if trials == 0:
        return "–"
    share = 100 * hits / trials
    interval = wilson(hits, trials)
    assert interval.low is not None
    assert interval.high is not None
    is_outside = interval.high < 0.93 or interval.low > 0.97
    return f"**{share:.1f}**" if is_outside else f"{share:.1f}"


def main() -> None:
    start = time.perf_counter()
    found = {}
    for case in CASES:
        found[case.name] = coverage(case, NUM_SAMPLES)
        print(f"{case.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    rows = [[name, *(told(*found[case.name][name]) for case in CASES)] for name in truths(CASES[0])]
    header = ["Figure", *(case.name for case in CASES)]
    print_table(header, rows)
    print(f"{NUM_SAMPLES:,} samples a case, {time.perf_counter() - start:.0f} s", file=sys.stderr)
    if "--write" in sys.argv:
        write(header, rows)


def write(header: list[str], rows: list[list[str]]) -> None:
    """Puts the table into the page, between its marks."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    said = (
        f"{NUM_SAMPLES:,} samples a case, in per cent; the standard error of 95% is "
        f"{100 * math.sqrt(0.95 * 0.05 / NUM_SAMPLES):.1f}. In bold: outside 93 to 97 beyond "
        "chance. A case: images, groups, share of the rarer class."
    )
    content = f"{said}\n\n" + "\n".join(lines) + "\n"
    PAGE.write_text(f"{before}{BEGIN}{content}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
