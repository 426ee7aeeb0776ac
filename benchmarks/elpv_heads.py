"""What is fitted over one frozen network, on ELPV: by Deitsch's split, and by module.

    python -m benchmarks.elpv_heads [SEEDS [FIRST]]

Functional against defective, both sides of the threshold at ⅓; 75% to train and 25% to test,
stratified by probability and cell type, over SEEDS seeds (default 5) from FIRST on (default 5: the
kernel's settings were chosen on the splits 0 to 4). Then five-fold
cross-validation on the same images, by module (approximated by file order), with the gain over the
linear head paired over modules, and what folds dealt at random would have credited. Times are of
fitting and answering; those of the frozen network stand above the tables.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from benchmarks.elpv_protocol import scanned_cells
from benchmarks.measuring import print_table
from foveal.dataset import assign_folds, find_duplicates, fuse_groups
from foveal.evaluation import accuracy_difference
from foveal.features.reading import Reading, reading_of, with_stages
from foveal.images import Preprocessing, View
from foveal.models import load_backbone
from foveal.training import Problem, StepLog, TrainConfig
from foveal.training.choosing import predict_random_folds
from foveal.training.fold_model import FoldModelMaker
from foveal.training.makers import MAKERS
from foveal.training.recipe import extract_manifest

_FLIPS: tuple[View, ...] = ("identity", "hflip", "vflip", "rot180")
_LIMITS = (("⅓", 0.2), ("⅔", 0.5))


def main() -> None:
    num_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    first_seed = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seeds = range(first_seed, first_seed + num_seeds)
    with scanned_cells() as (manifest, shares, strata):
        backbone = load_backbone()
        preprocessing = Preprocessing.from_pretrained(backbone.pretrained_config)
        staged = with_stages(backbone, (preprocessing.height_px, preprocessing.width_px))
        read: dict[tuple[View, ...], np.ndarray] = {}
        for views in (_FLIPS[:1], _FLIPS):
            start, log = time.perf_counter(), StepLog()
            config = TrainConfig(views=views, backend="onnxruntime")
            read[views], _ = extract_manifest(manifest, staged, preprocessing, config, log)
            facts = next(event for event in log.events if event["step"] == "features")
            print(
                f"{len(views)} view(s): {facts['num_computed']:,} of "
                f"{len(views) * len(read[views]):,} passes computed, others from the cache, "
                f"{time.perf_counter() - start:.0f} s"
            )
        last = read[_FLIPS[:1]][:, -backbone.num_features :]
        groups = fuse_groups(manifest, find_duplicates(manifest, features=last))

    def source(reading: Reading) -> np.ndarray:
        vectors = read[reading.views]
        return vectors if reading.stages else vectors[:, -backbone.num_features :]

    makers: list[tuple[str, FoldModelMaker]] = []
    for views, suffix in ((_FLIPS[:1], ""), (_FLIPS, ", four flips averaged")):
        for kind, spec in MAKERS.items():
            if spec.needs_flips:
                continue  # both kinds of views are gone through here
            reading = reading_of(staged, views) if spec.needs_stages else Reading(views)
            makers.append((kind + suffix, spec.make(reading)))
    problems = {
        name: Problem(
            source=source,
            rows=np.arange(len(shares)),
            labels=(shares > limit).astype(np.int64),
            groups=np.arange(len(shares)),
            fold_index=np.zeros(len(shares), np.int64),
            class_names=("functional", "defective"),
        )
        for name, limit in _LIMITS
    }
    print(
        f"\nDeitsch's split, mean of seeds {seeds[0]} to {seeds[-1]}; "
        "seconds for one split, fitted and judged\n"
    )
    print_table(
        ("head", *problems, "seconds"),
        [_split_row(name, maker, problems, strata, seeds) for name, maker in makers],
    )
    print("\nFive folds by module; gain over linear with its paired 95% interval over modules\n")
    header = ("threshold", "head", "by module", "gain, points", "credited at random", "seconds")
    print_table(
        header,
        [
            row
            for name in problems
            for row in _module_rows(name, problems[name], makers, groups, first_seed)
        ],
    )


def _split_row(
    name: str,
    maker: FoldModelMaker,
    problems: dict[str, Problem],
    strata: np.ndarray,
    seeds: range,
) -> tuple[str, ...]:
    start = time.perf_counter()
    cells = []
    for problem in problems.values():
        accuracies = []
        for seed in seeds:
            splitter = StratifiedShuffleSplit(1, test_size=656, random_state=seed)
            _, test = next(splitter.split(strata, strata))
            fold_index = np.full(len(problem), -1)
            fold_index[test] = 0
            fits = maker.fit_folds(problem.with_folds(fold_index))
            answers = fits.logits.argmax(1)
            accuracies.append((answers == problem.labels[fold_index == 0]).mean())
        cells.append(f"{np.mean(accuracies):.2%}")
    seconds = (time.perf_counter() - start) / (len(seeds) * len(problems))
    print(f"  ({name}: {', '.join(cells)})", file=sys.stderr, flush=True)
    return (name, *cells, f"{seconds:.1f}")


def _module_rows(
    threshold: str,
    problem: Problem,
    makers: list[tuple[str, FoldModelMaker]],
    groups: np.ndarray,
    seed: int,
) -> list[tuple[str, ...]]:
    from dataclasses import replace

    members = np.unique(groups, return_inverse=True)[1]
    plan = assign_folds(problem.labels, members, num_folds=5, seed=seed)
    grouped = replace(problem, groups=members, fold_index=plan.fold_index)
    rows, baseline = [], None
    for name, maker in makers:
        start = time.perf_counter()
        fits = maker.fit_folds(grouped)
        seconds = time.perf_counter() - start
        right = fits.logits.argmax(1) == problem.labels
        random = predict_random_folds(grouped, maker, like=fits.model) == problem.labels
        if baseline is None:
            baseline = right, random
        gain = accuracy_difference(right, baseline[0], members, seed=0)
        shown = f"{100 * gain.estimate:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
        rows.append(
            (
                threshold,
                name,
                f"{right.mean():.2%}",
                shown if len(rows) else "",
                f"{100 * (random.mean() - baseline[1].mean()):+.1f}" if len(rows) else "",
                f"{seconds:.1f}",
            )
        )
        print(f"  ({' | '.join(rows[-1])})", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main()
