"""How far a reported accuracy lies above the true one where kinds of heads are compared.

    python -m benchmarks.choice_optimism [REPEATS]

Synthetic data, 80 groups of 3 images, two classes, a last vector and one earlier stage; three
kinds of heads as foveal train fits them. The truth is the accuracy of the very models on 4,000
new images. "by all answers": the figure is of the kept kind's answers, by which it was chosen.
"by the other folds": for every fold the kind is chosen by the other folds, which is what Foveal
reports. Once nothing is better than the linear head; once a curve in the earlier stage makes the
kernel a little better, so that the choice is in doubt.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.measuring import print_table
from foveal.dataset import assign_folds
from foveal.features.reading import Reading
from foveal.training import Problem
from foveal.training.choosing import compare_ways
from foveal.training.makers import MAKERS

_GROUPS, _EACH, _NEW = 80, 3, 4000
_LAST, _EARLY = 8, 6
_READING = Reading(stages=("early",), widths=(_EARLY, _LAST))


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rows = []
    for name, curve in (("nothing is better", 0.0), ("the kernel is a little better", 1.0)):
        found = np.array([_once(seed, curve) for seed in range(repeats)])
        others = found[:, 4] > 0
        for how, reported, true in (("by all answers", 0, 1), ("by the other folds", 2, 3)):
            optimism = 100 * (found[:, reported] - found[:, true])
            rows.append(
                (name, how, _mean(optimism), _mean(optimism[others]), f"{others.mean():.0%}")
            )
        print(f"  ({name}: done)", file=sys.stderr, flush=True)
    print(f"{repeats} data sets; reported minus true accuracy in points, mean ± standard error\n")
    print_table(
        ("data", "kind chosen", "all", "where a richer kind was kept", "so many"),
        rows,
    )


def _once(seed: int, curve: float) -> tuple[float, ...]:
    """Returns reported and true by both ways, and which kind was kept."""
    random = np.random.default_rng(seed)
    groups = np.arange(_GROUPS).repeat(_EACH)
    read, labels = _draw(random, groups, curve)
    new, truth = _draw(random, np.arange(_NEW), curve)
    folds = assign_folds(labels, groups, num_folds=5, seed=seed).fold_index

    def source(reading: Reading, values: np.ndarray = read) -> np.ndarray:
        return values if reading.stages else values[:, -_LAST:]

    problem = Problem(
        source=source,
        rows=np.arange(len(labels)),
        labels=labels,
        groups=groups,
        fold_index=folds,
        class_names=("a", "b"),
        seed=seed,
    )
    fits = [
        spec.make(_READING if spec.needs_stages else Reading()).fit_folds(problem)
        for spec in MAKERS.values()
        if not spec.needs_flips
    ]
    found = compare_ways(problem, [one.logits for one in fits])
    true = np.array(
        [
            [
                (model.logits(source(model.reading, new)).argmax(1) == truth).mean()
                for model in one.fold_models
            ]
            for one in fits
        ]
    )
    shares = np.bincount(folds) / len(folds)
    return (
        (fits[found.kept].logits.argmax(1) == labels).mean(),
        float(true[found.kept] @ shares),
        (found.logits.argmax(1) == labels).mean(),
        float(true[list(found.by_fold), np.arange(5)] @ shares),
        float(found.kept),
    )


def _draw(random: np.random.Generator, groups: np.ndarray, curve: float) -> tuple[np.ndarray, ...]:
    """Returns vectors [N, T] and labels; half of what varies is the group's own."""
    num_groups = int(groups.max()) + 1
    width = _EARLY + _LAST
    own = random.normal(size=(num_groups, width))[groups]
    read = (own + random.normal(size=(len(groups), width))) / np.sqrt(2)
    bent = np.square(read[:, 0]) + np.square(read[:, 1]) - 2
    score = 0.6 * read[:, _EARLY] + 0.6 * read[:, _EARLY + 1] + 0.25 * curve * bent
    labels = (score + random.normal(size=len(groups)) > 0).astype(np.int64)
    return read.astype(np.float32), labels


def _mean(values: np.ndarray) -> str:
    if len(values) < 2:
        return "n/a"
    return f"{values.mean():+.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


if __name__ == "__main__":
    main()
