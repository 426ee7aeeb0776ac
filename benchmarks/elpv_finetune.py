"""Frozen heads, a fine-tuned network and both stacked, on ELPV: by Deitsch's split, and by module.

    python -m benchmarks.elpv_finetune [--seeds 5] [--first 5] [--unfreeze 2-stages] [--views 4]
        [--epochs 8] [--inner 0.15] [--limits ⅓⅔] [--no-split] [--no-modules]
        [--demo] [--augment any-orientation] [--rate 1e-3] [--mixup 0] [--dropout 0] [--smoothing 0]

Functional against defective; the share of defect at which a cell counts as defective is ⅓ or ⅔.
The split holds out 656 cells, stratified by probability and cell type, as Deitsch et al. 2019; its
rows are means over seeds. Then five folds by module (approximated by file order), with each gain
over the linear head paired over modules, and what folds dealt at random would have credited (they
are left out with --no-random: each is five trainings).

Views are the eight symmetries of a square, unless another policy is named. "averaged over flips"
means that four views are answered at test; the inner split is then judged over these four.
"kernel on tuned stages" is the kernel over flips with the trained part's stages in place of the
frozen ones. By module there are also kernels without the first stages. --inner 0 trains all epochs
on all training images, without an inner split that could stop early or keep the linear start.
Stacked is the weighted sum of logits as foveal train fits it: of the judged images, each half has
weights from the other.
--demo answers the 500 images of the demonstration instead, in five folds by module: with classes
that count by their images, and with classes that count the same. Gains are over the linear head
with classes by their images, paired over modules.

Seconds are of processor time on all cores for one split: heads, training and answers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import StratifiedShuffleSplit

from benchmarks.measuring import print_table
from foveal.dataset import GroupOptions, assign_folds, find_duplicates, fuse_groups, scan
from foveal.demo import Cell, choose_cells, read_elpv, write_folder
from foveal.evaluation import Answered, Interval, accuracy_difference, compare_answers
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
from foveal.training.fine_tuned import FineTunedMaker, FineTunedModel
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

    def __init__(self, options: argparse.Namespace, folder: Path, chosen: Sequence[Cell]) -> None:
        cells = {cell.path.name: cell for cell in chosen}
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
        policy = find_policy(options.augment)
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
        self.labels = np.array([cell.label for cell in ordered])
        self.shares = np.array([cell.probability for cell in ordered])
        self.strata = np.array([f"{cell.probability} {cell.kind}" for cell in ordered])
        self.options = options

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds[name] = round(time.process_time() - began)

    def problem(self, limit: float, seed: int = 0) -> Problem:
        alone = np.arange(len(self.shares))
        return Problem(
            source=self._vectors,
            rows=alone,
            labels=(self.shares > limit).astype(np.int64),
            groups=alone,
            fold_index=np.zeros(len(alone), np.int64),
            class_names=("functional", "defective"),
            seed=seed,
        )

    def _vectors(self, reading: Reading) -> np.ndarray:
        # Of stages, the last ones that are wanted: the first may be left out.
        vectors = self.read[reading.views]
        return vectors[:, -(sum(reading.widths) or self.backbone.num_features) :]

    def answers(self, problem: Problem, *, early: bool = False) -> dict[str, FoldFits]:
        """Returns the fits of every way of answering on the problem's folds."""
        found = {
            "linear": LinearMaker().fit_folds(problem),
            "kernel": KernelMaker(reading_of(self.staged, _FLIPS[:1])).fit_folds(problem),
            "kernel, four flips": KernelMaker(reading_of(self.staged, _FLIPS)).fit_folds(problem),
        }
        for left_out in (2, 4, 6) if early else ():
            rest = Reading(_FLIPS, self.staged.stages[left_out:], self.staged.widths[left_out:])
            found[f"kernel, four flips, without the first {left_out} stages"] = KernelMaker(
                rest
            ).fit_folds(problem)
        turns = self.options.augment == "any-orientation" and self.options.views >= len(_FLIPS)
        maker = FineTunedMaker(
            self.backbone,
            self.candidate,
            self.size,
            self.training_source,
            Recipe(
                num_epochs=self.options.epochs,
                inner_share=self.options.inner,
                head_rate=self.options.rate,
                first_rate=self.options.rate / 100,
                mixup=self.options.mixup,
                dropout=self.options.dropout,
                smoothing=self.options.smoothing,
                judged_views=len(_FLIPS) if turns else 1,
                seed=problem.seed,
            ),
        )
        fits = found["fine-tuned"] = _fit_without_the_whole(maker, problem)
        print(
            "  (kept epochs and shares of the way: "
            + ", ".join(f"{m.fitted.kept_epochs[0]} {m.fitted.share:g}" for m in fits.fold_models)
            + ")",
            file=sys.stderr,
            flush=True,
        )

        def stacked(*members: FoldFits) -> FoldFits:
            return stack(problem, members, network=self.backbone.network, size=self.size)

        found["stacked"] = stacked(found["kernel"], fits)
        if turns:
            kernel = found["kernel, four flips"]
            averaged = found["fine-tuned, averaged over flips"] = self._averaged(problem, fits)
            found["stacked, averaged over flips"] = stacked(kernel, averaged)
            other = found["kernel on tuned stages, four flips"] = self._kernel(problem, fits)
            found["all three stacked, over flips"] = stacked(kernel, averaged, other)
        return found

    def _kernel(self, problem: Problem, fits: FoldFits) -> FoldFits:
        """Returns the kernel on frozen stages before the cut and trained ones after it."""
        stages = self.staged.stages
        first = stages.index(self.candidate.name) + 1
        num_early = sum(self.staged.widths[:first])
        parts = []
        for fold, model in enumerate(fits.fold_models):
            late = self._late_stages(model, stages[first:])
            vectors = np.concatenate([self.read[_FLIPS][:, :num_early], late], 1)
            folded = replace(_one_fold(problem, fold), source=lambda _, it=vectors: it)
            parts.append(KernelMaker(reading_of(self.staged, _FLIPS)).fit_folds(folded))
        return _joined(problem, parts)

    def _late_stages(self, model: FineTunedModel, stages: tuple[str, ...]) -> np.ndarray:
        """Returns what the trained part gives after each stage and at its end, over flips."""
        network, taken = model.division.network, {}
        # A container that is never called ends with its last member.
        called = [
            name
            if name not in dict(network.named_children())
            else f"{name}.{len(network.get_submodule(name)) - 1}"
            for name in stages
        ]
        handles = [
            network.get_submodule(name).register_forward_hook(
                lambda _, __, result, name=name: taken.__setitem__(name, result.mean((2, 3)))
            )
            for name in called
        ]
        handles.append(
            model.division.classifier.register_forward_pre_hook(
                lambda _, args: taken.__setitem__("", args[0])
            )
        )
        rows, total = np.arange(len(self.shares)), 0.0
        with torch.inference_mode():
            for self.source.view in range(len(_FLIPS)):
                parts = []
                for start in range(0, len(rows), 64):
                    batch = rows[start : start + 64]
                    model.division.suffix(self.source.batch(batch, batch))
                    parts.append(torch.cat([taken[name] for name in (*called, "")], 1).clone())
                total = total + torch.cat(parts).numpy() / np.float32(len(_FLIPS))
        for handle in handles:
            handle.remove()
        return total

    def _averaged(self, problem: Problem, fits: FoldFits) -> FoldFits:
        judged = problem.take(problem.fold_index >= 0)
        total = np.zeros_like(fits.logits)
        for view in range(len(_FLIPS)):
            self.source.view = view
            for fold, model in enumerate(fits.fold_models):
                mine = judged.fold_index == fold
                total[mine] += predict_logits(model.division.suffix, self.source, judged.rows[mine])
        return replace(fits, logits=total / len(_FLIPS))


def _one_fold(problem: Problem, fold: int) -> Problem:
    return problem.with_folds(np.where(problem.fold_index == fold, 0, -1))


def _joined(problem: Problem, parts: Sequence[FoldFits]) -> FoldFits:
    """Returns the fits of single folds as those of all."""
    judged = problem.fold_index[problem.fold_index >= 0]
    logits = np.empty((len(judged), problem.num_classes))
    for fold, part in enumerate(parts):
        logits[judged == fold] = part.logits
    models = tuple(part.model for part in parts)
    return replace(parts[0], logits=logits, fold_models=models)


def _fit_without_the_whole(maker: FineTunedMaker, problem: Problem) -> FoldFits:
    """Trains in every fold; the training on all images, which answers nothing here, is saved."""
    return _joined(
        problem, [maker.fit_folds(_one_fold(problem, n)) for n in range(problem.num_folds)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--unfreeze", default="2-stages")
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--inner", type=float, default=0.15)
    parser.add_argument("--limits", default="⅓⅔")
    parser.add_argument("--augment", default="any-orientation")
    parser.add_argument("--rate", type=float, default=Recipe().head_rate)
    parser.add_argument("--mixup", type=float, default=Recipe().mixup)
    parser.add_argument("--dropout", type=float, default=Recipe().dropout)
    parser.add_argument("--smoothing", type=float, default=Recipe().smoothing)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--no-split", action="store_true")
    parser.add_argument("--no-modules", action="store_true")
    parser.add_argument("--no-random", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cells = read_elpv()
        if options.demo:
            elpv = _Elpv(options, Path(folder), choose_cells(cells, 500, seed=0))
            _by_class(elpv)
            return
        elpv = _Elpv(options, Path(folder), cells)
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
                for way, fits in elpv.answers(folded, early=how == "by module").items()
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
                    "" if got is simplest else _points(gain),
                    ""
                    if credited is None or got is simplest
                    else f"{100 * (credited.mean() - right['at random']['linear'].mean()):+.1f}",
                )
            )
    print(f"\nFive folds by module; intervals paired over {members.max() + 1} modules\n")
    print_table(("limit", "answered by", "accuracy", "gain", "credited at random"), rows)


def _by_class(elpv: _Elpv) -> None:
    names, labels = np.unique(elpv.labels, return_inverse=True)
    members = np.unique(elpv.groups, return_inverse=True)[1]
    plan = assign_folds(labels, members, num_folds=5, seed=0)
    rarest = int(np.bincount(labels).argmin())
    rows, today = [], None
    for weights in ("none", "balanced"):
        problem = replace(
            elpv.problem(0.0),
            labels=labels,
            groups=members,
            fold_index=plan.fold_index,
            class_names=tuple(map(str, names)),
            class_weights=weights,
        )
        began = time.process_time()
        for way, fits in elpv.answers(problem).items():
            answers = fits.logits.argmax(1)
            today = answers if today is None else today
            compared = compare_answers(
                Answered(answers),
                Answered(today),
                labels,
                members,
                class_names=problem.class_names,
                seed=0,
            )
            own = labels == rarest
            recalled = accuracy_difference(
                answers[own] == rarest,
                today[own] == rarest,
                np.unique(members[own], return_inverse=True)[1],
                seed=0,
            )
            recalls = [(answers[labels == k] == k).mean() for k in range(len(names))]
            is_new = answers is not today
            rows.append(
                (
                    "by images" if weights == "none" else "the same",
                    way,
                    f"{(answers == labels).mean():.1%}",
                    f"{np.mean(recalls):.1%}",
                    _points(compared.balanced_accuracy.difference) if is_new else "",
                    f"{recalls[rarest]:.1%}",
                    _points(recalled) if is_new else "",
                )
            )
            print(f"  ({' | '.join(rows[-1])})", file=sys.stderr, flush=True)
        print(f"  ({time.process_time() - began:.0f} s)", file=sys.stderr, flush=True)
    print(
        f"\nThe demonstration: {len(labels)} images, five folds by module; rarest class: ", end=""
    )
    print(f"{names[rarest]} ({np.bincount(labels)[rarest]} images)\n")
    header = ("classes count", "answered by", "accuracy", "balanced", "gain", "recall", "gain")
    print_table(header, rows)


def _points(gain: Interval) -> str:
    return f"{100 * gain.estimate:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


if __name__ == "__main__":
    main()
