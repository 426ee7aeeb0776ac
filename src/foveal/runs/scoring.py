"""A finished run on new labelled data: the same figures, with nothing fitted anew."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import (
    Audit,
    DataOptions,
    GroupOptions,
    Manifest,
    audit,
    find_duplicates,
    find_seen,
    fuse_groups,
    scan,
)
from foveal.dataset.traits import find_traits, take_rows
from foveal.errors import DataError
from foveal.evaluation import (
    DataFacts,
    Evidence,
    Grouping,
    Novelty,
    Protocol,
    Timing,
    assess_calibration,
    assess_prediction_sets,
    compare_with_baseline,
    describe_label_review,
    measure,
    measure_ordered,
    measure_subgroups,
    review_labels,
    why_not_reviewed,
    worst_mistakes,
)
from foveal.evaluation.decisions import measure_decisions
from foveal.evaluation.external import ExternalTest
from foveal.evaluation.operating import assess_operating_point
from foveal.evaluation.operating_point import ChosenPoint
from foveal.evaluation.operating_rule import parse_rule
from foveal.evaluation.shared_sums import share_sums
from foveal.images import describe_window
from foveal.runs.classifier import Classifier, Prediction
from foveal.runs.external import measure_external
from foveal.runs.folder import (
    MANIFEST_TABLE_NAME,
)
from foveal.runs.tables import read_seen
from foveal.text import count_noun, near_names, printable

Progress = Callable[[int, int], None]
KnownAnswers = Callable[[Sequence[str]], Mapping[str, Prediction]]


@dataclass(frozen=True, slots=True)
class Scored:
    """How a run did on new data.

    Attributes:
        evidence: The figures; nothing in them was fitted to these images.
        audit: Of the new data.
        predictions: One a usable image, in the manifest's order.
        num_seen: How many of the images the run was trained on, themselves or as a copy. No
            figure counts them, unless there are no others.
        external: What is new about the data beside those that the run was made from; ``None``
            where the run was made from all of them.
    """

    evidence: Evidence
    audit: Audit
    predictions: tuple[Prediction, ...]
    num_seen: int
    external: ExternalTest | None


def evaluate_classifier(
    classifier: Classifier,
    data: Path,
    *,
    groups: GroupOptions | None = None,
    options: DataOptions | None = None,
    subgroups: Sequence[str] = (),
    seed: int = 0,
    num_workers: int | None = None,
    progress: Progress | None = None,
    known: KnownAnswers | None = None,
) -> Scored:
    """Predicts every usable image of ``data`` and compares with its label.

    Args:
        classifier: The run.
        data: Labelled images in any of the three forms; a split in it is ignored.
        groups: Where groups come from, for the intervals.
        options: How the data are read where their form leaves a choice.
        subgroups: Columns of the table whose values part the images.
        seed: For the bootstrap.
        num_workers: Threads.
        progress: Called with (done, total) while predicting.
        known: Gives answers of this run by the digest of the image, so that these are not
            computed.

    Raises:
        DataError: No usable image, or a class that the run does not know.
        RunAlteredError: A file of the run has another digest than recorded.
    """
    start = time.perf_counter()
    classifier.verify_files(MANIFEST_TABLE_NAME)
    manifest = scan(
        data,
        groups=groups or GroupOptions(),
        options=options or DataOptions(),
        num_workers=num_workers or 2,
        frames=classifier.frames,
    )
    labels = _match_classes(manifest, classifier)
    traits = find_traits(manifest, subgroups)
    predictions = _predict(classifier, manifest, known, num_workers, progress)
    answered = [row for row, one in enumerate(predictions) if one.error is None]
    if len(answered) < len(predictions):
        changed = next(one for one in predictions if one.error is not None)
        raise DataError(
            f"{changed.path} was fine when the data was scanned, but now cannot be used: "
            f"{changed.error}.",
            next_step="Leave the data alone while Foveal reads it, then run the command again.",
        )
    duplicates = find_duplicates(manifest)
    is_seen = find_seen(manifest.usable, read_seen(classifier.folder))
    num_seen, num_given = int(is_seen.sum()), len(is_seen)
    # Where every image had been seen, the figures are about those, and say so.
    rows = np.flatnonzero(~is_seen) if num_seen < num_given else np.arange(num_given)
    members = fuse_groups(manifest, duplicates)[rows]
    labels = labels[rows]
    names = classifier.class_names
    logits = np.array([predictions[row].logits for row in rows], np.float64)
    paths = [printable(manifest.usable[row].path) for row in rows]
    calibration, probabilities = assess_calibration(
        logits, labels, groups=members, temperature=classifier.temperature
    )
    recorded, novelty = classifier.evidence.prediction_sets, classifier.evidence.novelty
    assert recorded is not None  # a run without is not loaded
    assert novelty is not None
    sets = assess_prediction_sets(
        probabilities,
        labels,
        members,
        thresholds=classifier.set_thresholds,
        alpha=recorded.alpha,
        conditional=recorded.conditional,
        seed=seed,
    )
    flagged = float(np.mean([predictions[row].is_unlike_training is True for row in rows]))
    issues = review_labels(probabilities, labels, paths=paths, class_names=names)
    mistakes = worst_mistakes(probabilities, labels, paths=paths, class_names=names)
    shared = share_sums(logits, labels, members, class_names=names, seed=seed)
    decisions = measure_decisions(
        logits,
        probabilities,
        labels,
        members,
        class_names=names,
        chosen=_judge_point(classifier, probabilities, labels, members, seed=seed),
        seed=seed,
        shared=shared,
    )
    evidence = Evidence(
        protocol=_describe_protocol(num_given, num_seen, seed),
        data=DataFacts(
            num_images=len(labels),
            num_classes=len(names),
            num_groups=len(np.unique(members)),
            num_bad=len(manifest.bad),
            class_names=names,
            class_counts=tuple(map(int, np.bincount(labels, minlength=len(names)))),
        ),
        metrics=measure(logits, labels, members, class_names=names, shared=shared),
        baseline=compare_with_baseline(logits, labels, members, class_names=names, seed=seed),
        calibration=calibration,
        prediction_sets=sets,
        grouping=Grouping(manifest.group_source, manifest.groups_are_approximate, None, None, None),
        learning_curve=None,
        # The functions number the images that count; their reader wants the usable ones.
        label_review=tuple(replace(one, index=int(rows[one.index])) for one in issues),
        mistakes=tuple(replace(one, index=int(rows[one.index])) for one in mistakes),
        novelty=Novelty(novelty.method, classifier.novelty.threshold, flagged),
        timing=Timing({}, time.perf_counter() - start),
        subgroups=measure_subgroups(
            logits.argmax(axis=1),
            labels,
            members,
            take_rows(traits, rows),
            class_names=names,
            group_source=manifest.group_source,
            seed=seed,
        ),
        ordered=None
        if (order := classifier.evidence.ordered) is None
        else measure_ordered(
            logits.argmax(axis=1),
            labels,
            members,
            class_names=names,
            order=order.order,
            origin=order.origin,
            seed=seed,
        ),
        operating=decisions.operating,
        decision_curves=decisions.decision_curves,
        sample_sizes=decisions.sample_sizes,
    )
    if not_reviewed := why_not_reviewed(evidence.metrics, evidence.baseline):
        evidence = dataclasses.replace(evidence, label_review=())
    note = not_reviewed or describe_label_review(evidence.label_review)
    evidence = dataclasses.replace(evidence, label_note=note)
    levels = [record.levels for record in manifest.usable if record.levels is not None]
    window = describe_window(classifier.preprocessing.window, levels)
    found = audit(manifest, duplicates=duplicates, window=window)
    external = None
    if num_seen < num_given:
        external = measure_external(
            classifier,
            [manifest.usable[row] for row in rows],
            [predictions[row] for row in rows],
            members,
            labels=labels,
            num_seen=num_seen,
            has_groups=manifest.group_source is not None,
            seed=seed,
        )
    return Scored(evidence, found, predictions, num_seen, external)


def _judge_point(
    classifier: Classifier,
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    seed: int,
) -> ChosenPoint | None:
    """Returns how the run's operating point does, also at the prevalence that was named for it."""
    point, recorded = classifier.operating_point, classifier.evidence.operating
    if point is None or recorded is None or recorded.chosen is None:
        return None
    elsewhere = recorded.chosen.at_prevalence
    return assess_operating_point(
        probabilities,
        labels,
        groups,
        point=point,
        rule=parse_rule(point.rule),
        prevalence=None if elsewhere is None else elsewhere.prevalence,
        seed=seed,
    )


def _predict(
    classifier: Classifier,
    manifest: Manifest,
    known: KnownAnswers | None,
    num_workers: int | None,
    progress: Progress | None,
) -> tuple[Prediction, ...]:
    """Returns the answers for the usable images, in order; computes those that are not known."""
    files = [manifest.resolve(record) for record in manifest.usable]
    digests = [record.digest or "" for record in manifest.usable]
    held = {} if known is None else known(digests)
    missing = [file for file, digest in zip(files, digests, strict=True) if digest not in held]
    computed = iter(
        classifier.predict(missing, num_workers=num_workers, progress=progress) if missing else ()
    )
    return tuple(
        replace(held[digest], path=printable(str(file))) if digest in held else next(computed)
        for file, digest in zip(files, digests, strict=True)
    )


def _match_classes(
    manifest: Manifest, classifier: Classifier
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Returns the labels as indices into the run's classes."""
    if not manifest.usable:
        raise DataError(
            "The data hold no usable labelled image.",
            next_step="Run foveal audit on them to see why.",
        )
    index = {name: position for position, name in enumerate(classifier.class_names)}
    for name in manifest.class_names:
        if printable(name) not in index:
            near = near_names(name, index)
            hint = f"Did you mean {near[0]}?" if near else f"It knows {', '.join(index)}."
            raise DataError(
                f"The data have a class {printable(name)!r} that the run does not know. {hint}",
                next_step="Rename the class as in the run, or leave its images out.",
            )
    return np.array([index[printable(record.label or "")] for record in manifest.usable], np.int64)


def _describe_protocol(num_given: int, num_seen: int, seed: int) -> Protocol:
    had_been = "had been in the training data, unchanged or as a copy"
    if num_seen == num_given:
        given = "The one image" if num_given == 1 else f"All {num_given:,} images"
        return Protocol(
            "evaluation",
            1,
            seed,
            "The finished classifier on images that it was trained on.",
            (
                f"{given} {had_been}: these figures say how well it remembers, and nothing about "
                "new images.",
            ),
            num_seen=num_seen,
            measured_on="seen",
        )
    sentence = (
        f"The finished classifier on {count_noun(num_given - num_seen, 'image')} that were given "
        "to it now; nothing was fitted to them."
    )
    left_out = f"{num_seen:,} of the {num_given:,} images {had_been}, and are not counted."
    notes = (left_out,) if num_seen else ()
    return Protocol("evaluation", 1, seed, sentence, notes, num_seen=num_seen)
