"""ELPV after Deitsch et al. 2019, and the grouped figure beside it.

Functional against defective, stratified by probability and cell type, 75% to train and 25%
to test (1,968 and 656 images), over several seeds; both sides of the threshold at ⅓, which
the paper leaves open. Frozen features, one linear head, its penalty chosen inside the
training part. Then five-fold cross-validation on the same images, dealt at random and by
module (modules approximated by file order).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from benchmarks.measuring import print_table
from foveal.dataset import GroupOptions, Manifest, assign_folds, find_duplicates, fuse_groups, scan
from foveal.demo import read_elpv, write_folder
from foveal.evaluation import measure, wilson
from foveal.images import Preprocessing
from foveal.models import load_backbone
from foveal.training import LinearMaker, Problem, StepLog, TrainConfig, cross_validate
from foveal.training.recipe import extract_manifest

_SEEDS = range(5)
_PAPER = "paper (one split): SVM 82.44%, VGG-19 fine-tuned 88.42% (580 of 656)"


@contextmanager
def scanned_cells() -> Iterator[tuple[Manifest, np.ndarray, np.ndarray]]:
    """Yields the cells' manifest while their files are there, the shares [N] and the strata [N].

    A share is the probability of a defect that Deitsch et al. give; a stratum is one of these
    with a type of cell.
    """
    cells = {cell.path.name: cell for cell in read_elpv()}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "elpv"
        write_folder(tuple(cells.values()), data)
        manifest = scan(data, groups=GroupOptions())
        ordered = [cells[Path(record.path).name] for record in manifest.usable]
        shares = np.array([cell.probability for cell in ordered])
        yield manifest, shares, np.array([f"{cell.probability} {cell.kind}" for cell in ordered])


def main() -> None:
    with scanned_cells() as (manifest, shares, strata):
        backbone = load_backbone()
        preprocessing = Preprocessing.from_pretrained(backbone.pretrained_config)
        features, _ = extract_manifest(manifest, backbone, preprocessing, TrainConfig(), StepLog())
        groups = fuse_groups(manifest, find_duplicates(manifest, features=features))
    print(f"Deitsch split, {_PAPER}\n")
    rows = []
    folded = []
    for name, limit in (("defective from ⅓ up", 0.2), ("defective from ⅔ up", 0.5)):
        labels = (shares > limit).astype(np.int64)
        scores = [_score_split(features, labels, strata, seed) for seed in _SEEDS]
        right, tested = sum(r for r, _ in scores), sum(n for _, n in scores)
        each = [r / n for r, n in scores]
        first = wilson(*scores[0])
        rows.append(
            (
                name,
                f"{right / tested:.2%}",
                f"{min(each):.2%} to {max(each):.2%}",
                f"{each[0]:.2%} ({first.low:.1%} to {first.high:.1%})",
                f"{max(labels.mean(), 1 - labels.mean()):.1%}",
            )
        )
        for how, members in (("random", np.arange(len(labels))), ("by module", groups)):
            folded.append((name, how, *_cross_validate(features, labels, members, groups)))
    print_table(
        ("threshold", "mean of 5 seeds", "range", "seed 0 (Wilson 95%)", "commonest class"), rows
    )
    print("\nFive-fold cross-validation, all 2,624 cells (intervals over modules)\n")
    print_table(("threshold", "folds", "accuracy", "95% interval", "AUROC"), folded)


def _score_split(
    features: np.ndarray, labels: np.ndarray, strata: np.ndarray, seed: int
) -> tuple[int, int]:
    splitter = StratifiedShuffleSplit(1, test_size=656, random_state=seed)
    _, test = next(splitter.split(features, strata))
    fold_index = np.full(len(labels), -1)
    fold_index[test] = 0
    problem = Problem.of_features(features, labels, num_classes=2, fold_index=fold_index, seed=seed)
    answers = LinearMaker().fit_folds(problem).logits.argmax(1)
    return int((answers == labels[fold_index == 0]).sum()), len(test)


def _cross_validate(
    features: np.ndarray, labels: np.ndarray, members: np.ndarray, groups: np.ndarray
) -> tuple[str, str, str]:
    plan = assign_folds(labels, members, num_folds=5, seed=0)
    crossed = cross_validate(
        Problem.of_features(
            features, labels, num_classes=2, groups=members, fold_index=plan.fold_index
        )
    )
    metrics = measure(crossed.logits, labels, groups, class_names=("functional", "defective"))
    accuracy, auroc = metrics.accuracy, metrics.auroc
    return (
        f"{accuracy.estimate:.2%}",
        f"{accuracy.low:.1%} to {accuracy.high:.1%}",
        f"{auroc.estimate:.3f}",
    )


if __name__ == "__main__":
    main()
