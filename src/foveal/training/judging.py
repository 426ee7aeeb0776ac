"""From logits to evidence: every figure that the report shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import Manifest
from foveal.dataset.traits import Trait, take_rows
from foveal.evaluation import (
    DataFacts,
    Evidence,
    Grouping,
    HeldOutGroups,
    LabelIssue,
    LearningCurve,
    Mistake,
    Novelty,
    OrderedClasses,
    Stability,
    Timing,
    calibrate,
    compare_with_baseline,
    describe_label_review,
    evaluate_prediction_sets,
    extrapolate,
    find_order,
    measure,
    measure_leak,
    measure_ordered,
    measure_subgroups,
    read_order,
    review_labels,
    why_not_reviewed,
    worst_mistakes,
)
from foveal.evaluation.decisions import measure_decisions
from foveal.evaluation.evidence import Protocol
from foveal.evaluation.operating import choose_operating_point
from foveal.evaluation.shared_sums import share_sums
from foveal.text import printable
from foveal.training.config import TrainConfig
from foveal.training.fitting import Fitted
from foveal.training.flow import follow_files
from foveal.training.fold_model import FoldModel

_Row = TypeVar("_Row", LabelIssue, Mistake)


@dataclass(frozen=True, slots=True)
class Judged:
    """The images that were judged, with what was answered.

    Attributes:
        rows: [M], into the usable images.
        fold_index: [M].
        logits: [M, K], what is reported.
        model_logits: [M, K], of the kind of model that is kept, for every fold: the same where
            all folds choose that kind.
        probabilities: [M, K], calibrated without the image's own fold.
        fold_models: By fold, the model that gave its ``model_logits`` and had not seen its images.
        fitted_rows: [N'], the usable images that the finished classifier was fitted to.
    """

    rows: NDArray[np.int64]
    fold_index: NDArray[np.int64]
    logits: NDArray[np.float64]
    model_logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    fold_models: tuple[FoldModel, ...]
    fitted_rows: NDArray[np.int64]


def judge(
    fitted: Fitted,
    manifest: Manifest,
    *,
    groups: NDArray[np.int64],
    protocol: Protocol,
    novelty: Novelty,
    stability: Stability | None,
    tested: tuple[HeldOutGroups, ...],
    traits: tuple[Trait, ...],
    config: TrainConfig,
    finish: Callable[[], Timing],
) -> tuple[Judged, Evidence]:
    """Returns what was answered, and the evidence.

    Args:
        fitted: Logits by the plan.
        manifest: The data.
        groups: [N] over the usable images, duplicates fused.
        protocol: How the images were divided.
        novelty: How unlike images are told.
        stability: How answers fare under small shifts.
        tested: What could be groups and was held out.
        traits: What parts the usable images.
        config: ``alpha``, ``conditional``, ``seed`` and the operating point asked for.
        finish: Gives the timing once everything else is done.
    """
    rows, names = fitted.rows, manifest.class_names
    labels, members = manifest.labels[rows], groups[rows]
    paths = [printable(manifest.usable[row].path) for row in rows]
    shared = share_sums(fitted.logits, labels, members, class_names=names, seed=config.seed)
    metrics = measure(fitted.logits, labels, members, class_names=names, shared=shared)
    baseline = compare_with_baseline(
        fitted.logits, labels, members, class_names=names, seed=config.seed
    )
    calibration, probabilities = calibrate(fitted.logits, labels, fitted.fold_index, groups=members)
    sets = evaluate_prediction_sets(
        probabilities,
        labels,
        members,
        fitted.fold_index,
        alpha=config.alpha,
        conditional=config.conditional,
        seed=config.seed,
    )
    printable_names = tuple(map(printable, names))
    chosen = None
    if config.rule is not None:
        chosen = choose_operating_point(
            fitted.logits,
            labels,
            members,
            fitted.fold_index,
            rule=config.rule,
            class_names=printable_names,
            temperature=calibration.temperature,
            prevalence=config.prevalence,
            seed=config.seed,
        )
    decisions = measure_decisions(
        fitted.logits,
        probabilities,
        labels,
        members,
        class_names=printable_names,
        chosen=chosen,
        seed=config.seed,
        shared=shared,
    )
    not_reviewed = why_not_reviewed(metrics, baseline)
    issues = (
        () if not_reviewed else review_labels(probabilities, labels, paths=paths, class_names=names)
    )
    mistakes = worst_mistakes(probabilities, labels, paths=paths, class_names=names)
    counts = np.bincount(manifest.labels, minlength=len(names))
    evidence = Evidence(
        protocol=protocol,
        data=DataFacts(
            num_images=len(manifest.usable),
            num_classes=len(names),
            num_groups=len(np.unique(groups)),
            num_bad=len(manifest.bad),
            class_names=printable_names,
            class_counts=tuple(int(count) for count in counts),
        ),
        metrics=metrics,
        baseline=baseline,
        calibration=calibration,
        prediction_sets=sets,
        grouping=replace(
            _measure_grouping(fitted, manifest, labels, members, config),
            origin=manifest.group_origin,
            tested=tested,
        ),
        learning_curve=_draw_curve(fitted, config),
        # The functions number the judged images; the report wants the usable ones.
        label_review=tuple(_renumber(issue, rows) for issue in issues),
        mistakes=tuple(_renumber(mistake, rows) for mistake in mistakes),
        novelty=novelty,
        timing=finish(),
        stability=stability,
        model_choice=fitted.choice,
        fine_tuning=fitted.fine_tuning,
        label_note=not_reviewed or describe_label_review(issues),
        subgroups=measure_subgroups(
            fitted.logits.argmax(1),
            labels,
            members,
            take_rows(traits, rows),
            class_names=printable_names,
            group_source=manifest.group_source,
            seed=config.seed,
        ),
        ordered=_measure_ordered(fitted, manifest, labels, members, config),
        operating=decisions.operating,
        decision_curves=decisions.decision_curves,
        sample_sizes=decisions.sample_sizes,
        flow=follow_files(
            manifest,
            groups,
            judged_rows=rows,
            fold_index=fitted.fold_index,
            fitted_rows=fitted.fitted_rows,
            traits=traits,
        ),
    )
    judged = Judged(
        rows,
        fitted.fold_index,
        fitted.logits,
        fitted.model_logits,
        probabilities,
        fitted.fold_models,
        fitted.fitted_rows,
    )
    return judged, evidence


def check_order(text: str | None, class_names: Sequence[str]) -> None:
    """Raises UsageError where ``--ordered`` names other classes than there are."""
    if text not in (None, "none"):
        read_order(text or "", class_names)


def _measure_ordered(
    fitted: Fitted,
    manifest: Manifest,
    labels: NDArray[np.int64],
    members: NDArray[np.int64],
    config: TrainConfig,
) -> OrderedClasses | None:
    names = tuple(map(printable, manifest.class_names))
    if config.ordered == "none":
        return None
    given = config.ordered is not None
    order = read_order(config.ordered or "", names) if given else find_order(names)
    if order is None:
        return None
    return measure_ordered(
        fitted.logits.argmax(1),
        labels,
        members,
        class_names=names,
        order=order,
        origin="given" if given else "names",
        seed=config.seed,
    )


def _measure_grouping(
    fitted: Fitted,
    manifest: Manifest,
    labels: NDArray[np.int64],
    members: NDArray[np.int64],
    config: TrainConfig,
) -> Grouping:
    source, approximate = manifest.group_source, manifest.groups_are_approximate
    if fitted.random_predictions is None:
        return Grouping(source, approximate, None, None, None)
    return measure_leak(
        fitted.logits.argmax(1),
        fitted.random_predictions,
        labels,
        members,
        source=source,
        is_approximate=approximate,
        seed=config.seed,
    )


def _draw_curve(fitted: Fitted, config: TrainConfig) -> LearningCurve | None:
    if fitted.curve is None:
        return None
    sizes, accuracies = fitted.curve
    return extrapolate(sizes, accuracies, target=2 * len(fitted.rows), seed=config.seed)


def _renumber(row: _Row, rows: NDArray[np.int64]) -> _Row:
    return replace(row, index=int(rows[row.index]))
