"""Frozen heads, a fine-tuned network and both stacked, on ELPV: by Deitsch's split, and by module.

    python -m benchmarks.elpv_finetune [--seeds 5] [--first 5] [--unfreeze 2-stages] [--views 4]
        [--epochs 8] [--inner 0.15] [--limits ⅓⅔] [--no-split] [--no-modules]

Functional against defective; the share of defect at which a cell counts as defective is ⅓ or ⅔.
The split holds out 656 cells, stratified by probability and cell type, as Deitsch et al. 2019; its
rows are means over seeds. Then five folds by module (approximated by file order), with each gain
over the linear head paired over modules, and what folds dealt at random would have credited (they
are left out with --no-random: each is five trainings).

Views are the eight symmetries of a square (--augment any-orientation). "averaged over flips" means
that four views are answered at test too. --inner 0 trains all epochs on all training images,
without an inner split that could stop early or keep the linear start. Stacked is the weighted sum
of logits as foveal train fits it: of the judged images, each half has weights from the other.
Seconds are of processor time on all cores for one split: heads, training and answers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from benchmarks.measuring import print_table
from foveal.dataset import GroupOptions, assign_folds, find_duplicates, fuse_groups, scan
from foveal.demo import read_elpv, write_folder
from foveal.evaluation import accuracy_difference
from foveal.features import ImageSource, cache_directory, find_backend
from foveal.features.frozen_part import ViewPlan, fill_bank, open_bank
from foveal.features.reading import Reading, reading_of, with_stages
from foveal.finetuning.budget import bank_part
from foveal.finetuning.cuts import choose_candidate, find_candidates
from foveal.finetuning.loop import predict_logits
from foveal.finetuning.settings import Recipe
from foveal.finetuning.sources import BankSource
from foveal.images import Preprocessing, View
from foveal.images.augmentation import find_policy
from foveal.models import load_backbone
from foveal.training import FoldFits, LinearMaker, Problem, StepLog, TrainConfig
from foveal.training.fine_tuned import FineTunedMaker
from foveal.training.kernel import KernelMaker
from foveal.training.recipe import extract_manifest
from foveal.training.stacked import stack

_FLIPS: tuple[View, ...] = ("identity", "hflip", "vflip", "rot180")
_LIMITS = {"⅓": 0.2, "⅔": 0.5}


class _Turned(BankSource):
    """A bank whose every image is shown in one of its views."""

    view = 0

    def batch(self, rows, views):
        return super().batch(rows, np.full_like(views, self.view))


class _Elpv:
    """The cells, what the frozen network gives for them, and the bank."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        cells = {cell.path.name: cell for cell in read_elpv()}
        data = folder / "elpv"
        write_folder(tuple(cells.values()), data)
        manifest = scan(data, groups=GroupOptions())
        self.backbone = load_backbone()
        preprocessing = Preprocessing.from_pretrained(self.backbone.pretrained_config)
        self.size = preprocessing.height_px, preprocessing.width_px
        self.staged = with_stages(self.backbone, self.size)
        self.seconds: dict[str, float] = {}
        self.read: dict[tuple[View, ...], np.ndarray] = {}
        for views in (_FLIPS[:1], _FLIPS):
            with self._timed(f"frozen, {len(views)} view(s)"):
                config = TrainConfig(views=views, backend="onnxruntime")
                self.read[views], _ = extract_manifest(
                    manifest, self.staged, preprocessing, config, StepLog()
                )
        last = self.read[_FLIPS[:1]][:, -self.backbone.num_features :]
        self.groups = fuse_groups(manifest, find_duplicates(manifest, features=last))
        sources = [ImageSource(manifest.resolve(r), r.digest or "") for r in manifest.usable]
        candidates, _ = find_candidates(self.backbone, self.size)
        self.candidate = choose_candidate(self.backbone, candidates, options.unfreeze, self.size)
        part = bank_part(self.backbone, self.candidate, self.size)
        policy = find_policy("any-orientation")
        backend = find_backend("onnxruntime").open(part, self.size, cache_directory())
        bank = open_bank(
            cache_directory(),
            part,
            preprocessing=preprocessing,
            policy=policy,
            seed=0,
            backend=backend.name,
        )
        with self._timed("bank"):
            computed = fill_bank(
                bank,
                sources,
                backend,
                preprocessing=preprocessing,
                views=ViewPlan(policy, options.views, 0),
            )
        print(
            f"Cut after {self.candidate.name}; {computed:,} of {options.views * len(sources):,} "
            f"views computed now. {self.seconds}\n",
            flush=True,
        )
        digests = [source.digest for source in sources]
        self.source = _Turned(bank, digests, num_views=options.views)
        self.training_source = BankSource(bank, digests, num_views=options.views)
        ordered = [cells[Path(record.path).name] for record in manifest.usable]
        self.shares = np.array([cell.probability for cell in ordered])
        self.strata = np.array([f"{cell.probability} {cell.kind}" for cell in ordered])
        self.options = options

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds[name] = round(time.process_time() - began)

    def problem(self, limit: float, seed: int = 0) -> Problem:
        def source(reading: Reading) -> np.ndarray:
            vectors = self.read[reading.views]
            return vectors if reading.stages else vectors[:, -self.backbone.num_features :]

        alone = np.arange(len(self.shares))
        return Problem(
            source=source,
            rows=alone,
            labels=(self.shares > limit).astype(np.int64),
            groups=alone,
            fold_index=np.zeros(len(alone), np.int64),
            class_names=("functional", "defective"),
            seed=seed,
        )

    def answers(self, problem: Problem, *, tuned: bool = True) -> dict[str, FoldFits]:
        """Returns the fits of every way of answering on the problem's folds."""
        found = {
            "linear": LinearMaker().fit_folds(problem),
            "kernel": KernelMaker(reading_of(self.staged, _FLIPS[:1])).fit_folds(problem),
            "kernel, four flips": KernelMaker(reading_of(self.staged, _FLIPS)).fit_folds(problem),
        }
        if not tuned:
            return found
        maker = FineTunedMaker(
            self.backbone,
            self.candidate,
            self.size,
            self.training_source,
            Recipe(
                num_epochs=self.options.epochs,
                inner_share=self.options.inner,
                seed=problem.seed,
            ),
        )
        fits = maker.fit_folds(problem)
        found["fine-tuned"] = fits
        averaged = found["fine-tuned, averaged over flips"] = self._averaged(problem, fits)
        for one, other in ((fits, "kernel"), (averaged, "kernel, four flips")):
            name = "stacked" if one is fits else "stacked, averaged over flips"
            found[name] = stack(
                problem, [found[other], one], network=self.backbone.network, size=self.size
            )
        return found

    def _averaged(self, problem: Problem, fits: FoldFits) -> FoldFits:
        judged = problem.take(problem.fold_index >= 0)
        total = np.zeros_like(fits.logits)
        for view in range(len(_FLIPS)):
            self.source.view = view
            for fold, model in enumerate(fits.fold_models):
                mine = judged.fold_index == fold
                total[mine] += predict_logits(model.division.suffix, self.source, judged.rows[mine])
        return replace(fits, logits=total / len(_FLIPS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--unfreeze", default="2-stages")
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--inner", type=float, default=0.15)
    parser.add_argument("--limits", default="⅓⅔")
    parser.add_argument("--no-split", action="store_true")
    parser.add_argument("--no-modules", action="store_true")
    parser.add_argument("--no-random", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        elpv = _Elpv(options, Path(folder))
        if not options.no_split:
            _by_split(elpv, options)
        if not options.no_modules:
            _by_module(elpv, options)


def _by_split(elpv: _Elpv, options: argparse.Namespace) -> None:
    rows: dict[str, list[str]] = {}
    seeds = range(options.first, options.first + options.seeds)
    for name in options.limits:
        accuracies: dict[str, list[float]] = {}
        began = time.process_time()
        for number, seed in enumerate(seeds):
            problem = elpv.problem(_LIMITS[name], seed)
            splitter = StratifiedShuffleSplit(1, test_size=656, random_state=seed)
            _, test = next(splitter.split(elpv.strata, elpv.strata))
            fold_index = np.full(len(problem), -1)
            fold_index[test] = 0
            for way, fits in elpv.answers(problem.with_folds(fold_index)).items():
                right = fits.logits.argmax(1) == problem.labels[fold_index == 0]
                accuracies.setdefault(way, []).append(float(right.mean()))
            seconds = (time.process_time() - began) / (number + 1)
            said = ", ".join(f"{way} {np.mean(got):.2%}" for way, got in accuracies.items())
            print(f"  ({name}, seed {seed}: {said}; {seconds:.0f} s)", file=sys.stderr, flush=True)
        for way, got in accuracies.items():
            rows.setdefault(way, [way]).append(_spread(got))
    print(f"\nDeitsch's split, mean ± deviation of seeds {seeds[0]} to {seeds[-1]}\n")
    print_table(("answered by", *options.limits), [tuple(row) for row in rows.values()])


def _spread(got: list[float]) -> str:
    if len(got) < 2:
        return f"{got[0]:.2%}"
    return f"{np.mean(got):.2%} ± {np.std(got, ddof=1):.2%}"


def _by_module(elpv: _Elpv, options: argparse.Namespace) -> None:
    members = np.unique(elpv.groups, return_inverse=True)[1]
    rows = []
    for name in options.limits:
        problem = elpv.problem(_LIMITS[name])
        right: dict[str, dict[str, np.ndarray]] = {}
        dealt = {"by module": members}
        if not options.no_random:
            dealt["at random"] = np.arange(len(problem))
        for how, groups in dealt.items():
            plan = assign_folds(problem.labels, groups, num_folds=5, seed=0)
            folded = replace(problem, groups=groups, fold_index=plan.fold_index)
            right[how] = {
                way: fits.logits.argmax(1) == problem.labels
                for way, fits in elpv.answers(folded).items()
            }
            print(
                f"  ({name}, {how}: "
                + ", ".join(f"{way} {got.mean():.2%}" for way, got in right[how].items())
                + ")",
                file=sys.stderr,
                flush=True,
            )
        simplest = right["by module"]["linear"]
        for way, got in right["by module"].items():
            gain = accuracy_difference(got, simplest, members, seed=0)
            credited = right.get("at random", {}).get(way)
            rows.append(
                (
                    name,
                    way,
                    f"{got.mean():.2%}",
                    ""
                    if got is simplest
                    else f"{100 * gain.estimate:+.1f} ({100 * gain.low:+.1f} to "
                    f"{100 * gain.high:+.1f})",
                    ""
                    if credited is None or got is simplest
                    else f"{100 * (credited.mean() - right['at random']['linear'].mean()):+.1f}",
                )
            )
    print(f"\nFive folds by module; intervals paired over {members.max() + 1} modules\n")
    print_table(("limit", "answered by", "accuracy", "gain", "credited at random"), rows)


if __name__ == "__main__":
    main()
